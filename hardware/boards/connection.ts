// One connection to a board, from when it is ready until it ends. A board that is plugged in again is a new connection.

import type { LightSensor } from './board';

export interface ConnectedServo {
  /** Resolves when the board has answered that the servo is at rest; rejects when the connection ends before. */
  readonly rested: Promise<void>;
  /** The command leaves with this call; see `Servo.to` in `board.ts`. */
  to(degrees: number): Promise<void>;
}

export interface Connection {
  /** Called once, when the connection ends by itself or by `end`. */
  onEnd: (cause: Error) => void;
  /** @throws BoardError when the board has no such pin, or the pin can't do it */
  servo(pin: number, restDegrees: number): ConnectedServo;
  /** Off at first. @throws BoardError as `servo` */
  light(pin: number): (isOn: boolean) => void;
  /** @throws BoardError as `servo` */
  lightSensor(analogPin: number): LightSensor;
  /** Lets the last commands reach the board, and ends; bounded. */
  close(): Promise<void>;
  /** Ends at once; what is still unanswered is rejected with `cause`. */
  end(cause: Error): void;
}

/** Milliseconds. */
export interface BoardTimes {
  /** Until a board that was opened must be ready: an Uno needs 3.5 s, most of it to blink its version. Default 10,000. */
  readonly connectMs: number;
  /** Until a board that has not greeted is asked to: one that was not reset when its line was opened. Default 5000. */
  readonly greetingMs: number;
  /** Until a question must be answered, or the board counts as silent. Default 1000. */
  readonly answerMs: number;
  /** Between two questions to a board that has nothing to do, to find out that it is silent. Default 2000. */
  readonly checkEveryMs: number;
  /** Between two attempts to find a board again. Default 1000. */
  readonly retryEveryMs: number;
}

export const BOARD_TIMES: BoardTimes = {
  connectMs: 10_000,
  greetingMs: 5000,
  answerMs: 1000,
  checkEveryMs: 2000,
  retryEveryMs: 1000,
};
