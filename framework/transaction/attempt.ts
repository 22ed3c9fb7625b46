import { BellwetherError } from '../core/errors';
import type { Pool } from '../database/pool';
import { isConnectionLoss, provesRollback, translateDatabaseError } from '../database/sqlstate';
import type { EventBus } from '../telemetry/events';
import { BorrowedSession } from './borrowed-session';
import { commitRefusal } from './commit-refusal';
import { runInScope } from './context';
import { BeginFailedError, CommitOutcomeUnknownError, PrecautionNeededError, SilentRollbackError } from './errors';
import { OpenTransaction } from './open-transaction';
import type { AttemptFacts } from './open-transaction';
import { resolveOutcome } from './outcome';
import { Scope } from './scope';
import type { Effect } from './scope';
import { Transaction } from './transaction';

/** What became of one attempt. `effects` are those to run now that this is certain. */
export type AttemptOutcome<T> =
  | { readonly kind: 'committed'; readonly value: T; readonly effects: readonly Effect[] }
  | {
      readonly kind: 'rolled back';
      readonly error: unknown;
      /** Whether another attempt may do better. */
      readonly again: false | 'at once' | 'after a pause';
      /** What the attempt collided over, if that is why. */
      readonly queues: readonly string[];
      readonly effects: readonly Effect[];
    }
  | { readonly kind: 'unknown'; readonly error: unknown };

/** Runs the body once, from BEGIN to the certain knowledge of what became of it. Never throws. */
export async function runAttempt<T>(
  pool: Pool,
  bus: EventBus,
  facts: AttemptFacts,
  body: (tx: Transaction) => Promise<T>,
): Promise<AttemptOutcome<T>> {
  const begunAt = performance.now();
  const { id: transactionId, attempt, isolation, options } = facts;
  const { name } = options;
  bus.emit('transaction:begin', { transactionId, name, isolation, attempt });
  const session = new BorrowedSession(pool, facts.signals);
  const transaction = new OpenTransaction(session, facts);
  const takeOff = transaction.abortOn(facts.signals);
  let seen: AttemptOutcome<T> | LostCommit<T>;
  try {
    seen = await runOn(transaction, bus, body);
  } finally {
    takeOff();
    const givingBack = session.giveBack();
    if (givingBack) await givingBack;
  }
  const outcome = seen.kind === 'lost' ? await lookUp(pool, seen, begunAt) : seen;
  const error = outcome.kind === 'committed' ? undefined : outcome.error;
  const durationMs = performance.now() - begunAt;
  bus.emit('transaction:end', { transactionId, name, attempt, outcome: outcome.kind, durationMs, error });
  return outcome;
}

/** COMMIT was sent and not answered. The session is given back before the server is asked on another. */
interface LostCommit<T> {
  readonly kind: 'lost';
  readonly value: T;
  readonly scope: Scope;
  readonly error: unknown;
}

async function runOn<T>(
  transaction: OpenTransaction,
  bus: EventBus,
  body: (tx: Transaction) => Promise<T>,
): Promise<AttemptOutcome<T> | LostCommit<T>> {
  const scope = new Scope(transaction);
  const rollBack = (): Promise<void> =>
    transaction.rollback().catch((failure: unknown) => {
      bus.emit('transaction:rollback-failed', { transactionId: transaction.id, error: failure });
    });
  let value: T;
  try {
    const run = runInScope(scope, async () => {
      const result = await body(new Transaction(scope));
      await scope.finish();
      return result;
    });
    value = await transaction.unlessAborted(run);
  } catch (error) {
    scope.close();
    if (transaction.abortedBy) await transaction.cancel(transaction.abortedBy);
    await scope.drain();
    await rollBack();
    return rolledBack(scope, error);
  }
  if (!transaction.hasBegun) return { kind: 'committed', value, effects: scope.effectsAfterCommit };
  try {
    const commandTag = await transaction.commit();
    if (commandTag === 'COMMIT') return { kind: 'committed', value, effects: scope.effectsAfterCommit };
    return rolledBack(scope, transaction.mustRetry ?? new SilentRollbackError(commandTag));
  } catch (error) {
    if (!provesRollback(error)) {
      transaction.discard(error as Error);
      return { kind: 'lost', value, scope, error };
    }
    // Nothing is left to undo. But the driver tells of the refusal before it hears that the session is ready for the
    // next, and a session that looks as if it were inside a transaction is closed.
    await rollBack();
    return rolledBack(scope, commitRefusal(error, scope.enrolled));
  }
}

async function lookUp<T>(
  pool: Pool,
  { scope, value, error }: LostCommit<T>,
  begunAt: number,
): Promise<AttemptOutcome<T>> {
  const identity = await scope.transaction.identity();
  switch (await resolveOutcome(pool, identity, begunAt)) {
    case 'committed':
      return { kind: 'committed', value, effects: scope.effectsAfterCommit };
    case 'not committed': {
      const outcome = rolledBack(scope, scope.transaction.abortedBy ?? translateDatabaseError(error));
      return outcome.kind === 'rolled back' && isConnectionLoss(error) && !scope.transaction.abortedBy
        ? { ...outcome, again: 'after a pause' }
        : outcome;
    }
    case undefined:
      return { kind: 'unknown', error: new CommitOutcomeUnknownError(identity.xid ?? undefined, error) };
  }
}

function rolledBack(scope: Scope, error: unknown): Exclude<AttemptOutcome<never>, { kind: 'committed' }> {
  scope.restore();
  if (scope.transaction.hasWrittenAlone) {
    return { kind: 'unknown', error: new BeginFailedError(scope.transaction.beginFailure) };
  }
  const { abortedBy, mustRetry, hasBegunInVain } = scope.transaction;
  const reason = mustRetry ?? error;
  const isAtOnce = reason instanceof PrecautionNeededError || hasBegunInVain;
  const isRetried = isAtOnce || (reason instanceof BellwetherError && reason.recovery === 'retry-transaction');
  const again = isRetried && !abortedBy && (isAtOnce ? 'at once' : 'after a pause');
  const queues = scope.transaction.learnFrom(abortedBy ?? reason);
  // What would have been run again has not failed: it was called off.
  const told = isRetried && abortedBy ? abortedBy : error;
  return { kind: 'rolled back', error: told, again, queues, effects: scope.effectsAfterRollback };
}
