// StandardFirmata 2.4 on an Arduino Uno, as its host sees it: the same answers to the same bytes, without the Arduino.
// Source: StandardFirmata.ino and Firmata.cpp of the Arduino library; compared byte by byte with the compiled image in a test.

const ANALOG_MESSAGE = 0xe0;
const DIGITAL_MESSAGE = 0x90;
const REPORT_ANALOG = 0xc0;
const REPORT_DIGITAL = 0xd0;
const SET_PIN_MODE = 0xf4;
const REPORT_VERSION = 0xf9;
const SYSTEM_RESET = 0xff;
const START_SYSEX = 0xf0;
const END_SYSEX = 0xf7;

const EXTENDED_ANALOG = 0x6f;
const ANALOG_MAPPING_QUERY = 0x69;
const CAPABILITY_QUERY = 0x6b;
const PIN_STATE_QUERY = 0x6d;
const SERVO_CONFIG = 0x70;
const STRING_DATA = 0x71;
const REPORT_FIRMWARE = 0x79;
const SAMPLING_INTERVAL = 0x7a;

const VERSION = [2, 4] as const;
const FIRMWARE = 'StandardFirmata.ino';
const DEFAULT_SAMPLING_MS = 19;
const MINIMUM_SAMPLING_MS = 10;
const MAX_SERVOS = 12;
/** Longer sysex messages run over the firmware's buffer. */
const MAX_SYSEX_BYTES = 64;
const NONE = 127;

const MODE = { INPUT: 0, OUTPUT: 1, ANALOG: 2, PWM: 3, SERVO: 4, I2C: 6 } as const;
const PWM_PINS: readonly number[] = [3, 5, 6, 9, 10, 11];
const I2C_PINS: readonly number[] = [18, 19];
const FIRST_ANALOG_PIN = 14;
const PINS = 20;
/** Pins 0 and 1 are the serial line. */
const isDigital = (pin: number) => pin >= 2 && pin < PINS;
const isAnalog = (pin: number) => pin >= FIRST_ANALOG_PIN && pin < PINS;

/** Mode and resolution in bits of all that the pin can do. */
function capabilities(pin: number): readonly number[] {
  return [
    ...(isDigital(pin) ? [MODE.INPUT, 1, MODE.OUTPUT, 1] : []),
    ...(isAnalog(pin) ? [MODE.ANALOG, 10] : []),
    ...(PWM_PINS.includes(pin) ? [MODE.PWM, 8] : []),
    ...(isDigital(pin) ? [MODE.SERVO, 14] : []),
    ...(I2C_PINS.includes(pin) ? [MODE.I2C, 1] : []),
    NONE,
  ];
}

const low7 = (value: number) => value & 0x7f;
/** Two bytes of 7 bits, the lower first. */
const split = (value: number) => [low7(value), low7(value >> 7)];
const join = (low = 0, high = 0) => low | (high << 7);
const PIN_NUMBERS = Array.from({ length: PINS }, (_, pin) => pin);

interface Pin {
  mode: number;
  /** What was written to it last: the level, the brightness, the width of the servo's pulse in microseconds. */
  state: number;
}

export class FirmataEmulator {
  /** Hears of each width that a servo is told, microseconds. */
  onPulse: (pin: number, pulse: number) => void = () => undefined;
  readonly #send: (bytes: readonly number[]) => void;
  #pins: Pin[] = [];
  #servos = new Set<number>();
  #reportsAnalog = new Set<number>();
  #samplingMs = DEFAULT_SAMPLING_MS;
  #sampling: NodeJS.Timeout | undefined;
  /** The message being received: its first byte, and those after it. */
  #command: number | undefined;
  #data: number[] = [];

  /** @param analogValues 0–1023 on A0–A5, read whenever they are reported */
  constructor(
    send: (bytes: readonly number[]) => void,
    private readonly analogValues: readonly number[] = [0, 0, 0, 0, 0, 0],
  ) {
    this.#send = send;
    this.#reset();
  }

  /** As the firmware does by itself when it starts. */
  greet(): void {
    this.#version();
    this.#firmware();
  }

  /** Power is off: reports no more. */
  stop(): void {
    clearInterval(this.#sampling);
  }

  /** Microseconds of the pulses on the pin, or undefined when no servo is on it. */
  pulse(pin: number): number | undefined {
    return this.#pins[pin]?.mode === MODE.SERVO ? this.#pins[pin].state : undefined;
  }

  isHigh(pin: number): boolean {
    const { mode, state } = this.#pins[pin]!;
    return (mode === MODE.OUTPUT || mode === MODE.PWM) && state > 0;
  }

  receive(bytes: Iterable<number>): void {
    for (const byte of bytes) this.#receive(byte);
  }

  #receive(byte: number): void {
    if (this.#command === START_SYSEX) {
      if (byte === END_SYSEX) {
        this.#command = undefined;
        this.#sysex(this.#data);
      } else if (this.#data.length < MAX_SYSEX_BYTES) this.#data.push(byte);
    } else if (byte < 0x80) this.#argument(byte);
    else this.#begin(byte);
  }

  #begin(byte: number): void {
    const kind = byte < START_SYSEX ? byte & 0xf0 : byte;
    if (kind === REPORT_VERSION) return this.#version();
    if (kind === SYSTEM_RESET) return this.#reset();
    const takesArguments = [ANALOG_MESSAGE, DIGITAL_MESSAGE, SET_PIN_MODE, REPORT_ANALOG, REPORT_DIGITAL, START_SYSEX];
    if (!takesArguments.includes(kind)) return;
    this.#command = byte;
    this.#data = [];
  }

  #argument(byte: number): void {
    if (this.#command === undefined) return;
    this.#data.push(byte);
    const command = this.#command;
    const channel = command & 0x0f;
    const kind = command < START_SYSEX ? command & 0xf0 : command;
    const isWhole = this.#data.length === (kind === REPORT_ANALOG || kind === REPORT_DIGITAL ? 1 : 2);
    if (!isWhole) return;
    this.#command = undefined;
    const [first, second] = this.#data as [number, number];
    if (kind === ANALOG_MESSAGE) this.#writeAnalog(channel, join(first, second));
    else if (kind === DIGITAL_MESSAGE) this.#writePort(channel, join(first, second));
    else if (kind === SET_PIN_MODE) this.#setMode(first, second);
    else if (kind === REPORT_ANALOG) this.#reportAnalog(channel, first !== 0);
    else this.#reportDigital(channel, first !== 0);
  }

  #sysex([kind, ...data]: readonly number[]): void {
    const [first, ...rest] = data;
    if (kind === REPORT_FIRMWARE) this.#firmware();
    else if (kind === CAPABILITY_QUERY) this.#answer(0x6c, PIN_NUMBERS.flatMap(capabilities));
    else if (kind === ANALOG_MAPPING_QUERY) {
      this.#answer(
        0x6a,
        PIN_NUMBERS.map((pin) => (isAnalog(pin) ? pin - FIRST_ANALOG_PIN : NONE)),
      );
    } else if (first === undefined) return;
    else if (kind === PIN_STATE_QUERY) this.#pinState(first);
    else if (kind === SERVO_CONFIG && data.length > 4) this.#configureServo(first);
    else if (kind === EXTENDED_ANALOG && data.length > 1)
      this.#writeAnalog(first, join(...rest) | ((rest[2] ?? 0) << 14));
    else if (kind === SAMPLING_INTERVAL && data.length > 1) this.#setSampling(join(first, rest[0]));
  }

  #answer(kind: number, data: readonly number[]): void {
    this.#send([START_SYSEX, kind, ...data, END_SYSEX]);
  }

  #version(): void {
    this.#send([REPORT_VERSION, ...VERSION]);
  }

  #firmware(): void {
    this.#answer(REPORT_FIRMWARE, [...VERSION, ...[...Buffer.from(FIRMWARE)].flatMap(split)]);
  }

  #complain(text: string): void {
    this.#answer(STRING_DATA, [...Buffer.from(text)].flatMap(split));
  }

  #pinState(number: number): void {
    const pin = this.#pins[number];
    if (pin === undefined) return this.#answer(0x6e, [number]);
    const { mode, state } = pin;
    const higher = [...(state & 0xff80 ? [low7(state >> 7)] : []), ...(state & 0xc000 ? [low7(state >> 14)] : [])];
    this.#answer(0x6e, [number, mode, low7(state), ...higher]);
  }

  #reset(): void {
    this.stop();
    this.#servos.clear();
    this.#reportsAnalog.clear();
    this.#command = undefined;
    this.#pins = PIN_NUMBERS.map((pin) => ({
      mode: isAnalog(pin) ? MODE.ANALOG : isDigital(pin) ? MODE.OUTPUT : MODE.INPUT,
      state: 0,
    }));
  }

  #setMode(number: number, mode: number): void {
    const pin = this.#pins[number];
    if (pin === undefined) return;
    if (mode !== MODE.SERVO) this.#servos.delete(number);
    if (isAnalog(number)) this.#reportAnalog(number - FIRST_ANALOG_PIN, mode === MODE.ANALOG);
    pin.state = 0;
    const modes = capabilities(number).filter((_, index) => index % 2 === 0);
    if (!(Object.values(MODE) as number[]).includes(mode)) return this.#complain('Unknown pin mode');
    if (!modes.includes(mode)) return;
    pin.mode = mode;
    if (mode === MODE.SERVO) this.#attachServo(number);
  }

  #attachServo(pin: number): void {
    if (this.#servos.has(pin)) return;
    if (this.#servos.size >= MAX_SERVOS) return this.#complain('Max servos attached');
    this.#servos.add(pin);
  }

  #configureServo(pin: number): void {
    if (!isDigital(pin)) return;
    this.#servos.delete(pin);
    this.#attachServo(pin);
    this.#setMode(pin, MODE.SERVO);
  }

  #writeAnalog(number: number, value: number): void {
    const pin = this.#pins[number];
    if (pin?.mode !== MODE.SERVO && pin?.mode !== MODE.PWM) return;
    pin.state = value;
    if (pin.mode === MODE.SERVO) this.onPulse(number, value);
  }

  #writePort(port: number, value: number): void {
    this.#pins.slice(8 * port, 8 * port + 8).forEach((pin, bit) => {
      if (isDigital(8 * port + bit) && (pin.mode === MODE.OUTPUT || pin.mode === MODE.INPUT))
        pin.state = (value >> bit) & 1;
    });
  }

  /** Inputs are not wired to anything here: their ports read 0. */
  #reportDigital(port: number, isOn: boolean): void {
    if (8 * port < PINS && isOn) this.#send([DIGITAL_MESSAGE | port, 0, 0]);
  }

  #reportAnalog(analogPin: number, isOn: boolean): void {
    if (analogPin >= this.analogValues.length) return;
    if (!isOn) this.#reportsAnalog.delete(analogPin);
    else this.#reportsAnalog.add(analogPin);
    if (isOn) this.#sendAnalog(analogPin);
    if (this.#sampling === undefined || !isOn) this.#sample();
  }

  #setSampling(milliseconds: number): void {
    this.#samplingMs = Math.max(milliseconds, MINIMUM_SAMPLING_MS);
    this.#sample();
  }

  #sample(): void {
    clearInterval(this.#sampling);
    this.#sampling = undefined;
    if (this.#reportsAnalog.size === 0) return;
    this.#sampling = setInterval(() => {
      for (const analogPin of [...this.#reportsAnalog].sort()) this.#sendAnalog(analogPin);
    }, this.#samplingMs);
  }

  #sendAnalog(analogPin: number): void {
    if (this.#pins[FIRST_ANALOG_PIN + analogPin]!.mode !== MODE.ANALOG) return;
    this.#send([ANALOG_MESSAGE | analogPin, ...split(this.analogValues[analogPin]!)]);
  }
}
