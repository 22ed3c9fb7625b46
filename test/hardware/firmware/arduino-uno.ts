// An Arduino Uno: the StandardFirmata image as it is flashed, on a simulated ATmega328P of 16 MHz.

import { readFileSync } from 'node:fs';
import {
  adcConfig,
  AVRADC,
  AVREEPROM,
  avrInstruction,
  AVRIOPort,
  AVRTimer,
  AVRUSART,
  CPU,
  EEPROMMemoryBackend,
  PinState,
  portBConfig,
  portCConfig,
  portDConfig,
  timer0Config,
  timer1Config,
  timer2Config,
  usart0Config,
} from 'avr8js';

const CYCLES_PER_MICROSECOND = 16;
const CYCLES_PER_MILLISECOND = 1000 * CYCLES_PER_MICROSECOND;
const FLASH_BYTES = 32 * 1024;

/** One pulse of a servo's signal. */
export interface Pulse {
  readonly pin: number;
  /** When it rose, microseconds since power-on. */
  readonly at: number;
  readonly width: number;
}

/** Intel HEX: length, address, type, data and checksum a line; only data records (type 0) matter here. */
function flash(hex: string): Uint16Array {
  const image = new Uint8Array(FLASH_BYTES);
  for (const line of hex.split('\n').filter((line) => line.startsWith(':'))) {
    const record = Buffer.from(line.slice(1).trim(), 'hex');
    if (record[3] === 0) image.set(record.subarray(4, 4 + record[0]!), record.readUInt16BE(1));
  }
  return new Uint16Array(image.buffer);
}

const STANDARD_FIRMATA = flash(
  readFileSync(require.resolve('avrgirl-arduino/junk/hex/uno/StandardFirmata.cpp.hex'), 'utf8'),
);

export class ArduinoUno {
  /** Every byte that the firmware has sent. */
  readonly sent: number[] = [];
  readonly pulses: Pulse[] = [];
  onByte: (byte: number) => void = () => undefined;

  readonly #cpu = new CPU(STANDARD_FIRMATA.slice(), 2048);
  readonly #usart = new AVRUSART(this.#cpu, usart0Config, 16e6);
  readonly #adc = new AVRADC(this.#cpu, adcConfig);
  readonly #ports = [
    { firstPin: 0, port: new AVRIOPort(this.#cpu, portDConfig) },
    { firstPin: 8, port: new AVRIOPort(this.#cpu, portBConfig) },
    { firstPin: 14, port: new AVRIOPort(this.#cpu, portCConfig) }, // A0–A5
  ];
  readonly #incoming: number[] = [];
  readonly #roseAt = new Map<number, number>();
  #until = 0;

  constructor() {
    for (const timer of [timer0Config, timer1Config, timer2Config]) new AVRTimer(this.#cpu, timer);
    new AVREEPROM(this.#cpu, new EEPROMMemoryBackend(1024));
    this.#usart.onByteTransmit = (byte) => {
      this.sent.push(byte);
      this.onByte(byte);
    };
    this.#usart.onRxComplete = () => this.#receive();
    this.#usart.onConfigurationChange = () => this.#receive();
    for (const { firstPin, port } of this.#ports) port.addListener((now, before) => this.#edges(firstPin, now, before));
  }

  /** Bytes wait until the USART has taken those before them: it has no buffer for what comes too fast. */
  write(bytes: Iterable<number>): void {
    this.#incoming.push(...bytes);
    this.#receive();
  }

  isHigh(pin: number): boolean {
    const { firstPin, port } = this.#ports.findLast(({ firstPin }) => firstPin <= pin)!;
    return port.pinState(pin - firstPin) === PinState.High;
  }

  /** @param volts 0–5, on A0–A5 */
  setVoltage(analogPin: number, volts: number): void {
    this.#adc.channelValues[analogPin] = volts;
  }

  run(milliseconds: number): void {
    const cpu = this.#cpu;
    this.#until += milliseconds * CYCLES_PER_MILLISECOND; // not from where the last instruction ended: that would add up
    while (cpu.cycles < this.#until) {
      avrInstruction(cpu);
      cpu.tick();
    }
  }

  #receive(): void {
    if (this.#usart.rxBusy || this.#incoming.length === 0) return;
    if (this.#usart.writeByte(this.#incoming[0]!)) this.#incoming.shift();
  }

  #edges(firstPin: number, now: number, before: number): void {
    const at = this.#cpu.cycles / CYCLES_PER_MICROSECOND;
    for (let bit = 0; bit < 8; bit++) {
      const pin = firstPin + bit;
      if (((now ^ before) & (1 << bit)) === 0) continue;
      if (now & (1 << bit)) this.#roseAt.set(pin, at);
      else if (this.#roseAt.has(pin))
        this.pulses.push({ pin, at: this.#roseAt.get(pin)!, width: at - this.#roseAt.get(pin)! });
    }
  }
}
