import type { AtLeast, IsolationLevel } from '../theory/isolation';
import { runWith, surroundings } from './surroundings';
import { NotConnectedError, TransactionRequiredError } from './errors';
import type { Session } from './session';
import { Transaction } from './transaction';

declare module './surroundings' {
  interface Surroundings {
    /** The database that model calls go to; without it, the default. */
    readonly session?: Session;
  }
}

let byDefault: Session | undefined;

/** The database that model calls of the running code go to. @throws NotConnectedError when there is none */
export function currentSession(): Session {
  const session = currentSessionIfAny();
  if (!session) throw new NotConnectedError();
  return session;
}

/** Like {@link currentSession}, for those that can do without. */
export function currentSessionIfAny(): Session | undefined {
  return surroundings().session ?? byDefault;
}

/** Sends the model calls of `body`, and of all that it starts, to `session`. */
export function runWithSession<T>(session: Session, body: () => T): T {
  return runWith({ session }, body);
}

/** The first database that is connected serves all model calls that {@link runWithSession} sends nowhere else. */
export function offerAsDefault(session: Session): void {
  byDefault ??= session;
}

export function withdrawAsDefault(session: Session): void {
  if (byDefault === session) byDefault = undefined;
}

/** {@link currentTransaction} where there must be one. @throws TransactionRequiredError without, or with a weaker one */
export function currentTransaction<L extends IsolationLevel>(level: L): Transaction<AtLeast<L>>;
/**
 * The transaction around the running code, if there is one: for operations that are declared to run in one and are
 * not handed it, as in `currentTransaction()?.afterCommit(…)`.
 */
export function currentTransaction(): Transaction | undefined;
export function currentTransaction(level?: IsolationLevel): Transaction | undefined {
  const scope = currentSessionIfAny()?.scope;
  const transaction = scope && !scope.isClosed ? new Transaction(scope) : undefined;
  if (level === undefined) return transaction;
  if (!transaction) throw new TransactionRequiredError(level, undefined);
  return transaction.atLeast(level);
}
