import { groupBy } from '../core/group-by';
import type { Inclusion } from '../query/included';
import type { Query } from '../query/query';
import { readTogether } from '../transaction/flight';
import type { Association } from './association';
import { joiningProperty, joiningValue } from './association';
import { handleOf } from './handles';
import type { AnyAssociation } from './any';
import type { PolymorphicParent } from './polymorphic';
import { inverseOf, referredBy } from './polymorphic';
import { refined } from './refined';
import { targetsOf } from './targets';
import { loadThrough } from './through';

/**
 * Loads an association for all owners with one query, however many there are; a polymorphic one with one for each
 * model that is referred to, and one through another with two. With none when no owner has a key.
 *
 * @param refine what is wanted of the records at the other end; a limit counts for each owner by itself
 */
export async function preload(
  owners: readonly object[],
  association: AnyAssociation,
  refine: Inclusion['refine'],
): Promise<void> {
  if (association.kindOf === 'through') {
    const recordsOf = await loadThrough(owners, association, refined(association, association.source.target, refine));
    for (const owner of owners) handleOf(owner, association).fill(recordsOf(owner));
  } else if (association.kindOf === 'polymorphic') await preloadEachModel(owners, association, refine);
  else await preloadAll(owners, association, refined(association, association.target, refine));
}

async function preloadEachModel(
  owners: readonly object[],
  parent: PolymorphicParent,
  refine: Inclusion['refine'],
): Promise<void> {
  const byModel = [...groupBy(owners, (owner) => referredBy(parent, owner))];
  await readTogether(
    byModel.map(([association, referring]) => async () => {
      if (association) await preloadAll(referring, association, refined(parent, association.target, refine));
      else for (const owner of referring) handleOf(owner, parent).fill(null);
    }),
  );
}

async function preloadAll(owners: readonly object[], association: Association, wanted: Query<object>): Promise<void> {
  const keys = [...new Set(owners.map((owner) => joiningValue(association, owner)))].filter((key) => key !== null);
  const found = keys.length === 0 ? [] : await targets(association, keys, wanted);
  const property = joiningProperty(association);
  const byKey = groupBy(found, (record) => (record as Record<string, unknown>)[property]);
  const inverse = inverseOf(association);
  for (const owner of owners) {
    const records = byKey.get(joiningValue(association, owner)) ?? [];
    const isMany = association.kindOf === 'hasMany';
    handleOf(owner, association).fill(isMany ? Object.freeze(records) : (records[0] ?? null));
    if (inverse) for (const record of records) handleOf(record, inverse).fill(owner);
  }
}

async function targets(
  association: Association,
  keys: readonly unknown[],
  wanted: Query<object>,
): Promise<readonly object[]> {
  const { kindOf, owner, target, foreignKey } = association;
  const inOrder = wanted.order(target.primaryKey.property as never);
  const { limit, offset, order } = wanted.plan;
  const isFirst = kindOf === 'hasOne' && order.length > 0; // of several there may be, the first in this order
  if (limit === undefined && offset === undefined && !isFirst) return targetsOf(association, keys, inOrder);
  const { primaryKey: ownerColumn } = owner;
  const encoded = keys.map((key) => ownerColumn.type.encode(key));
  const perOwner = { owner, ownerColumn, keys: encoded, column: foreignKey.name };
  const limited = isFirst ? inOrder.limit(Math.min(limit ?? 1, 1)) : inOrder;
  const found = await targetsOf(association, 'any', limited).perOwner(perOwner);
  return found.map(({ record }) => record);
}
