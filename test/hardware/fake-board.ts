import { EventEmitter } from 'node:events';
import type { Board, BoardEvents, BoardStatus, Light, LightSensor, Servo } from '../../hardware/boards/board';
import { BoardError } from '../../hardware/errors';
import type { Clock } from '../../hardware/bell/clock';

export interface Command {
  readonly pin: number;
  readonly degrees: number;
  readonly atMs: number;
}

/** A board that does at once what it is told, and notes it; connected and lost as a test says. */
export class FakeBoard implements Board {
  readonly kind = 'simulated';
  readonly where = 'in the test';
  readonly events = new EventEmitter<BoardEvents>();
  readonly commands: Command[] = [];
  readonly lights = new Map<number, boolean>();
  level: number | undefined;
  /** When set, commands are answered when it resolves. */
  answer: Promise<void> = Promise.resolve();
  status: BoardStatus;
  readonly #clock: Clock;

  constructor(clock: Clock, status: BoardStatus = 'ready') {
    this.#clock = clock;
    this.status = status;
  }

  become(status: BoardStatus): void {
    this.status = status;
    this.events.emit('status', status, ...(status === 'lost' ? [lost()] : []));
  }

  open(): Promise<void> {
    if (this.status === 'connecting') this.become('ready');
    return Promise.resolve();
  }

  servo(pin: number, restDegrees: number): Servo {
    const to = async (degrees: number) => {
      if (this.status !== 'ready') throw lost();
      servo.degrees = degrees;
      this.commands.push({ pin, degrees, atMs: this.#clock.now() });
      await this.answer;
    };
    const servo = { pin, degrees: restDegrees, to };
    return servo;
  }

  light(pin: number): Light {
    return { set: (isOn) => void this.lights.set(pin, isOn) };
  }

  lightSensor(): LightSensor {
    const level = () => this.level;
    return {
      get level() {
        return level();
      },
    };
  }

  close(): Promise<void> {
    this.become('closed');
    return Promise.resolve();
  }
}

const lost = () => new BoardError({ what: 'The board was unplugged.', remedy: 'Plug it in.' });
