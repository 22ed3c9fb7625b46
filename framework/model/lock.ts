import type { RecordState } from '../attributes/record-state';
import { STATE } from '../attributes/record-state';
import { hydratorOf } from '../attributes/hydrator';
import { forgetLoaded } from '../associations/handles';
import type { Condition } from '../query/conditions';
import { InvalidQueryError, RecordNotFoundError } from '../query/errors';
import type { Lock, LockStrength, LockWait } from '../query/plan';
import { lockOf, planFor } from '../query/plan';
import { runSelect } from '../query/run-select';
import type { ColumnType } from '../schema/column-types';
import type { ModelSchema } from '../schema/model-schema';
import { currentSession } from '../transaction/current';
import type { TransactionOptions } from '../transaction/options';
import { RecordChangedError, RecordDestroyedError, RecordNotSavedError } from './errors';
import { instantiate } from './instantiate';
import { enrol, schemaOfRecord } from './record';
import type { RecordObject } from './record';

/** How a row is locked, and the transaction that holds the lock. */
export interface WithLockOptions extends TransactionOptions {
  /** Default `for update`. */
  readonly strength?: LockStrength;
  /** Default: until it is there. */
  readonly wait?: RowWait;
}

/** What to do when somebody else has the row: one that is named cannot be skipped. */
export type RowWait = Exclude<LockWait, 'skip locked'>;

/** @throws InvalidQueryError */
export function rowLockOf(strength: LockStrength, wait: RowWait | undefined): Lock {
  if ((wait as LockWait | undefined) !== 'skip locked') return lockOf(strength, wait);
  throw new InvalidQueryError({
    what: 'A row that is asked for by its key cannot be skipped.',
    remedy: 'Use nowait or { timeoutMs }, and catch LockNotAvailableError.',
  });
}

/** Reads the row of a record again, locked where that is asked for, and forgets what was assigned or loaded. */
export async function readAgain(record: RecordObject, method: string, lock?: Lock): Promise<void> {
  const schema = schemaOfRecord(record);
  const key = storedKey(schema, record, method);
  const condition = { kind: 'compare', property: schema.primaryKey.property, operator: '=', value: key } as const;
  const session = currentSession();
  const { rows } = await runSelect(session, { ...planFor(schema), condition, lock }, { kind: 'records' });
  if (!rows[0]) throw new RecordNotFoundError(schema.name, schema.primaryKey.property);
  refresh(record, hydratorOf(schema)(rows[0] as string[]));
}

/** Locks the row of a record and reads it again. @throws RecordChangedError since that would lose what was assigned */
export async function lockRecord(record: RecordObject, lock: Lock): Promise<void> {
  assertUnchanged(schemaOfRecord(record), record, 'lock()');
  await readAgain(record, 'lock()', lock);
}

/**
 * Locks rows in the order of their primary key, whatever the order asked for: `order by` comes before the locks, and
 * a primary key does not change, so that no two of these wait for one another in a circle.
 *
 * @param items records, which are read again, or keys
 * @returns their records, in the order of `items`
 */
export async function lockRecords(schema: ModelSchema, items: readonly unknown[], lock: Lock): Promise<object[]> {
  const { property, type } = schema.primaryKey;
  const records = items.map((item) => (item instanceof schema.model ? (item as RecordObject) : undefined));
  const keys = items.map((item, index) => {
    const record = records[index];
    if (record) assertUnchanged(schema, record, 'lockAll()');
    return record ? storedKey(schema, record, 'lockAll()') : item;
  });
  if (keys.length === 0) return [];
  const condition: Condition = { kind: 'compare', property, operator: 'in', value: keys };
  const plan = { ...planFor(schema), condition, order: [{ property, direction: 'asc' }], lock } as const;
  const { rows } = await runSelect(currentSession(), plan, { kind: 'records' });
  const identity = identityIn(type);
  const states = rows.map((row) => hydratorOf(schema)(row as string[]));
  const found = new Map(states.map((state) => [identity(state.stored[property]), state]));
  if (keys.some((key) => !found.has(identity(key)))) throw new RecordNotFoundError(schema.name, property);
  const byKey = new Map<string, object>();
  records.forEach((record, index) => {
    if (!record) return;
    refresh(record, found.get(identity(keys[index]))!);
    byKey.set(identity(keys[index]), record);
  });
  return keys.map((key, index) => {
    const id = identity(key);
    if (!byKey.has(id)) byKey.set(id, instantiate(schema, found.get(id)!));
    return records[index] ?? byKey.get(id)!;
  });
}

/** Keys that PostgreSQL takes for the same are the same text. */
function identityIn(type: ColumnType): (key: unknown) => string {
  const isFolded = type.name === 'uuid' || type.name === 'citext';
  return (key) => (isFolded ? String(key).toLowerCase() : String(type.encode(key)));
}

function refresh(record: RecordObject, state: RecordState): void {
  enrol(currentSession().scope, record);
  record[STATE] = state;
  forgetLoaded(record);
}

function storedKey(schema: ModelSchema, record: RecordObject, method: string): unknown {
  const { persistence, stored } = record[STATE];
  if (persistence === 'new') throw new RecordNotSavedError(schema.name, method);
  if (persistence === 'destroyed') throw new RecordDestroyedError(schema.name, method);
  return stored[schema.primaryKey.property];
}

function assertUnchanged({ name }: ModelSchema, record: RecordObject, method: string): void {
  const names = Object.keys(record[STATE].assigned);
  if (record[STATE].persistence === 'stored' && names.length > 0) throw new RecordChangedError(name, method, names);
}
