import { EventEmitter } from 'node:events';
import { BoardError } from '../errors';
import { FirmataEmulator } from './firmata-emulator';
import type { Transport, TransportEvents } from './transport';

/** An Arduino Uno with StandardFirmata that nobody has to buy: plug it in and out, let it fall silent, put light on it. */
export class SimulatedArduino {
  /** Power off and on again makes a new one. */
  emulator = new FirmataEmulator(() => undefined);
  /** 0–1023 on A0–A5. */
  readonly analogValues = [0, 0, 0, 0, 0, 0];
  /** A board that hangs: it takes every byte and answers none. */
  isSilent = false;
  /** Hears of each width that a servo is told, microseconds. */
  onPulse: (pin: number, pulse: number) => void = () => undefined;
  #isPlugged = true;
  #line: Line | undefined;

  /** Opens the line, as a serial port would: the board restarts and greets. */
  connect(): Transport {
    this.#line?.break();
    const line = new Line();
    this.#line = line;
    this.emulator.stop();
    if (this.#isPlugged) {
      this.emulator = this.#powerOn(line);
      line.opposite = (bytes) => this.#isPlugged && line === this.#line && this.emulator.receive(bytes);
    } else line.break(new BoardError({ what: 'The simulated board is unplugged.', remedy: 'Plug it in.' }));
    return line;
  }

  /** Presses the board's reset button. */
  reset(): void {
    this.emulator.stop();
    if (this.#line !== undefined) this.emulator = this.#powerOn(this.#line);
  }

  unplug(): void {
    this.#isPlugged = false;
    this.emulator.stop();
    this.#line?.break();
  }

  plugIn(): void {
    this.#isPlugged = true;
  }

  /** Bytes that the board never meant to send. */
  noise(bytes: readonly number[]): void {
    this.#line?.deliver(bytes);
  }

  #powerOn(line: Line): FirmataEmulator {
    const emulator = new FirmataEmulator((bytes) => {
      if (!this.isSilent && this.#isPlugged && emulator === this.emulator) line.deliver(bytes);
    }, this.analogValues);
    emulator.onPulse = (pin, pulse) => this.onPulse(pin, pulse);
    queueMicrotask(() => emulator.greet());
    return emulator;
  }
}

/** The host's end of the line. Bytes arrive a moment after they were sent, never while they are being sent. */
class Line extends EventEmitter<TransportEvents> implements Transport {
  opposite: (bytes: Uint8Array) => unknown = () => undefined;
  #isOpen = true;

  write(bytes: Uint8Array): void {
    queueMicrotask(() => this.#isOpen && this.opposite(bytes));
  }

  deliver(bytes: readonly number[]): void {
    queueMicrotask(() => this.#isOpen && this.emit('data', Uint8Array.from(bytes)));
  }

  break(cause?: Error): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    queueMicrotask(() => this.emit('close', ...(cause === undefined ? [] : [cause])));
  }

  close(): Promise<void> {
    this.break();
    return Promise.resolve();
  }
}
