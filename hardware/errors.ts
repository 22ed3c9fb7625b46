/**
 * What can be done about an error. The server's answers and the command line decide by this word, never by message text.
 *
 * - `fix-the-input`  the request was refused; correct it
 * - `fix-the-setup`  an option, a file, a port or a cable is not as BellBot needs it
 * - `try-later`      nothing is wrong with the request; the same one may work later
 * - `ask-the-people` it is unknown whether the bell was struck; somebody who could hear it knows
 */
export type Recovery = 'fix-the-input' | 'fix-the-setup' | 'try-later' | 'ask-the-people';

export interface ErrorParts {
  /** One sentence: what happened, with the names involved. Never a key. */
  readonly what: string;
  /** One sentence in the imperative: what to do now. */
  readonly remedy: string;
  /** The same facts as data, for logs and tests. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** The lower-level error, kept whole. */
  readonly cause?: unknown;
}

/** Base of every error that BellBot throws on purpose. Anything else that escapes is a bug in it. */
export abstract class BellBotError extends Error {
  /** Stable across releases; unique to the class. */
  abstract readonly code: `E_${Uppercase<string>}`;
  abstract readonly recovery: Recovery;
  readonly what: string;
  readonly remedy: string;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(parts: ErrorParts) {
    super(`${parts.what}\n  Remedy: ${parts.remedy}`, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.name = new.target.name;
    this.what = parts.what;
    this.remedy = parts.remedy;
    this.details = Object.freeze({ ...parts.details });
  }
}

/** The board is not there, does not answer, or cannot do what it is asked for. */
export class BoardError extends BellBotError {
  override readonly code = 'E_BOARD';
  override readonly recovery = 'fix-the-setup';
}
