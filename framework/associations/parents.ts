import type { RecordState } from '../attributes/record-state';
import type { ModelSchema } from '../schema/model-schema';
import type { Problem } from '../validation/errors';
import type { Association } from './association';
import { parentsOf } from './association';
import { handleOf } from './handles';
import { recordModelOf } from './record-model';

const MUST_EXIST = { code: 'required', message: 'must exist' } as const;

/** The required parents for which no key is given. */
export function missingParents(schema: ModelSchema, state: RecordState): Problem[] {
  return parentsOf(schema)
    .filter(({ isOptional, foreignKey }) => !isOptional && (state.get(foreignKey.property) ?? null) === null)
    .map(({ property }) => ({ attribute: property, ...MUST_EXIST }));
}

/** The parents that a write refers to anew: they must be there, and stay until it is committed. */
export function referredParents(schema: ModelSchema, state: RecordState): Association[] {
  return parentsOf(schema).filter(({ foreignKey }) => (state.assigned[foreignKey.property] ?? null) !== null);
}

/** Takes over the keys of parents that were assigned before they were saved. */
export function adoptParentKeys(
  schema: ModelSchema,
  record: object,
  assign: (property: string, key: unknown) => void,
): void {
  for (const association of parentsOf(schema)) {
    const handle = handleOf(record, association);
    if (!handle.isLoaded || handle.value === null) continue;
    const key = (handle.value as Record<string, unknown>)[association.target.primaryKey.property];
    const held = (record as Record<string, unknown>)[association.foreignKey.property];
    if (key === undefined || (held !== null && held !== undefined)) continue;
    const parent = handle.value;
    assign(association.foreignKey.property, key);
    handle.fill(parent); // a new key makes the handle forget; this one is its parent's own
  }
}

/** Which of the parents are not there, found out one by one after a write that met with that. */
export async function absentParents(parents: readonly Association[], state: RecordState): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const { property, target, foreignKey } of parents) {
    const condition = { [target.primaryKey.property]: state.get(foreignKey.property) };
    const isThere = await recordModelOf(target)
      .query()
      .where(condition as never)
      .exists();
    if (!isThere) problems.push({ attribute: property, ...MUST_EXIST });
  }
  return problems;
}

/** Which association a violated foreign key belongs to. */
export function problemOfForeignKey(schema: ModelSchema, columns: readonly string[]): Problem | undefined {
  const association = parentsOf(schema).find(
    ({ foreignKey }) => columns.length === 1 && columns[0] === foreignKey.name,
  );
  return association && { attribute: association.property, ...MUST_EXIST };
}
