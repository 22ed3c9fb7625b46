import { groupBy } from '../core/group-by';
import type { Association } from './association';
import { joiningProperty, joiningValue } from './association';
import { handleOf } from './handles';
import type { AnyAssociation } from './any';
import type { PolymorphicParent } from './polymorphic';
import { inverseOf, referredBy } from './polymorphic';
import { targetsOf } from './targets';
import { loadThrough } from './through';

/**
 * Loads an association for all owners with one query, however many there are; a polymorphic one with one for each
 * model that is referred to, and one through another with two. With none when no owner has a key.
 */
export async function preload(owners: readonly object[], association: AnyAssociation): Promise<void> {
  if (association.kindOf === 'through') {
    const recordsOf = await loadThrough(owners, association);
    for (const owner of owners) handleOf(owner, association).fill(recordsOf(owner));
  } else if (association.kindOf === 'polymorphic') await preloadEachModel(owners, association);
  else await preloadAll(owners, association);
}

async function preloadEachModel(owners: readonly object[], parent: PolymorphicParent): Promise<void> {
  for (const [association, referring] of groupBy(owners, (owner) => referredBy(parent, owner))) {
    if (association) await preloadAll(referring, association);
    else for (const owner of referring) handleOf(owner, parent).fill(null);
  }
}

async function preloadAll(owners: readonly object[], association: Association): Promise<void> {
  const keys = [...new Set(owners.map((owner) => joiningValue(association, owner)))].filter((key) => key !== null);
  const found = keys.length === 0 ? [] : await targets(association, keys);
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

async function targets(association: Association, keys: readonly unknown[]): Promise<object[]> {
  return targetsOf(association, keys).order(association.target.primaryKey.property as never);
}
