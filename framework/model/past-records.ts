import type { Association } from '../associations/association';
import { parentsOf } from '../associations/association';
import { MUST_EXIST } from '../associations/parents';
import { polymorphicParentsOf } from '../associations/polymorphic';
import type { PolymorphicParent } from '../associations/polymorphic';
import { targetsOf } from '../associations/targets';
import { InvalidOperandError, InvalidQueryError } from '../query/errors';
import type { SelectPlan } from '../query/plan';
import { planFor } from '../query/plan';
import { Query } from '../query/query';
import type { RecordSource } from '../query/source';
import type { Assignment, RowReference } from '../query/statements';
import type { ModelSchema } from '../schema/model-schema';
import { currentSession } from '../transaction/current';
import { readTogether } from '../transaction/flight';
import { ValidationError } from '../validation/errors';
import type { Problem } from '../validation/errors';
import { inLockingScope } from './own-scope';
import { assertNone } from './settle-dependents';
import { seeAll, unkeyedClaims } from './unseen-children';

// What writes to many rows at once must not break, though no record is at hand and no callback is run.

/**
 * Deletes the rows of a plan. Those that others may refer to without a foreign key, as polymorphic associations do, are
 * locked, and looked at, first.
 *
 * @throws DependentRecordsError when others refer to one of them
 */
export async function deleteUnclaimed(
  source: RecordSource<object>,
  plan: SelectPlan,
  remove: (plan: SelectPlan) => Promise<number>,
): Promise<number> {
  const { schema } = plan;
  const session = currentSession();
  const claims = await unkeyedClaims(session, schema);
  if (claims.length === 0) return remove(plan);
  return inLockingScope(session, async (scope) => {
    await seeAll(session, scope, claims);
    const { property } = schema.primaryKey;
    const order = [{ property, direction: 'asc' } as const];
    const locking = new Query(source, { ...plan, order, lock: { strength: 'for update', wait: undefined } });
    const value: unknown[] = await locking.pluck(property as never);
    if (value.length === 0) return 0;
    await assertNone(
      schema,
      claims.map((association) => ({ association, records: targetsOf(association, value) })),
    );
    return remove({ ...planFor(schema), condition: { kind: 'compare', property, operator: 'in', value } });
  });
}

/** A parent that an update of many rows refers to. */
interface ParentReference extends RowReference {
  readonly association: Association;
  readonly given: unknown;
}

/** The parents to lock in the same statement, so that none goes meanwhile. */
export function parentsIn(schema: ModelSchema, assignments: readonly Assignment[]): ParentReference[] {
  const given = new Map(assignments.map(({ property, value }) => [property, value]));
  const polymorphic = [...polymorphicParentsOf(schema).values()];
  const associations = [...parentsOf(schema), ...polymorphic.flatMap((parent) => meant(parent, given) ?? [])];
  return associations.flatMap((association) => {
    const { foreignKey, target } = association;
    const key = given.get(foreignKey.property) ?? null;
    if (key === null) return [];
    const reference = { table: target.table, keyColumn: target.primaryKey.name, key: foreignKey.type.encode(key) };
    return [{ ...reference, association, given: key }];
  });
}

/** One of the two columns alone would say something else of each row. */
function meant(parent: PolymorphicParent, given: ReadonlyMap<string, unknown>): Association | undefined {
  const { owner, property, foreignKey, foreignType, towards } = parent;
  const has = [foreignKey, foreignType].filter((column) => given.has(column.property)).length;
  if (has === 0) return undefined;
  const [key, type] = [given.get(foreignKey.property) ?? null, given.get(foreignType.property) ?? null];
  if (has === 1 || (key === null) !== (type === null)) {
    throw new InvalidQueryError({
      what: `${owner.name}: ${foreignType.property} and ${foreignKey.property} say together what ${property} is.`,
      remedy: 'Set both, or null both.',
    });
  }
  if (type === null) return undefined;
  const association = towards.get(type as string);
  if (association) return association;
  throw new InvalidOperandError(owner.name, foreignType.property, `is none of ${[...towards.keys()].join(', ')}`);
}

/** After an update that changed no row: whether that is for want of a parent. @throws ValidationError if it is */
export async function assertThere(schema: ModelSchema, references: readonly ParentReference[]): Promise<void> {
  const isThere = await readTogether(
    references.map(
      ({ association, given }) =>
        () =>
          targetsOf(association, [given]).exists(),
    ),
  );
  const absent = references.filter((_, index) => !isThere[index]);
  const problems = absent.map(({ association }): Problem => ({ attribute: association.property, ...MUST_EXIST }));
  if (problems.length > 0) throw new ValidationError(schema.name, problems);
}
