import type { AttributeName } from '../attributes/types';
import { modelRegistry } from '../schema/registry';
import { currentSession } from '../transaction/current';
import { NoTransactionError } from '../transaction/errors';
import { touchGroups } from './touched-groups';

/**
 * Has the invariants over these attributes, and those over the whole table, checked before the commit. For rows that were
 * written by SQL of one's own, which the framework does not look into; of one that went from one group to another, both.
 *
 * @throws NoTransactionError outside of a transaction: the write has been committed already
 */
export function checkInvariants<T extends object>(
  model: abstract new (...args: never[]) => T,
  row: { readonly [K in AttributeName<T>]?: T[K] },
): void {
  const { scope } = currentSession();
  if (!scope) throw new NoTransactionError('checkInvariants(…)');
  scope.assertUsable();
  touchGroups(scope, modelRegistry.schemaOf(model), row);
}
