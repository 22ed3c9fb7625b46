import { STATE } from '../attributes/record-state';
import { associationOf } from '../associations/any';
import { handleOf } from '../associations/handles';
import type { ModelSchema } from '../schema/model-schema';
import { modelRegistry } from '../schema/registry';
import { assign } from './record';
import type { RecordObject } from './record';

/** Gives a model's prototype an accessor for each attribute and each association. */
export function defineAccessors(schema: ModelSchema): void {
  const { prototype } = schema.model as unknown as { prototype: object };
  for (const column of schema.columns) {
    define(prototype, column.property, reader(column.property, column.isNullable), (record, value) =>
      assign(record, column.property, value),
    );
  }
  for (const property of schema.virtuals) {
    define(prototype, property, reader(property, false), (record, value) => assign(record, property, value));
  }
  for (const { property } of [
    ...schema.facts('association'),
    ...schema.facts('polymorphic'),
    ...schema.facts('through'),
  ]) {
    define(prototype, property, (record) => handleOf(record, associationOf(schema, property)!));
  }
}

function define(
  prototype: object,
  property: string,
  read: (record: RecordObject) => unknown,
  write?: (record: RecordObject, value: unknown) => void,
): void {
  Object.defineProperty(prototype, property, {
    configurable: true,
    enumerable: true,
    get(this: RecordObject) {
      return read(this);
    },
    ...(write && {
      set(this: RecordObject, value: unknown) {
        write(this, value);
      },
    }),
  });
}

/** Generated, so that the property is a constant in the compiled code of each. */
function reader(property: string, isNullable: boolean): (record: RecordObject) => unknown {
  const name = JSON.stringify(property);
  const value = `(${name} in state.assigned ? state.assigned[${name}] : state.stored[${name}])`;
  const source = `return (record) => { const state = record[STATE]; return ${value}${isNullable ? ' ?? null' : ''}; };`;
  // The source is made of a property name quoted as JSON: no data gets into it.
  // eslint-disable-next-line @typescript-eslint/no-implied-eval
  return (new Function('STATE', source) as (key: symbol) => (record: RecordObject) => unknown)(STATE);
}

modelRegistry.onSeal(defineAccessors);
