import { InvalidOptionError } from '../core/invalid-option-error';
import type { Statement, StatementResult } from '../database/connection';
import { NoTransactionError } from './errors';
import { lockTimeout } from './lock-timeout';
import type { Scope } from './scope';
import type { Session } from './session';

/** How long a lock is waited for: until it is there, not at all, or for so many milliseconds. */
export type Patience = 'endless' | 'none' | number;

/** PostgreSQL's settings are 32-bit integers, and 0 would mean no bound. */
const MOST_MS = 2 ** 31 - 1;

/** @throws InvalidOptionError for what PostgreSQL would refuse, or take for no bound at all */
export function checkTimeoutMs(timeoutMs: unknown): void {
  if (Number.isInteger(timeoutMs) && (timeoutMs as number) >= 1 && (timeoutMs as number) <= MOST_MS) return;
  throw new InvalidOptionError('timeoutMs', `a whole number from 1 to ${MOST_MS}`, timeoutMs);
}

/**
 * Runs a statement that takes locks, in the transaction around it.
 *
 * A wait that may end without the lock leaves the transaction as it was: it stands behind a savepoint, so that a
 * caller who catches the refusal can go on. All of it leaves in one flight.
 *
 * @param what the lock, for the message when there is no transaction
 * @throws LockNotAvailableError when patience ends
 */
export function executeLocking(
  session: Session,
  statement: Statement,
  patience: Patience,
  what: string,
): Promise<StatementResult> {
  const { scope } = session;
  if (!scope) return Promise.reject(new NoTransactionError(what));
  if (patience === 'endless') return session.execute(statement, scope);
  if (patience === 'none') return scope.savepoint((child) => session.execute(statement, child));
  return scope.savepoint((child) => executeWithin(session, statement, patience, child));
}

/** Runs a statement that waits for locks no longer than so many milliseconds; all of it leaves in one flight. */
export async function executeWithin(
  session: Session,
  statement: Statement,
  timeoutMs: number,
  scope: Scope,
): Promise<StatementResult> {
  const usual = lockTimeout(scope.transaction.lockTimeoutMs);
  const [, result] = await session.executeTogether([lockTimeout(timeoutMs), statement, usual], scope);
  return result!;
}
