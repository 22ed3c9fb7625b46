import { BellwetherError } from '../core/errors';
import type { ErrorParts } from '../core/errors';
import type { DeadlockProcess } from './deadlock';

/** What PostgreSQL says of a failed statement, without the values that were in it. */
export interface StatementFacts extends Readonly<Record<string, unknown>> {
  /** SQLSTATE, five characters. */
  readonly sqlState: string;
  readonly constraint: string | undefined;
  readonly table: string | undefined;
  readonly column: string | undefined;
}

/** Base of the errors with which PostgreSQL answered a statement. */
export abstract class StatementError extends BellwetherError {
  declare readonly details: StatementFacts;

  constructor(parts: ErrorParts & { readonly details: StatementFacts }) {
    super(parts);
  }
}

/** 40001: no serial order of the concurrent transactions exists. The runner retries it by itself. */
export class SerializationFailureError extends StatementError {
  override readonly code = 'E_SERIALIZATION_FAILURE';
  override readonly recovery = 'retry-transaction';
}

/** 40P01: PostgreSQL chose this transaction as the victim of a deadlock. The runner retries it by itself. */
export class DeadlockError extends StatementError {
  /** `processes`: who waited for whom, each with its statement; this transaction's comes first. */
  declare readonly details: StatementFacts & { readonly processes: readonly DeadlockProcess[] };
  override readonly code = 'E_DEADLOCK';
  override readonly recovery = 'retry-transaction';
}

/** A prepared statement that a change of the schema made invalid; a new connection prepares it anew. */
export class StalePreparedStatementError extends StatementError {
  override readonly code = 'E_STALE_PREPARED_STATEMENT';
  override readonly recovery = 'retry-transaction';
}

export class UniqueViolationError extends StatementError {
  override readonly code = 'E_UNIQUE_VIOLATION';
  override readonly recovery = 'fix-the-input';
}

export class ForeignKeyViolationError extends StatementError {
  override readonly code = 'E_FOREIGN_KEY_VIOLATION';
  override readonly recovery = 'fix-the-input';
}

export class CheckViolationError extends StatementError {
  override readonly code = 'E_CHECK_VIOLATION';
  override readonly recovery = 'fix-the-input';
}

export class NotNullViolationError extends StatementError {
  override readonly code = 'E_NOT_NULL_VIOLATION';
  override readonly recovery = 'fix-the-input';
}

export class ExclusionViolationError extends StatementError {
  override readonly code = 'E_EXCLUSION_VIOLATION';
  override readonly recovery = 'fix-the-input';
}

/** Class 22: a value that its column's type cannot hold. */
export class InvalidValueError extends StatementError {
  override readonly code = 'E_INVALID_VALUE';
  override readonly recovery = 'fix-the-input';
}

/** 55P03: `nowait`, or the lock timeout passed. */
export class LockNotAvailableError extends StatementError {
  override readonly code = 'E_LOCK_NOT_AVAILABLE';
  override readonly recovery = 'try-later';
}

/** 57014: the statement timeout passed, or somebody cancelled the statement. */
export class StatementCancelledError extends StatementError {
  override readonly code = 'E_STATEMENT_CANCELLED';
  override readonly recovery = 'try-later';
}

/** 25006: a write in a read-only transaction, or on a replica. */
export class ReadOnlyError extends StatementError {
  override readonly code = 'E_READ_ONLY';
  override readonly recovery = 'fix-the-code';
}

/** 42P01, 42703 and their like: the table or column is not there. */
export class UndefinedObjectError extends StatementError {
  override readonly code = 'E_UNDEFINED_OBJECT';
  override readonly recovery = 'fix-the-setup';
}

/** Class 53: memory, disk or connections of the server are used up. */
export class ServerResourcesError extends StatementError {
  override readonly code = 'E_SERVER_RESOURCES';
  override readonly recovery = 'try-later';
}

/** Any other refusal of a statement, such as a syntax error. */
export class StatementFailedError extends StatementError {
  override readonly code = 'E_STATEMENT_FAILED';
  override readonly recovery = 'fix-the-code';
}

/** The session ended under a statement or a transaction. `details.outcome` says what became of the work. */
export class ConnectionLostError extends BellwetherError {
  override readonly code = 'E_CONNECTION_LOST';
  override readonly recovery = 'try-later';
}

/** The address, the database or the credentials are wrong, or nothing listens there. */
export class ConnectionFailedError extends BellwetherError {
  override readonly code = 'E_CONNECTION_FAILED';
  override readonly recovery = 'fix-the-setup';
}

export class InvalidDatabaseUrlError extends BellwetherError {
  override readonly code = 'E_INVALID_DATABASE_URL';
  override readonly recovery = 'fix-the-setup';
}

export class UnsupportedServerError extends BellwetherError {
  override readonly code = 'E_UNSUPPORTED_SERVER';
  override readonly recovery = 'fix-the-setup';
}

/** Every connection of the pool stayed busy for the whole of `acquireTimeoutMs`. */
export class PoolExhaustedError extends BellwetherError {
  override readonly code = 'E_POOL_EXHAUSTED';
  override readonly recovery = 'try-later';
}

export class DatabaseClosedError extends BellwetherError {
  override readonly code = 'E_DATABASE_CLOSED';
  override readonly recovery = 'fix-the-code';
}

/** An `AbortSignal` called it off. The cause is the signal's reason. */
export class AbortedError extends BellwetherError {
  override readonly code = 'E_ABORTED';
  override readonly recovery = 'try-later';

  constructor(reason: unknown) {
    super({
      what: 'The work was aborted by its signal; nothing of it was committed.',
      remedy: 'Nothing is to be undone; start it again if it is still wanted.',
      details: { outcome: 'not committed' },
      cause: reason,
    });
  }
}
