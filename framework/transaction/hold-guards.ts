import { BellwetherError } from '../core/errors';
import { LockNotAvailableError, UndefinedObjectError } from '../database/errors';
import type { StatementResult } from '../database/statement';
import { takeGuards } from './guards';
import type { Patience } from './lock-wait';
import { executeWithin } from './lock-wait';
import { Topic } from './notes';
import type { OpenTransaction } from './open-transaction';
import type { Scope } from './scope';
import type { Session } from './session';
import { noteVainWait, wasWaitVain } from './vain-waits';

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
  const { transaction } = scope;
  const patience = patienceFor(scope, missing, held);
  transaction.taken.add({ guards: missing });
  try {
    const { rowCount } = await send(session, scope, missing, patience);
    if (rowCount < missing.length) transaction.runAgainWith({ needGuards: true });
    for (const guard of missing) scope.notes.add(HELD, String(guard), guard);
  } catch (error) {
    if (error instanceof UndefinedObjectError) transaction.runAgainWith({ needGuards: true });
    if (error instanceof LockNotAvailableError) {
      if (patience !== 'none' || isTooOld(transaction)) noteVainWait(transaction.owner, missing);
      transaction.runAgainWith({});
    }
    if (isRetried(error)) transaction.precautions.addAll(transaction.taken);
    throw error;
  }
}

export function heldGuards({ notes, transaction }: Scope): ReadonlySet<number> {
  return new Set([...transaction.precautions.guards, ...notes.all(HELD).values()]);
}

function patienceFor({ transaction }: Scope, guards: readonly number[], held: ReadonlySet<number>): Patience {
  const { owner, options } = transaction;
  if (isTooOld(transaction)) return 'none';
  if (!transaction.holdsLocks) return 'endless';
  const isInOrder = Math.min(...guards) > Math.max(-1, ...held);
  if (!isInOrder || wasWaitVain(owner, guards)) return 'none';
  return Math.min(PATIENCE_MS, options.lockTimeoutMs || PATIENCE_MS);
}

/** Whether the snapshot would be older than the lock, so that waiting is in vain. */
function isTooOld({ hasSnapshot, isolation }: OpenTransaction): boolean {
  return hasSnapshot && isolation !== 'read committed';
}

function send(session: Session, scope: Scope, guards: readonly number[], patience: Patience): Promise<StatementResult> {
  if (typeof patience === 'number') return executeWithin(session, takeGuards(guards), patience, scope);
  return session.execute(takeGuards(guards, { nowait: patience === 'none' }), scope);
}

function isRetried(error: unknown): boolean {
  return error instanceof BellwetherError && error.recovery === 'retry-transaction';
}
