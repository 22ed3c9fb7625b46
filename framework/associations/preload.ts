import { groupBy } from '../core/group-by';
import type { Association } from './association';
import { inverseOf, joiningProperty, joiningValue } from './association';
import { handleOf } from './handles';
import { recordModelOf } from './record-model';

/** Loads an association for all owners with one query, however many there are; with none when no owner has a key. */
export async function preload(owners: readonly object[], association: Association): Promise<void> {
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
  const { target } = association;
  return recordModelOf(target)
    .query()
    .where(joiningProperty(association) as never, 'in', keys as never)
    .order(target.primaryKey.property as never);
}
