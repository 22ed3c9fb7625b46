import { frozenCopy } from '../attributes/deep-freeze';
import { RecordState, STATE } from '../attributes/record-state';
import type { Column, ModelSchema } from '../schema/model-schema';
import { assertNotShadowed, assignAll } from './record';
import type { RecordObject } from './record';

/**
 * The state that the record under construction is to have. It comes this way and not as an argument, so that
 * a model may have a constructor of its own, with parameters or without.
 */
let pending: RecordState | undefined;

export function takePendingState(): RecordState | undefined {
  const state = pending;
  pending = undefined;
  return state;
}

/** Of a record without a row: what its columns begin with. */
export function freshState({ columns }: ModelSchema): RecordState {
  const initial = columns.filter((column) => column.initial !== undefined);
  if (initial.length === 0) return RecordState.fresh();
  const value = ({ initial: make, type }: Column) => (type.isFrozen ? frozenCopy(make!()) : make!());
  return RecordState.fresh(Object.fromEntries(initial.map((column) => [column.property, value(column)])));
}

/** Makes the record of a row. */
export function instantiate(schema: ModelSchema, state: RecordState): object {
  pending = state;
  try {
    const record = new (schema.model as unknown as new () => RecordObject)();
    assertNotShadowed(schema, record);
    record[STATE] = state; // what a constructor of its own assigned was meant for new records
    return record;
  } finally {
    pending = undefined;
  }
}

/** Makes a record without a row. */
export function newRecord(schema: ModelSchema, values: object): object {
  const record = new (schema.model as unknown as new () => object)();
  assertNotShadowed(schema, record);
  assignAll(record as RecordObject, values);
  return record;
}
