import { BellwetherError } from '../core/errors';
import { LockNotAvailableError, UndefinedObjectError } from '../database/errors';
import type { StatementResult } from '../database/statement';
import { takeGuards } from './guards';
import { executeWithin } from './lock-wait';
import { Topic } from './notes';
import type { Scope } from './scope';
import type { Session } from './session';

/**
 * How long a guard is waited for in the middle of a transaction, in milliseconds; then the whole is run again with
 * the guard taken first. Less than PostgreSQL's `deadlock_timeout`, so that what would be a deadlock is none.
 */
const PATIENCE_MS = 100;

const HELD = new Topic<number>();

/**
 * Holds these guards until the transaction ends: whoever has committed under one of them can be seen from here on, and
 * nobody else commits under one before. Those that are held already cost nothing; the others one statement, sent in
 * this turn of the event loop.
 *
 * A guard that is out of the fixed order, or for which waiting is vain since the snapshot would be older, is not
 * waited for: the transaction is run again with it taken first.
 */
export async function holdGuards(session: Session, wanted: Iterable<number>): Promise<void> {
  const scope = session.scope!;
  const held = heldGuards(scope);
  const missing = [...new Set(wanted)].filter((guard) => !held.has(guard));
  if (missing.length === 0) return;
  const isInOrder = Math.min(...missing) > Math.max(-1, ...held);
  const { transaction } = scope;
  transaction.taken.add({ guards: missing });
  try {
    const { rowCount } = await send(session, scope, missing, isInOrder);
    if (rowCount < missing.length) transaction.runAgainWith({ needGuards: true });
    for (const guard of missing) scope.notes.add(HELD, String(guard), guard);
  } catch (error) {
    if (error instanceof UndefinedObjectError) transaction.runAgainWith({ needGuards: true });
    if (error instanceof LockNotAvailableError) transaction.runAgainWith({});
    if (isRetried(error)) transaction.precautions.addAll(transaction.taken);
    throw error;
  }
}

export function heldGuards({ notes, transaction }: Scope): ReadonlySet<number> {
  return new Set([...transaction.precautions.guards, ...notes.all(HELD).values()]);
}

function send(session: Session, scope: Scope, guards: number[], isInOrder: boolean): Promise<StatementResult> {
  const { holdsLocks, hasSnapshot, isolation, options } = scope.transaction;
  const isVain = hasSnapshot && isolation !== 'read committed';
  if (!holdsLocks && !isVain) return session.execute(takeGuards(guards), scope);
  if (!isInOrder || isVain) return session.execute(takeGuards(guards, { nowait: true }), scope);
  return executeWithin(session, takeGuards(guards), Math.min(PATIENCE_MS, options.lockTimeoutMs || PATIENCE_MS), scope);
}

function isRetried(error: unknown): boolean {
  return error instanceof BellwetherError && error.recovery === 'retry-transaction';
}
