import type { RecordState } from '../attributes/record-state';
import { STATE } from '../attributes/record-state';
import { allAssociationsOf, associationOf } from '../associations/any';
import { parentsOf } from '../associations/association';
import type { PolymorphicParent } from '../associations/polymorphic';
import { modelNames, towardsRecord } from '../associations/polymorphic';
import { preload } from '../associations/preload';
import { DependentRecordsError } from '../associations/errors';
import { isStillReferredTo, problemOfForeignKey } from '../associations/parents';
import type { RecordModel } from '../associations/record-model';
import { provideRecordModel } from '../associations/record-model';
import type { Condition } from '../query/conditions';
import { and, equals, or } from '../query/conditions';
import { columnOf } from '../query/condition-sql';
import { InvalidOperandError, InvalidQueryError } from '../query/errors';
import type { Inclusion } from '../query/included';
import type { SelectPlan } from '../query/plan';
import { planFor } from '../query/plan';
import { Query } from '../query/query';
import type { BuildWrite } from '../query/source';
import { isReading } from '../query/reading';
import type { Assignment, RowReference } from '../query/statements';
import type { ModelSchema } from '../schema/model-schema';
import { modelRegistry } from '../schema/registry';
import { readTogether } from '../transaction/flight';
import { asValidationError } from '../validation/constraints';
import { ReadonlyAttributeError } from './errors';
import { instantiate, newRecord } from './instantiate';
import { destroyRecord } from './destroy';
import { assertThere, deleteUnclaimed, parentsIn } from './past-records';
import type { RecordObject } from './record';
import { saveRecord } from './save';
import { writeThroughQuery } from './write-query';

/** Binds one model's class to the folders that know its schema only. */
class BoundModel implements RecordModel {
  readonly #schema: ModelSchema;

  constructor(schema: ModelSchema) {
    this.#schema = schema;
  }

  query(): Query<object> {
    return new Query<object>(this, planFor(this.#schema));
  }

  build(values: object): object {
    return newRecord(this.#schema, values);
  }

  save(record: object): Promise<void> {
    return saveRecord(record as RecordObject, {});
  }

  destroy(record: object): Promise<void> {
    return destroyRecord(record as RecordObject, {});
  }

  instantiate(state: RecordState): object {
    return instantiate(this.#schema, state);
  }

  async preload(records: readonly object[], inclusions: readonly Inclusion[]): Promise<void> {
    const refinements = new Map(inclusions.map(({ name, refine }) => [name, refine]));
    const reads = [...refinements].map(([name, refine]) => {
      const association = associationOf(this.#schema, name)!;
      return () => preload(records, association, refine);
    });
    await readTogether(reads);
  }

  assertAssociation(name: string): void {
    if (associationOf(this.#schema, name)) return;
    const associations = [...allAssociationsOf(this.#schema).keys()];
    throw new InvalidQueryError({
      what: `${this.#schema.name} has no association "${name}".`,
      remedy: associations.length > 0 ? `Use one of ${associations.join(', ')}.` : 'It has none at all.',
      details: { model: this.#schema.name, name },
    });
  }

  conditionOf(conditions: object): Condition {
    const parts = Object.entries(conditions).map(([name, value]): Condition => {
      const parent = associationOf(this.#schema, name);
      if (parent?.kindOf === 'polymorphic') return isOneOf(parent, Array.isArray(value) ? value : [value]);
      if (parent?.kindOf !== 'belongsTo') {
        return equality(name, value, columnOf(this.#schema, name).type.name.endsWith('[]'));
      }
      const keyOf = (item: unknown): unknown => keyBehind(item, parent.target);
      const key = Array.isArray(value) ? value.map(keyOf) : keyOf(value);
      return equality(parent.foreignKey.property, key, false);
    });
    return parts.length === 1 ? parts[0]! : and(parts);
  }

  write(plan: SelectPlan, assignments: readonly Assignment[], build: BuildWrite): Promise<number> {
    return writeThroughQuery(plan, assignments, build);
  }

  explain(refusal: unknown): unknown {
    const known = asValidationError(this.#schema, refusal, problemOfForeignKey);
    return isStillReferredTo(this.#schema, known)
      ? new DependentRecordsError(this.#schema.name, `rows in "${known.details.table}"`, known)
      : known;
  }

  deleting(plan: SelectPlan, remove: (plan: SelectPlan) => Promise<number>): Promise<number> {
    return deleteUnclaimed(this, plan, remove);
  }

  async updating(
    assignments: readonly Assignment[],
    update: (references: readonly RowReference[]) => Promise<number>,
  ): Promise<number> {
    const parents = parentsIn(this.#schema, assignments);
    const changed = await update(parents);
    if (changed === 0 && parents.length > 0) await assertThere(this.#schema, parents);
    return changed;
  }

  assertAssignable(assignments: readonly Assignment[]): void {
    for (const { property, how, value } of assignments) {
      const column = columnOf(this.#schema, property);
      if (how !== 'set' && parentsOf(this.#schema).some(({ foreignKey }) => foreignKey === column))
        throw new InvalidOperandError(this.#schema.name, property, 'is the key of a parent; set it with updateAll');
      if (how !== 'set' && !NUMBERS.includes(column.type.name))
        throw new InvalidOperandError(this.#schema.name, property, 'is no number, so nothing can be added to it');
      if (column.isVersion) throw new ReadonlyAttributeError(this.#schema.name, property);
      if (how !== 'add' && isReading(this.#schema, property))
        throw new InvalidOperandError(
          this.#schema.name,
          property,
          'is spread over slots; decrement it record by record',
        );
      if (column.isGenerated)
        throw new InvalidOperandError(this.#schema.name, property, 'is filled in by the database');
      const refusal = value === null && column.isNullable && how === 'set' ? undefined : column.type.refusal(value);
      if (refusal !== undefined) throw new InvalidOperandError(this.#schema.name, property, refusal);
    }
  }
}

const NUMBERS: readonly string[] = ['smallint', 'integer', 'bigint', 'real', 'double precision', 'numeric'];

/** A list means any of its members; for an attribute that is a list itself, only a list of lists does. */
function equality(property: string, value: unknown, isListed: boolean): Condition {
  const compare = (operator: '=' | 'in', item: unknown) =>
    ({ kind: 'compare', property, operator, value: item }) as const;
  if (!Array.isArray(value)) return compare('=', value);
  if (!isListed) return compare('in', value);
  const isListOfLists = value.length > 0 && value.every((item) => Array.isArray(item));
  return isListOfLists ? or(value.map((item) => compare('=', item))) : compare('=', value);
}

/** A record stands for its model's name and its key; null for none. */
function isOneOf(parent: PolymorphicParent, records: readonly unknown[]): Condition {
  const alternatives = records.map((record) => {
    if (record === null) return equals(parent.foreignKey.property, null);
    const association = towardsRecord(parent, record);
    if (!association) {
      throw new InvalidQueryError({
        what: `A condition names something that is none of ${modelNames(parent).join(', ')}.`,
        remedy: `Give ${parent.property} a record of one of them; a key alone does not say of which it is.`,
      });
    }
    const { value } = association.typeKey!;
    const isIt = equals(parent.foreignKey.property, keyBehind(record, association.target));
    return and([equals(parent.foreignType.property, value), isIt]);
  });
  return alternatives.length === 1 ? alternatives[0]! : or(alternatives);
}

/** A record stands for its key. */
function keyBehind(item: unknown, { primaryKey, name, model }: ModelSchema): unknown {
  if (typeof item !== 'object' || item === null || !(STATE in item)) return item;
  if (!(item instanceof model)) {
    throw new InvalidQueryError({
      what: `A condition names a ${item.constructor.name} where a ${name} belongs.`,
      remedy: `Give a ${name}, or its key.`,
    });
  }
  const key = (item as RecordObject)[STATE].get(primaryKey.property);
  if (key !== undefined && key !== null) return key;
  throw new InvalidQueryError({
    what: `A condition names a ${name} that has not been saved, so nothing can refer to it.`,
    remedy: 'Save it first.',
  });
}

modelRegistry.onSeal((schema) => provideRecordModel(schema, new BoundModel(schema)));
