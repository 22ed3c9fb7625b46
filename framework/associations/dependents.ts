import type { Association } from './association';
import { associationsOf, joiningValue } from './association';
import { DependentRecordsError } from './errors';
import { handleOf } from './handles';
import { recordModelOf } from './record-model';
import type { ModelSchema } from '../schema/model-schema';

/** How many records are read at a time, to be destroyed one by one. */
const BATCH = 500;

/** The associations whose records are looked after when the owner is destroyed. */
export function dependentsOf(schema: ModelSchema): readonly Association[] {
  return [...associationsOf(schema).values()].filter(({ dependent }) => dependent !== undefined);
}

/**
 * Does to the records that depend on `owner` what is declared. The owner's row must be locked `for update`
 * before: then no more can come to belong to it, since saving one locks its parent `for key share`.
 *
 * @throws DependentRecordsError where `restrict` is declared and there are any
 */
export async function settleDependents(schema: ModelSchema, owner: object): Promise<void> {
  const dependents = dependentsOf(schema);
  // What refuses comes first, so that nothing is undone for a destroy that cannot be.
  for (const association of dependents.filter(({ dependent }) => dependent === 'restrict')) {
    if (await handleOf(owner, association).query().exists()) {
      throw new DependentRecordsError(schema.name, association.property);
    }
  }
  for (const association of dependents) await settle(association, owner);
}

async function settle(association: Association, owner: object): Promise<void> {
  const model = recordModelOf(association.target);
  const key = joiningValue(association, owner);
  const all = model.query().where({ [association.foreignKey.property]: key } as never);
  switch (association.dependent) {
    case 'delete':
      await all.deleteAll();
      return;
    case 'nullify':
      await all.updateAll({ [association.foreignKey.property]: null });
      return;
    case 'destroy':
      for (;;) {
        const batch = await all.order(association.target.primaryKey.property as never).limit(BATCH);
        for (const record of batch) await model.destroy(record);
        if (batch.length < BATCH) return;
      }
  }
}
