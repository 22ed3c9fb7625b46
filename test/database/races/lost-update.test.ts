import { Column, Id, Model, StaleRecordError, Table } from 'bellwether';
import type { Database, IsolationLevel } from 'bellwether';
import { errorOf, setUp } from '../transaction/support';

@Table('counters')
class Counter extends Model {
  @Id('integer') declare id: number;
  @Column('integer') declare value: number;
}

const { database, db, open } = setUp('create table counters (id int primary key, value int not null)');
beforeEach(() => database().pool.query('truncate counters; insert into counters values (1, 0)'));
const stored = async () =>
  (await database().pool.query<{ value: number }>('select value from counters')).rows[0]?.value;

const CALLERS = 16;
const ROUNDS = 12;

/** Finds, changes and saves over and over. @returns how many saves were acknowledged, and how many refused */
async function race(on: Database, run: (step: () => Promise<unknown>) => Promise<unknown>) {
  const count = { acknowledged: 0, stale: 0 };
  const caller = async () => {
    for (let round = 0; round < ROUNDS; round++) {
      try {
        await run(async () => {
          const counter = await Counter.find(1);
          counter.value += 1;
          await counter.save();
        });
        count.acknowledged += 1;
      } catch (error) {
        if (!(error instanceof StaleRecordError)) throw error;
        count.stale += 1;
      }
    }
  };
  await on.use(() => Promise.all(Array.from({ length: CALLERS }, caller)));
  return count;
}

const LEVELS = ['read committed', 'repeatable read', 'serializable'] as const;
const WAYS: [level: IsolationLevel, inTransaction: boolean][] = LEVELS.flatMap((level) => [
  [level, true],
  [level, false],
]);
test.each(WAYS)('%s, in a transaction: %s: every save counts or is refused as stale', async (isolation, inside) => {
  const pool = await open({ poolSize: CALLERS, isolation });
  const { acknowledged, stale } = await race(pool, (step) => (inside ? pool.transaction(step) : step()));
  expect(acknowledged + stale).toBe(CALLERS * ROUNDS);
  expect(acknowledged).toBeGreaterThan(0);
  expect(await stored()).toBe(acknowledged);
  // Where PostgreSQL itself refuses, the runner tries again until it is not stale.
  if (inside && isolation !== 'read committed') expect(stale).toBe(0);
});

test('two instances of one row inside one transaction: the second save is refused, the first one counts', async () => {
  await db().transaction(async () => {
    const [one, other] = [await Counter.find(1), await Counter.find(1)];
    await one.update({ value: 1 });
    const between = await Counter.find(1);
    await one.update({ value: 2 }); // the same transaction wrote the row twice: same xmin, another version
    expect(await errorOf(between.update({ value: 20 }))).toMatchObject({ code: 'E_STALE_RECORD' });
    expect(await errorOf(other.update({ value: 10 }))).toMatchObject({
      code: 'E_STALE_RECORD',
      details: { isGone: false },
    });
  });
  expect(await stored()).toBe(2);
});

test.each<[what: string, write: () => Promise<unknown>, isGone: boolean]>([
  ['updateAll', () => Counter.where({ id: 1 }).updateAll({ value: 5 }), false],
  ['increment', () => Counter.where({ id: 1 }).increment({ value: 5 }), false],
  ['raw SQL', () => database().pool.query('update counters set value = 5'), false],
  ['another instance', () => Counter.find(1).then((other) => other.update({ value: 5 })), false],
  ['deleteAll', () => Counter.where({ id: 1 }).deleteAll(), true],
  ['destroy', () => Counter.find(1).then((other) => other.destroy()), true],
])('after %s, a save and a destroy are refused as stale; gone: %p', async (_what, write, isGone) => {
  for (const isInside of [false, true]) {
    const body = async () => {
      const counter = await Counter.find(1);
      await (isInside ? db().outsideTransaction(write) : write());
      return counter;
    };
    const seen = await body();
    const expected = { code: 'E_STALE_RECORD', recovery: 'reload', details: { model: 'Counter', key: '1', isGone } };
    const run = (step: () => Promise<unknown>) => errorOf(isInside ? db().transaction(step) : step());
    expect(await run(() => seen.update({ value: 99 }))).toMatchObject(expected);
    expect(await run(() => seen.destroy())).toMatchObject(expected);
    expect(await stored()).toBe(isGone ? undefined : 5);
    await database().pool.query('truncate counters; insert into counters values (1, 0)');
  }
});

test('a row that is locked and updated by another is waited for, then refused', async () => {
  for (const isolation of LEVELS) {
    await database().pool.query('update counters set value = 0');
    const counter = await db().use(() => Counter.find(1));
    const holder = await database().pool.connect();
    await holder.query('begin; update counters set value = 7');
    const saving = errorOf(db().transaction({ isolation }, () => counter.update({ value: 1 })));
    await holder.query('commit');
    holder.release();
    expect(await saving).toMatchObject({ code: 'E_STALE_RECORD' });
    expect(await stored()).toBe(7);
  }
});
