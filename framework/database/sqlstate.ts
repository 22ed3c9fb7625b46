import { isNativeError } from 'node:util/types';
import type { ErrorParts } from '../core/errors';
import { BellwetherError } from '../core/errors';
import { deadlockOf } from './deadlock';
import * as errors from './errors';
import type { StatementError, StatementFacts } from './errors';

interface Rule {
  readonly error: new (parts: ErrorParts & { details: StatementFacts }) => StatementError;
  readonly what: string;
  readonly remedy: string;
}

/**
 * SQLSTATE to error, as data: one row per state, or class of states, that somebody acts on.
 * Source: PostgreSQL manual, appendix A (error codes) and section 13.5 (serialization failure handling).
 */
const RULES: Readonly<Record<string, Rule>> = {
  '40001': {
    error: errors.SerializationFailureError,
    what: 'A concurrent transaction changed what this one relies on',
    remedy: 'Run the transaction again; the runner does so by itself until its attempts or its time are used up.',
  },
  '40P01': {
    error: errors.DeadlockError,
    what: 'PostgreSQL ended this transaction to resolve a deadlock',
    remedy: 'Run the transaction again; take locks in one fixed order to make this rare.',
  },
  '23505': {
    error: errors.UniqueViolationError,
    what: 'A row with the same unique key exists already',
    remedy: 'Declare @Unique on the model to get this as a validation error.',
  },
  '23503': {
    error: errors.ForeignKeyViolationError,
    what: 'A row refers to one that does not exist, or is still referred to',
    remedy: 'Declare @BelongsTo, or `dependent` on the parent, to get this as a validation error.',
  },
  '23514': {
    error: errors.CheckViolationError,
    what: 'A check constraint refused the row',
    remedy: 'Declare @Check on the model to get this as a validation error.',
  },
  '23502': {
    error: errors.NotNullViolationError,
    what: 'A column that may not be null got no value',
    remedy: 'Give the attribute a value, or declare it nullable in the model and in the database.',
  },
  '23P01': {
    error: errors.ExclusionViolationError,
    what: 'An exclusion constraint refused the row',
    remedy: 'Choose values that do not collide with an existing row.',
  },
  '22': {
    error: errors.InvalidValueError,
    what: 'A value does not fit the type of its column or operator',
    remedy: 'Check the values given to this query; the cause names the type.',
  },
  '55P03': {
    error: errors.LockNotAvailableError,
    what: 'A lock was not to be had in time',
    remedy: 'Try again later, or wait longer with lockTimeoutMs.',
  },
  '57014': {
    error: errors.StatementCancelledError,
    what: 'The statement was cancelled, or ran into its timeout',
    remedy: 'Make the statement faster, or give it more time with statementTimeoutMs.',
  },
  '25006': {
    error: errors.ReadOnlyError,
    what: 'A write was sent in a read-only transaction',
    remedy: 'Run it in a transaction without readOnly, on the primary server.',
  },
  '42P01': {
    error: errors.UndefinedObjectError,
    what: 'The table does not exist',
    remedy: 'Run the pending migrations: bellwether migrate up.',
  },
  '42703': {
    error: errors.UndefinedObjectError,
    what: 'The column does not exist',
    remedy: 'Run the pending migrations (bellwether migrate up), or correct the name in the model.',
  },
  '53': {
    error: errors.ServerResourcesError,
    what: 'The server has run out of memory, disk space or connections',
    remedy: 'Free what the cause names, then try again.',
  },
};

/** What node-postgres hands over; every field but `message` may be missing. */
export interface PostgresError extends Error {
  readonly code: string;
  readonly severity?: string;
  readonly table?: string;
  readonly column?: string;
  readonly constraint?: string;
  readonly routine?: string;
  readonly detail?: string;
  /** Of the server's source. */
  readonly file?: string;
}

// By shape, not by `instanceof`: two copies of pg in one node_modules would break the latter. Classes begin with a
// digit or with F, H, P or X (manual, appendix A), and so not like EPIPE, which is the socket's.
export function isPostgresError(error: unknown): error is PostgresError {
  return isNativeError(error) && /^[0-9FHPX][0-9A-Z]{4}$/.test((error as { code?: string }).code ?? '');
}

/**
 * Classes 08 and 57P0x, the timeouts that end a session (25P03, 25P04), and every error without a SQLSTATE from
 * the driver: the session is gone.
 */
export function isConnectionLoss(error: unknown): boolean {
  if (isPostgresError(error)) return /^(08|57P0|25P03|25P04)/.test(error.code);
  if (!isNativeError(error) || error instanceof BellwetherError) return false; // also one of another realm, as sockets give to code in a VM context
  const { code } = error as { code?: string };
  return (
    /^(ECONNRESET|EPIPE|ETIMEDOUT|ECONNREFUSED|ECONNABORTED|EHOSTUNREACH|ENETUNREACH)$/.test(code ?? '') ||
    /^ERR_(STREAM|SOCKET)_/.test(code ?? '') ||
    /connection terminated|connection error|client was closed|connection ended/i.test(error.message)
  );
}

/**
 * Whether an error in answer to COMMIT proves that nothing was committed. Not so for the SQLSTATE classes
 * 08 (connection), 57 (shutdown; also a cancelled wait for a synchronous standby, after the local commit),
 * 58 (system) and XX (internal), nor for an error with no SQLSTATE at all, such as a closed socket.
 */
export function provesRollback(error: unknown): boolean {
  return isPostgresError(error) && !/^(08|57|58|XX)/.test(error.code);
}

/** Turns what the driver threw into one of our errors; leaves our own and foreign errors as they are. */
export function translateDatabaseError(error: unknown): unknown {
  if (error instanceof BellwetherError) return error;
  if (isConnectionLoss(error)) return connectionLost(error, 'not committed');
  if (!isPostgresError(error)) return error;
  const facts: StatementFacts = {
    sqlState: error.code,
    constraint: error.constraint,
    table: error.table,
    column: error.column,
    ...(error.code === '40P01' && { processes: deadlockOf(error) }),
  };
  if (isStalePlan(error)) {
    return new errors.StalePreparedStatementError({
      what: `A prepared statement no longer fits the schema (SQLSTATE ${error.code}).`,
      remedy: 'Run the transaction again; the runner does so by itself, on a new connection.',
      details: facts,
      cause: error,
    });
  }
  const rule = RULES[error.code] ?? RULES[error.code.slice(0, 2)];
  if (rule) {
    const { error: Kind, what, remedy } = rule;
    return new Kind({
      what: `${what}${placeOf(facts)} (SQLSTATE ${error.code}).`,
      remedy,
      details: facts,
      cause: error,
    });
  }
  // Class 42 speaks of names and syntax only; other messages may quote values, so they stay in the cause.
  const said = error.code.startsWith('42') ? `: ${error.message}` : '';
  return new errors.StatementFailedError({
    what: `PostgreSQL refused the statement${placeOf(facts)} (SQLSTATE ${error.code})${said}.`,
    remedy: 'Correct the statement; the cause holds the words of the server.',
    details: facts,
    cause: error,
  });
}

/** @param outcome what became of the work that the session was doing */
export function connectionLost(cause: unknown, outcome: 'not committed' | 'unknown'): errors.ConnectionLostError {
  const sqlState = isPostgresError(cause) ? cause.code : undefined;
  if (sqlState === '25P03' || sqlState === '25P04') {
    return new errors.ConnectionLostError({
      what: `The transaction took too long${sqlState === '25P03' ? ' between two statements' : ''}: PostgreSQL ended its session, and nothing of it was committed.`,
      remedy: 'Do slow work before the transaction, or allow more time with idleTimeoutMs.',
      details: { outcome: 'not committed', sqlState },
      cause,
    });
  }
  return new errors.ConnectionLostError({
    what:
      outcome === 'not committed'
        ? 'The connection to the database was lost; nothing of the work under way was committed.'
        : 'The connection to the database was lost before the answer came; it is unknown whether the statement took effect.',
    remedy:
      outcome === 'not committed'
        ? 'Run the operation again; the pool opens a new connection by itself.'
        : 'Look in the database whether the change is there before doing it again, or write inside a transaction.',
    details: { outcome, sqlState },
    cause,
  });
}

// Source: src/backend/utils/cache/plancache.c ("cached plan must not change result type"), and 26000
// for a name that the server has forgotten, as after DISCARD ALL.
function isStalePlan(error: PostgresError): boolean {
  return error.code === '26000' || (error.code === '0A000' && error.routine === 'RevalidateCachedQuery');
}

function placeOf({ constraint, table, column }: StatementFacts): string {
  const parts = [
    table && `table "${table}"`,
    column && `column "${column}"`,
    constraint && `constraint "${constraint}"`,
  ];
  const named = parts.filter(Boolean).join(', ');
  return named === '' ? '' : ` in ${named}`;
}
