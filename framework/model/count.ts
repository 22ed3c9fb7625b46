import { hydratorOf } from '../attributes/hydrator';
import type { AttributeName } from '../attributes/types';
import { isSame, RecordState, STATE } from '../attributes/record-state';
import { changeCounter } from '../consistency/counter';
import type { CounterChange, Way } from '../consistency/counter-change';
import { counterChange } from '../consistency/counter-change';
import type { ModelSchema } from '../schema/model-schema';
import { currentSession } from '../transaction/current';
import { RecordDestroyedError, RecordNotSavedError } from './errors';
import { enrol, schemaOfRecord } from './record';
import type { RecordObject } from './record';

/** Names of the attributes that may be counters: whole numbers. */
export type CounterName<T extends object> = {
  [K in AttributeName<T>]: T[K] extends number | bigint ? K : never;
}[AttributeName<T>];

/** Changes a counter of the record's row, and has the record show what the row holds then. */
export async function changeRecordCounter(record: RecordObject, way: Way, name: string, by: unknown): Promise<void> {
  const schema = schemaOfRecord(record);
  const { persistence, stored } = record[STATE];
  if (persistence === 'new') throw new RecordNotSavedError(schema.name, `${way}()`);
  if (persistence === 'destroyed') throw new RecordDestroyedError(schema.name, `${way}()`);
  const session = currentSession();
  const change = counterChange(schema, stored[schema.primaryKey.property], way, name, by);
  enrol(session.scope, record);
  const row = await changeCounter(session, change);
  record[STATE] = row
    ? counted(schema, record[STATE], name, hydratorOf(schema)(row))
    : countedUnseen(record[STATE], change);
}

/** What the record showed, and the change: what others have changed meanwhile is not known. */
function countedUnseen(before: RecordState, { counter: { property }, way, by }: CounterChange): RecordState {
  const shown = before.stored[property] as number | bigint;
  const counted = way === 'increment' ? BigInt(shown) + by : BigInt(shown) - by;
  const value = typeof shown === 'bigint' ? counted : Number(counted);
  return new RecordState({ ...before.stored, [property]: value }, before.assigned, before.persistence, before.version);
}

/**
 * The record after its row was counted. It is up to date only if nothing but the counter differs from what was read:
 * else it stays at the version that it was read at, so that saving it is refused as stale, as it would have been.
 */
function counted(schema: ModelSchema, before: RecordState, name: string, row: RecordState): RecordState {
  const isUpToDate =
    !(name in before.assigned) &&
    schema.columns.every(({ property, isVersion }) => {
      const expected = before.stored[property];
      if (property === name) return true;
      return isVersion ? Number(row.stored[property]) === Number(expected) + 1 : isSame(row.stored[property], expected);
    });
  if (isUpToDate) return new RecordState({ ...before.stored, ...row.stored }, before.assigned, 'stored', row.version);
  return new RecordState(
    { ...before.stored, [name]: row.stored[name] },
    before.assigned,
    before.persistence,
    before.version,
  );
}
