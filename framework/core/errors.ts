/**
 * What the caller can do about an error. The transaction runner, the command line and the logs all
 * decide by this word, never by matching message text.
 *
 * - `fix-the-code`       the same call fails again until a programmer changes something
 * - `fix-the-input`      the data was refused; show the reasons to whoever sent it
 * - `fix-the-setup`      the database, its address or its schema is not as the program needs it
 * - `reload`             the record in hand is out of date; read it again and decide again
 * - `retry-transaction`  nothing was committed; run the whole transaction body again
 * - `try-later`          nothing is wrong; the same call may work later, or on another server
 * - `ask-the-database`   it is unknown whether the commit happened; look before acting
 * - `repair-the-effects` the transaction is committed; something that was to follow it failed
 */
export type Recovery =
  | 'fix-the-code'
  | 'fix-the-input'
  | 'fix-the-setup'
  | 'reload'
  | 'retry-transaction'
  | 'try-later'
  | 'ask-the-database'
  | 'repair-the-effects';

export interface ErrorParts {
  /** One sentence: what happened, with the names involved. Never a value that a query was given. */
  readonly what: string;
  /** One sentence in the imperative: what to do now. */
  readonly remedy: string;
  /** The same facts as data, for logs and tests. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** The lower-level error, kept whole. */
  readonly cause?: unknown;
}

/** Base of every error that the framework throws on purpose. Anything else that escapes is a bug in it. */
export abstract class BellwetherError extends Error {
  /** Stable across releases; unique to the class. */
  abstract readonly code: `E_${Uppercase<string>}`;
  abstract readonly recovery: Recovery;
  readonly remedy: string;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(parts: ErrorParts) {
    super(`${parts.what}\n  Remedy: ${parts.remedy}`, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.name = new.target.name;
    this.remedy = parts.remedy;
    this.details = Object.freeze({ ...parts.details });
  }
}
