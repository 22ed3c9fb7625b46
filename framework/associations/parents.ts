import type { RecordState, Stateful } from '../attributes/record-state';
import { STATE } from '../attributes/record-state';
import type { ModelSchema } from '../schema/model-schema';
import { ForeignKeyViolationError } from '../database/errors';
import { isAboutTable, violatedColumns } from '../validation/constraints';
import type { Problem } from '../validation/errors';
import type { Association } from './association';
import { parentsOf } from './association';
import { DependentRecordsError } from './errors';
import { handleOf } from './handles';
import type { PolymorphicParent } from './polymorphic';
import { narrowed, parentsFor, polymorphicParentsOf } from './polymorphic';

/** What is wrong with an association whose parent is not there, or not given. */
export const MUST_EXIST = { code: 'required', message: 'must exist' } as const;

/** The required parents for which no key is given, and those whose model nobody knows. */
function missingParents(schema: ModelSchema, state: RecordState): Problem[] {
  const isMissing = ({ isOptional, foreignKey }: Association) =>
    !isOptional && (state.get(foreignKey.property) ?? null) === null;
  const isUnclear = (parent: PolymorphicParent) => {
    const given = [parent.foreignKey, parent.foreignType].filter(
      ({ property }) => (state.get(property) ?? null) !== null,
    );
    if (given.length === 0) return !parent.isOptional;
    return given.length === 1 || narrowed(parent, state) === undefined;
  };
  const missing = [
    ...parentsOf(schema).filter(isMissing),
    ...[...polymorphicParentsOf(schema).values()].filter(isUnclear),
  ];
  return missing.map(({ property }) => ({ attribute: property, ...MUST_EXIST }));
}

/** A missing parent is a problem of the association, not of the attribute that would hold its key. */
export function withMissingParents(
  schema: ModelSchema,
  state: RecordState,
  problems: readonly Problem[],
): readonly Problem[] {
  const missing = missingParents(schema, state);
  if (missing.length === 0) return problems;
  const keys = keyAttributes(
    schema,
    missing.map(({ attribute }) => attribute),
  );
  return [...problems.filter(({ attribute, code }) => !(code === 'required' && keys.includes(attribute))), ...missing];
}

/** The parents that a write refers to anew: they must be there, and stay until it is committed. */
export function referredParents(schema: ModelSchema, state: RecordState): Association[] {
  return parentsFor(schema, state).filter(({ foreignKey, typeKey }) => {
    const isAnew = [foreignKey, typeKey?.column].some((column) => column && column.property in state.assigned);
    return isAnew && (state.get(foreignKey.property) ?? null) !== null;
  });
}

/** Takes over the keys of parents that were assigned before they were saved. */
export function adoptParentKeys(
  schema: ModelSchema,
  record: object,
  assign: (property: string, key: unknown) => void,
): void {
  for (const association of parentsFor(schema, (record as Stateful)[STATE])) {
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

/** The attributes that hold the keys of these associations. */
export function keyAttributes(schema: ModelSchema, properties: readonly string[]): string[] {
  const sole = parentsOf(schema).map(({ property, foreignKey }) => [property, foreignKey.property]);
  const polymorphic = [...polymorphicParentsOf(schema).values()].flatMap(({ property, foreignKey, foreignType }) => [
    [property, foreignKey.property],
    [property, foreignType.property],
  ]);
  return [...sole, ...polymorphic].filter(([property]) => properties.includes(property!)).map(([, key]) => key!);
}

/** Which association a violated foreign key belongs to. */
export function problemOfForeignKey(schema: ModelSchema, columns: readonly string[]): Problem | undefined {
  const association = parentsOf(schema).find(
    ({ foreignKey }) => columns.length === 1 && columns[0] === foreignKey.name,
  );
  return association && { attribute: association.property, ...MUST_EXIST };
}

/**
 * The refusal of a foreign key on the side of the parent: rows of the model's table refer to one that was to go.
 *
 * @param schema of the referring side
 * @returns any other error as it is
 */
export function referrersProblem(schema: ModelSchema, error: unknown): unknown {
  if (!(error instanceof ForeignKeyViolationError)) return error;
  const [referred] = violatedColumns(error);
  const parent = parentsOf(schema).find(({ target }) => target.primaryKey.name === referred);
  return parent ? new DependentRecordsError(parent.target.name, `rows in "${schema.table}"`, error) : error;
}

/** Whether a foreign key refused that a row of the model goes or changes its key, since others refer to it. */
export function isStillReferredTo(schema: ModelSchema, error: unknown): error is ForeignKeyViolationError {
  if (!(error instanceof ForeignKeyViolationError)) return false;
  return !isAboutTable(schema, error) || violatedColumns(error)[0] === schema.primaryKey.name;
}
