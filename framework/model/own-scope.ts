import { runInScope } from '../transaction/context';
import type { Scope } from '../transaction/scope';
import type { Session } from '../transaction/session';

/**
 * A transaction in which a row that was waited for is followed by a look at what belongs to it as it is then.
 *
 * That is what `read committed` does. Inside a transaction that runs already its level decides: see `seeAll`. The
 * lock of the row then keeps out all that would come to belong to it.
 */
export function inLockingScope<T>(session: Session, body: (scope: Scope) => Promise<T>): Promise<T> {
  if (session.scope) return inOwnScope(session, body);
  return session.transaction({ isolation: 'read committed' }, () => body(session.scope!));
}

/** Runs `body` in a transaction; in the one around it, if any, so that its failure undoes `body` alone. */
export function inOwnScope<T>(session: Session, body: (scope: Scope) => Promise<T>): Promise<T> {
  const { scope } = session;
  if (scope) return scope.savepoint((child) => runInScope(child, () => body(child)));
  return session.transaction({}, () => body(session.scope!));
}
