import type { IsolationLevel } from '../theory/isolation';
import { runInScope } from './context';
import { currentSession } from './current';
import { ForeignTransactionError, NotATransactionError, TransactionEndedError } from './errors';
import { Transaction } from './transaction';

/**
 * Runs `body` in a transaction that was handed over, wherever it is called from. Beneath a savepoint of that
 * transaction it stays there.
 *
 * @throws NotATransactionError, ForeignTransactionError, TransactionEndedError or TransactionRequiredError for one
 * that is forged, of another database, over, or too weak
 */
export function runInside<T>(tx: Transaction, needed: IsolationLevel | undefined, body: () => T): T {
  const scope = Transaction.scopeOf(tx);
  if (!scope) throw new NotATransactionError();
  const session = currentSession();
  if (scope.transaction.owner !== session) throw new ForeignTransactionError();
  if (scope.isClosed) throw new TransactionEndedError('An operation was handed a transaction that has already ended.');
  if (needed !== undefined) tx.atLeast(needed);
  return session.scope?.isWithin(scope) ? body() : runInScope(scope, body);
}
