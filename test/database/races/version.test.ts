import { Column, Id, Model, StaleRecordError, Table, Version } from 'bellwether';
import type { IsolationLevel } from 'bellwether';
import { countingTrips, errorOf, setUp } from '../transaction/support';

@Table('counters')
class Counter extends Model {
  @Id('integer') declare id: number;
  @Column('integer') declare value: number;
  @Version() declare readonly version: number;
}

const { database, open } = setUp(
  'create table counters (id int primary key, value int not null, version int not null default 1)',
);
beforeEach(() => database().pool.query('truncate counters; insert into counters values (1, 0)'));
const stored = async () =>
  (await database().pool.query<{ value: number; version: number }>('select value, version from counters')).rows[0]!;

const CALLERS = 16;
const UPDATES = 640;

const LEVELS = ['read committed', 'repeatable read', 'serializable'] as const;
const WAYS = LEVELS.flatMap((level): [IsolationLevel, boolean][] => [
  [level, true],
  [level, false],
]);

test.each(WAYS)(
  '640 updates at %s, in a transaction: %s: every one counts or is refused',
  async (isolation, inside) => {
    const pool = await open({ poolSize: CALLERS, isolation });
    let acknowledged = 0;
    const step = async () => {
      const counter = await Counter.find(1);
      await counter.update({ value: counter.value + 1 });
    };
    const caller = async () => {
      for (let round = 0; round < UPDATES / CALLERS; round++) {
        try {
          await (inside ? pool.transaction(step) : step());
          acknowledged += 1;
        } catch (error) {
          if (!(error instanceof StaleRecordError)) throw error;
        }
      }
    };
    await pool.use(() => Promise.all(Array.from({ length: CALLERS }, caller)));
    expect(acknowledged).toBeGreaterThan(0);
    expect(await stored()).toEqual({ value: acknowledged, version: acknowledged + 1 });
    if (inside && isolation !== 'read committed') expect(acknowledged).toBe(UPDATES);
  },
);

test.each(LEVELS)('16 answers to one form at %s: one is taken, whenever the row was read', async (isolation) => {
  const pool = await open({ poolSize: CALLERS, isolation });
  const form = await pool.use(() => Counter.find(1));
  const answer = async (_: unknown, index: number) => {
    const counter = await Counter.find(1);
    await counter.update({ value: index + 100 }, { ifVersion: form.version });
  };
  const results = await pool.use(() => Promise.allSettled(Array.from({ length: CALLERS }, answer)));
  const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  expect(refused).toHaveLength(CALLERS - 1);
  for (const error of refused) expect(error).toMatchObject({ code: 'E_STALE_RECORD' });
  expect((await stored()).version).toBe(2);
});

test('two saves of one instance at once, for one version: the second is refused', async () => {
  const counter = await Counter.find(1);
  const [one, other] = await Promise.allSettled([
    counter.update({ value: 1 }, { ifVersion: 1 }),
    errorOf(counter.update({ value: 2 }, { ifVersion: 1 })),
  ]);
  expect(one.status).toBe('fulfilled');
  expect(other).toMatchObject({ value: { code: 'E_STALE_RECORD' } });
  expect((await stored()).version).toBe(2);
});

test('a save, a create and a destroy are one round trip, with a version as without', () =>
  countingTrips(database(), async (tripsOf) => {
    const record = await Counter.find(1);
    expect(await tripsOf(() => record.update({ value: 1 }, { ifVersion: 1 }))).toBe(1);
    expect(await tripsOf(() => Counter.create({ id: 2, value: 0 }))).toBe(1);
    expect(await tripsOf(() => errorOf(record.update({ value: 2 }, { ifVersion: 1 })))).toBe(0);
    expect(await tripsOf(() => record.destroy({ ifVersion: 2 }))).toBe(1);
  }));
