import { runInScope } from '../transaction/context';
import type { Scope } from '../transaction/scope';
import type { Session } from '../transaction/session';

/** Runs `body` in a transaction; in the one around it, if any, so that its failure undoes `body` alone. */
export function inOwnScope<T>(session: Session, body: (scope: Scope) => Promise<T>): Promise<T> {
  const { scope } = session;
  if (scope) return scope.savepoint((child) => runInScope(child, () => body(child)));
  return session.transaction({}, () => body(session.scope!));
}
