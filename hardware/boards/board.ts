// What a bell needs of a board, whatever the board is: an Arduino on a serial port, the simulated one, a Raspberry Pi.

import type { EventEmitter } from 'node:events';

/** `lost`: it was there and is unplugged, silent or restarted; it is being looked for. `closed`: by `close`, for good. */
export type BoardStatus = 'connecting' | 'ready' | 'lost' | 'closed';

export interface BoardEvents {
  /** `cause` when the board was lost or could not be reached. */
  readonly status: [status: BoardStatus, cause?: Error];
}

/**
 * A board that keeps itself connected: unplugged, it says `lost`, looks for the board again until `close`, and says `ready`
 * when it is back, its servos at rest. Everything made by it (servos, lights, sensors) stays usable over reconnections.
 */
export interface Board {
  readonly kind: 'serial' | 'simulated' | 'raspberry pi';
  /** For people: `/dev/ttyACM0`, `simulated`. */
  readonly where: string;
  readonly status: BoardStatus;
  readonly events: EventEmitter<BoardEvents>;
  /**
   * Connects; resolves at the first `ready`. Rejects with `BoardError` when the first attempt fails or takes longer than
   * the board's connect timeout (ms); it goes on looking for the board all the same, until `close`.
   */
  open(): Promise<void>;
  /**
   * A servo at rest. Mode and first angle reach the pin together, since a pause between them is a strike; make all servos
   * before `open` where possible. Throws `BoardError` when pin or angle make no sense on any board; a pin that this board
   * lacks shows when it is connected.
   */
  servo(pin: number, restDegrees: number): Servo;
  light(pin: number): Light;
  /** An analog pin, such as 0 for A0. */
  lightSensor(analogPin: number): LightSensor;
  /** Lets the last commands leave, frees port and timers; bounded. Waiting commands that were not answered are rejected. */
  close(): Promise<void>;
}

export interface Servo {
  readonly pin: number;
  /** The angle commanded last, degrees 0–180; `restDegrees` again once the board was lost. */
  readonly degrees: number;
  /**
   * The command leaves with this call, before any `await`. Resolves when the board has answered that the pin has the angle
   * (about 3 ms on a line of 57,600 baud); rejects with `BoardError` when the board isn't `ready`, or is lost or silent
   * before it has answered, in which case the servo may have moved.
   */
  to(degrees: number): Promise<void>;
}

export interface Light {
  /** Does nothing while the board isn't `ready`: a light is no promise. It is off again after a reconnection. */
  set(isOn: boolean): void;
}

export interface LightSensor {
  /** 0 (dark) to 1023, or undefined before the first reading and while the board isn't `ready`. */
  readonly level: number | undefined;
}
