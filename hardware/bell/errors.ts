import { BellBotError } from '../errors';

export class UnknownBellError extends BellBotError {
  override readonly code = 'E_UNKNOWN_BELL';
  override readonly recovery = 'fix-the-input';

  constructor() {
    super({ what: 'There is no such bell.', remedy: 'Choose one of GET /bells.' });
  }
}

/** Not accepted now; the same request may be accepted later. */
export abstract class RefusedError extends BellBotError {
  override readonly recovery = 'try-later';
  abstract readonly retryAfterSeconds: number;
}

export class QueueFullError extends RefusedError {
  override readonly code = 'E_QUEUE_FULL';
  override readonly retryAfterSeconds: number;

  /** @param placeInMs the time by which the next ring leaves the queue */
  constructor(bell: string, limit: number, placeInMs: number) {
    const seconds = Math.max(1, Math.ceil(placeInMs / 1000));
    super({
      what: `${limit} rings are waiting for the bell "${bell}" already, and no more may.`,
      remedy: `Ring again in ${seconds} s, when one of them has been rung.`,
      details: { bell, limit, retryAfterSeconds: seconds },
    });
    this.retryAfterSeconds = seconds;
  }
}

export class BoardLostError extends RefusedError {
  override readonly code = 'E_BOARD_LOST';
  override readonly retryAfterSeconds = 5;

  constructor() {
    super({
      what: 'The board is not connected, so the bell was not struck.',
      remedy: 'Ring again when somebody has plugged it in.',
    });
  }
}

export class StoppingError extends RefusedError {
  override readonly code = 'E_STOPPING';
  override readonly retryAfterSeconds = 5;

  constructor() {
    super({ what: 'BellBot is stopping, so the bell was not struck.', remedy: 'Ring again when it is back.' });
  }
}

/** The ring could not be kept, so it was not accepted, or not begun. */
export class StoreError extends RefusedError {
  override readonly code = 'E_STORE';
  override readonly retryAfterSeconds = 5;

  constructor(what: string, cause: unknown) {
    super({ what, remedy: 'Ring again later; the log of the server says what is wrong with its store.', cause });
  }

  static notStruck(cause: unknown): StoreError {
    return new StoreError('The ring could not be kept in the store, so the bell was not struck.', cause);
  }
}

/** A strike that was begun and whose end nobody knows. */
export class StrikeCutError extends BellBotError {
  override readonly code = 'E_STRIKE_CUT';
  override readonly recovery = 'ask-the-people';

  constructor(during: string, cause?: unknown) {
    super({
      what: `${during} during the strike: the bell may have been struck.`,
      remedy: 'Ask somebody who could hear it before ringing again.',
      cause,
    });
  }
}

export class MutedError extends BellBotError {
  override readonly code = 'E_MUTED';
  override readonly recovery = 'try-later';

  constructor() {
    super({ what: 'It is dark, so the bell is muted and was not struck.', remedy: 'Ring again when it is light.' });
  }
}

/** An idempotency key stands for one ring of one bell. */
export class KeyReusedError extends BellBotError {
  override readonly code = 'E_KEY_REUSED';
  override readonly recovery = 'fix-the-input';

  constructor() {
    super({
      what: 'This idempotency key was used for another bell, or for another kind of command.',
      remedy: 'Use a key of its own for each ring.',
    });
  }
}
