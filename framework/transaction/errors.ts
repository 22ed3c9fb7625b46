import { BellwetherError } from '../core/errors';
import type { IsolationLevel } from '../theory/isolation';
import { WEAKER_COMMITS } from './weaker-commits';

/** A transaction was used that is over. */
export class TransactionEndedError extends BellwetherError {
  override readonly code = 'E_TRANSACTION_ENDED';
  override readonly recovery = 'fix-the-code';

  constructor(what = 'A query was sent in a transaction that has already ended.') {
    super({
      what,
      remedy: 'Await every query inside the transaction, or start work that outlives it with db.outsideTransaction(…).',
    });
  }
}

/** The transaction found out on its way that it needs a lock from the start. The runner runs it again with that. */
export class PrecautionNeededError extends BellwetherError {
  override readonly code = 'E_PRECAUTION_NEEDED';
  override readonly recovery = 'retry-transaction';

  constructor() {
    super({
      what: 'The transaction needs a lock that it can take only before anything else.',
      remedy: 'Run the transaction again; the runner does so by itself, with the lock taken first.',
    });
  }
}

/** What declared rules need of the framework's own in the database is not there. */
export class GuardsMissingError extends BellwetherError {
  override readonly code = 'E_GUARDS_MISSING';
  override readonly recovery = 'fix-the-setup';

  constructor(table: string, cause: unknown) {
    super({
      what: `The table "${table}", which @Invariant and @LockedBy need, or the sequence "${WEAKER_COMMITS}", which rules that read below serializable need, is not there and could not be made.`,
      remedy: 'Run bellwether migrate up as a user who may create tables, and let this user update that table.',
      details: { table },
      cause,
    });
  }
}

/** Something failed inside the transaction and was caught there, so that nothing of it can be committed. */
export class TransactionDoomedError extends BellwetherError {
  override readonly code = 'E_TRANSACTION_DOOMED';
  override readonly recovery = 'fix-the-code';

  constructor(cause: unknown) {
    super({
      what: 'Something had failed inside the transaction and was caught there; nothing of it was committed.',
      remedy:
        'Let the error escape, or run the part that may fail in a transaction of its own with { savepoint: true }.',
      cause,
    });
  }
}

/** COMMIT was answered by ROLLBACK although no failed statement was seen. */
export class SilentRollbackError extends BellwetherError {
  override readonly code = 'E_SILENT_ROLLBACK';
  override readonly recovery = 'fix-the-code';

  constructor(commandTag: string) {
    super({
      what: `COMMIT was answered with ${commandTag}; nothing was committed.`,
      remedy: 'Send transaction commands through the framework only, and let the errors of statements escape.',
      details: { commandTag },
    });
  }
}

/** The inner transaction asks for more than the outer one, which has begun already, can give. */
export class NestedTransactionError extends BellwetherError {
  override readonly code = 'E_NESTED_TRANSACTION';
  override readonly recovery = 'fix-the-code';
}

/** What asks for a transaction of some isolation was called in a weaker one, or in none. */
export class TransactionRequiredError extends BellwetherError {
  override readonly code = 'E_TRANSACTION_REQUIRED';
  override readonly recovery = 'fix-the-code';

  constructor(needed: IsolationLevel, given: IsolationLevel | undefined) {
    super({
      what: `A transaction at ${needed} or stronger is needed here; ${given === undefined ? 'there is none' : `this one is at ${given}`}.`,
      remedy: `Begin the transaction around it with { isolation: '${needed}' }.`,
      details: { needed, given },
    });
  }
}

/** Something was handed over as a transaction that the framework did not make. */
export class NotATransactionError extends BellwetherError {
  override readonly code = 'E_NOT_A_TRANSACTION';
  override readonly recovery = 'fix-the-code';

  constructor() {
    super({
      what: 'What was handed over as a transaction is none that this framework began.',
      remedy: 'Hand over the tx that the body of db.transaction(…) is given, or what currentTransaction() returns.',
    });
  }
}

/** A transaction was handed over where another database is in use. */
export class ForeignTransactionError extends BellwetherError {
  override readonly code = 'E_FOREIGN_TRANSACTION';
  override readonly recovery = 'fix-the-code';

  constructor() {
    super({
      what: 'The transaction that was handed over is of another database than the one in use here.',
      remedy: 'Call the operation inside db.use(…) of the database that the transaction belongs to.',
    });
  }
}

/** Something was declared to be an operation that cannot be run in a transaction. */
export class InvalidOperationError extends BellwetherError {
  override readonly code = 'E_INVALID_OPERATION';
  override readonly recovery = 'fix-the-code';

  constructor(operation: string, problem: string) {
    super({
      what: `${operation} ${problem}.`,
      remedy: 'Declare an async method or function.',
      details: { operation },
    });
  }
}

/** The connection died during COMMIT, and the server could not be asked what became of it. */
export class CommitOutcomeUnknownError extends BellwetherError {
  override readonly code = 'E_COMMIT_OUTCOME_UNKNOWN';
  override readonly recovery = 'ask-the-database';

  constructor(xid: string | undefined, cause: unknown) {
    super({
      what: 'The connection was lost during COMMIT; it is unknown whether the transaction was committed.',
      remedy: 'Read back a row that this transaction wrote before doing it again.',
      details: { outcome: 'unknown', xid },
      cause,
    });
  }
}

/** BEGIN was refused, and a write that had been sent along with it took effect by itself. */
export class BeginFailedError extends BellwetherError {
  override readonly code = 'E_BEGIN_FAILED';
  override readonly recovery = 'ask-the-database';

  constructor(cause: unknown) {
    super({
      what: 'BEGIN failed, and a write that was sent along with it took effect by itself.',
      remedy: 'Look in the database for the first changes of this transaction, and undo or complete them.',
      details: { outcome: 'unknown' },
      cause,
    });
  }
}

/** Every attempt met a concurrent transaction, until the attempts or the time were used up. */
export class RetriesExhaustedError extends BellwetherError {
  override readonly code = 'E_RETRIES_EXHAUSTED';
  override readonly recovery = 'try-later';

  constructor(facts: { attempts: number; elapsedMs: number }, cause: unknown) {
    super({
      what: `The transaction met concurrent ones ${facts.attempts} times within ${Math.round(facts.elapsedMs)} ms; nothing was committed.`,
      remedy:
        'Try later; if it happens often, shorten the transaction, lock the contended row first, or decide in one conditional update.',
      details: facts,
      cause,
    });
  }
}

/** The transaction is committed, but something that was to follow it failed. */
export class AfterCommitError extends BellwetherError {
  override readonly code = 'E_AFTER_COMMIT';
  override readonly recovery = 'repair-the-effects';

  constructor(failures: readonly unknown[], effects: number) {
    super({
      what: `The transaction is committed, but ${failures.length} of ${effects} effect(s) after it failed.`,
      remedy: 'Do not run the transaction again; repeat or repair the effects. details.failures holds their errors.',
      details: { failures },
      cause: failures[0],
    });
  }
}

/** Two nested transactions wait for one another. */
export class SiblingWaitError extends BellwetherError {
  override readonly code = 'E_SIBLING_WAIT';
  override readonly recovery = 'fix-the-code';

  constructor(waitedMs: number) {
    super({
      what: `A query waited ${waitedMs} ms for a nested transaction beside it to end.`,
      remedy: 'Do not await, inside a nested transaction, work that its parent started beside it.',
      details: { waitedMs },
    });
  }
}

/** A lock was asked for where nothing would hold it. */
export class NoTransactionError extends BellwetherError {
  override readonly code = 'E_NO_TRANSACTION';
  override readonly recovery = 'fix-the-code';

  constructor(lock: string) {
    super({
      what: `${lock} was asked for outside of a transaction; it would be gone as soon as it is taken.`,
      remedy: 'Take it inside db.transaction(…) or a @Transactional method, together with what it is to protect.',
      details: { lock },
    });
  }
}

export class NotConnectedError extends BellwetherError {
  override readonly code = 'E_NOT_CONNECTED';
  override readonly recovery = 'fix-the-code';

  constructor() {
    super({
      what: 'No database is connected.',
      remedy: 'Call `await connect()` before the first query, and close it after the last.',
    });
  }
}

/** The text is no token of a session. */
export class InvalidSessionTokenError extends BellwetherError {
  override readonly code = 'E_INVALID_SESSION_TOKEN';
  override readonly recovery = 'fix-the-input';

  constructor() {
    super({
      what: 'The text given as a token is none that a session gave out.',
      remedy: 'Begin a session without a token; what was read or written before it is then not taken into account.',
    });
  }
}

/** No replica has replayed what the session has written or read. */
export class ReplicaBehindError extends BellwetherError {
  override readonly code = 'E_REPLICA_BEHIND';
  override readonly recovery = 'try-later';

  constructor(waitedMs: number) {
    super({
      what: `No replica was far enough for the session within ${waitedMs} ms.`,
      remedy: "Try later, wait longer with timeoutMs, or let reads go to the primary with ifBehind: 'primary'.",
      details: { waitedMs },
    });
  }
}
