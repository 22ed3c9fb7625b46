import { EventEmitter } from 'node:events';
import { install } from '@sinonjs/fake-timers';
import { firmataBoard } from '../../../hardware/boards/firmata-board';
import type { Board } from '../../../hardware/boards/board';
import type { BoardTimes } from '../../../hardware/boards/connection';
import type { Transport, TransportEvents } from '../../../hardware/boards/transport';
import { ArduinoUno } from './arduino-uno';

/** When the host sent bytes, by its clock. */
export interface Sent {
  readonly at: number;
  readonly bytes: readonly number[];
}

/**
 * The host's timers and the board's cycles, a millisecond each in turn, so that how fast the machine is does not matter.
 * Sockets are real; what they bring is taken up between two milliseconds.
 */
export class Lockstep {
  readonly uno = new ArduinoUno();
  readonly sent: Sent[] = [];
  readonly #clock = install({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] });
  #line: UnoLine | undefined;
  #received: number[] = [];

  constructor() {
    this.uno.onByte = (byte) => this.#received.push(byte);
  }

  board(times?: Partial<BoardTimes>): Board {
    return firmataBoard({ kind: 'serial', where: () => 'lockstep', line: () => this.#connect(), times });
  }

  async run(milliseconds: number): Promise<void> {
    for (let step = 0; step < milliseconds; step++) await this.#step();
  }

  /** Runs until the promise is settled. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settle = () => void (isSettled = true);
    promise.then(settle, settle);
    for (let step = 0; !isSettled; step++) {
      if (step > 60_000) throw new Error('Nothing came of it in a minute.');
      await this.#step();
    }
    return promise;
  }

  unplug(): void {
    this.#line?.emit('close');
  }

  stop(): void {
    this.#clock.uninstall();
  }

  #connect(): Transport {
    const line = new UnoLine((bytes) => {
      this.sent.push({ at: Date.now(), bytes: [...bytes] });
      this.uno.write(bytes);
    });
    this.#line = line;
    return line;
  }

  async #step(): Promise<void> {
    this.uno.run(1);
    if (this.#received.length > 0) this.#line?.emit('data', Uint8Array.from(this.#received.splice(0)));
    this.#clock.tick(1);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

class UnoLine extends EventEmitter<TransportEvents> implements Transport {
  constructor(readonly write: (bytes: Uint8Array) => void) {
    super();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
