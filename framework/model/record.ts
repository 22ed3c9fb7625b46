import type { Stateful } from '../attributes/record-state';
import { STATE } from '../attributes/record-state';
import { frozenCopy } from '../attributes/deep-freeze';
import { allAssociationsOf } from '../associations/any';
import { associationsOf, parentsOf } from '../associations/association';
import { BelongsToHandle, handleOf } from '../associations/handles';
import { polymorphicParentsOf } from '../associations/polymorphic';
import type { ModelSchema } from '../schema/model-schema';
import { modelRegistry } from '../schema/registry';
import { currentSessionIfAny } from '../transaction/current';
import type { Scope } from '../transaction/scope';
import { RecordErrors } from '../validation/errors';
import { ReadonlyAttributeError, ShadowedAttributeError, UnknownAttributeError } from './errors';

/** What the functions of this folder need of a record; the class itself is in `model.ts`. */
export type RecordObject = Stateful & object;

export function schemaOfRecord(record: object): ModelSchema {
  return modelRegistry.schemaOf(record.constructor as never);
}

/** Keeps the way back to the state that the record has now, for the case that `scope` is undone. */
export function enrol(scope: Scope | undefined, record: RecordObject): void {
  if (scope === undefined || scope.isClosed) return;
  const before = record[STATE];
  scope.enrol(record, () => {
    record[STATE] = before;
  });
}

/** Assigns one attribute; tracked, and put back if the transaction around it is undone or run again. */
export function assign(record: RecordObject, property: string, value: unknown): void {
  const schema = schemaOfRecord(record);
  const column = schema.column(property);
  if (column?.isVersion) throw new ReadonlyAttributeError(schema.name, property);
  const scope = currentSessionIfAny()?.scope;
  if (scope !== undefined && !scope.wasBornHere(record)) enrol(scope, record);
  const kept = column?.type.isFrozen ? frozenCopy(value) : value;
  record[STATE] = record[STATE].with(property, kept);
  forgetParentOf(schema, record, property);
}

/** Assigns attributes, and parents by record or key. @throws UnknownAttributeError naming all that are unknown */
export function assignAll(record: RecordObject, values: object): void {
  const schema = schemaOfRecord(record);
  const associations = associationsOf(schema);
  const polymorphic = polymorphicParentsOf(schema);
  const unknown = Object.keys(values).filter((name) => {
    const isAttribute = schema.column(name) !== undefined || schema.virtuals.includes(name);
    return !isAttribute && associations.get(name)?.kindOf !== 'belongsTo' && !polymorphic.has(name);
  });
  if (unknown.length > 0) throw new UnknownAttributeError(schema.name, unknown, assignableNames(schema));
  for (const [name, value] of Object.entries(values) as [string, unknown][]) {
    const parent = associations.get(name) ?? polymorphic.get(name);
    if (value === undefined) continue;
    if (!parent) assign(record, name, value);
    else if (parent.kindOf === 'polymorphic' || value === null || typeof value === 'object')
      (handleOf(record, parent) as BelongsToHandle).set(value);
    else assign(record, parent.foreignKey.property, value);
  }
}

function assignableNames(schema: ModelSchema): string[] {
  return [...schema.columns, ...parentsOf(schema), ...polymorphicParentsOf(schema).values()]
    .map(({ property }) => property)
    .concat(schema.virtuals);
}

/** What was loaded for the old key is not what the new one refers to. */
function forgetParentOf(schema: ModelSchema, record: RecordObject, property: string): void {
  for (const association of parentsOf(schema)) {
    if (association.foreignKey.property === property) handleOf(record, association).forget();
  }
  for (const parent of polymorphicParentsOf(schema).values()) {
    const isIts = [parent.foreignKey, parent.foreignType].some((column) => column.property === property);
    if (isIts) handleOf(record, parent).forget();
  }
}

BelongsToHandle.assignKey = (record, property, value) => assign(record as RecordObject, property, value);

const errors = new WeakMap<object, RecordErrors>();

export function errorsOf(record: object): RecordErrors {
  let found = errors.get(record);
  if (!found) errors.set(record, (found = new RecordErrors()));
  return found;
}

const sound = new WeakSet<ModelSchema>();

/** Looks at the first record of each model for class fields that hide attributes. */
export function assertNotShadowed(schema: ModelSchema, record: object): void {
  if (sound.has(schema)) return;
  const names = [...schema.columns.map((column) => column.property), ...schema.virtuals];
  const associations = [...allAssociationsOf(schema).keys()];
  const shadowed = [...names, ...associations].filter((name) => Object.hasOwn(record, name));
  if (shadowed.length > 0) throw new ShadowedAttributeError(schema.name, shadowed);
  sound.add(schema);
}
