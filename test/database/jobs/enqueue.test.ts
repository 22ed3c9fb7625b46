import { enqueue, installJobs, job, sql } from 'bellwether';
import type { IsolationLevel } from 'bellwether';
import { barrier, countingTrips, errorOf, FAILURES, planFailures, reasonOf, setUp } from '../transaction/support';

const { database, db, open } = setUp(`create table sales (id int primary key); ${FAILURES}`);

const ringBell = job('ring-bell', { attempts: 12, priority: 3 }, (_payload: { saleId: string }) => Promise.resolve());
const forget = job('forget', { keepKeyForMs: 60_000 }, () => Promise.resolve());

beforeAll(() => installJobs(db()));
beforeEach(async () => {
  await database().pool.query(
    'truncate sales, planned, bellwether_jobs.keys; delete from graphile_worker._private_jobs',
  );
});

const QUEUED = `select j.id, t.identifier as name, j.payload, j.max_attempts, j.priority, j.key, j.attempts,
  round(extract(epoch from j.run_at - now())) as seconds from graphile_worker._private_jobs j
  join graphile_worker._private_tasks t on t.id = j.task_id order by j.id`;
const queued = async () => (await database().pool.query<Record<string, unknown>>(QUEUED)).rows;
const payloads = async () => (await queued()).map(({ payload }) => payload);
const sell = (id: number) => sql`insert into sales values (${id})`.execute(db().kysely());

test('outside of a transaction: one job, as declared, in one round trip', async () => {
  await countingTrips(database(), async (tripsOf) => {
    expect(await tripsOf(() => enqueue(ringBell, { saleId: '17' }))).toBe(1);
  });
  expect(await queued()).toEqual([
    expect.objectContaining({ name: 'ring-bell', payload: { saleId: '17' }, max_attempts: 12, priority: 3, key: null }),
  ]);
});

test('inside of one: in the same flight as the writes beside it, and workers hear of it at the commit', async () => {
  await countingTrips(database(), async (tripsOf, far) => {
    const sale = (id: number) => () =>
      far.transaction(async () => {
        await Promise.all([
          sql`insert into sales values (${id})`.execute(far.kysely()),
          enqueue(ringBell, { saleId: String(id) }),
        ]);
      });
    await sale(1)();
    const listener = await database().pool.connect();
    const heard = new Promise((resolve) => listener.once('notification', resolve));
    await listener.query('listen "jobs:insert"');
    expect(await tripsOf(sale(2))).toBe(2);
    await heard;
    listener.release(true);
  });
  expect(await payloads()).toEqual([{ saleId: '1' }, { saleId: '2' }]);
});

test('none for a rollback, nor for a savepoint that is undone', async () => {
  await reasonOf(
    db().transaction(async () => {
      await enqueue(ringBell, { saleId: 'rolled back' }, { key: 'sale-1' });
      throw new Error('no sale');
    }),
  );
  await db().transaction(async () => {
    await reasonOf(
      db().transaction({ savepoint: true }, async () => {
        await enqueue(ringBell, { saleId: 'undone' }, { key: 'sale-1' });
        throw new Error('not this one');
      }),
    );
    await enqueue(ringBell, { saleId: 'kept' }, { key: 'sale-1' });
  });
  expect(await payloads()).toEqual([{ saleId: 'kept' }]);
});

test.each(['40001', '40P01'])('one for a body that PostgreSQL asked to run again (%s)', async (sqlState) => {
  await planFailures(database(), sqlState, 3);
  await db().transaction(async (tx) => {
    await enqueue(ringBell, { saleId: `attempt ${tx.attempt}` });
    await sql`select fail_as_planned()`.execute(db().kysely());
  });
  expect(await payloads()).toEqual([{ saleId: 'attempt 4' }]);
});

test.each<IsolationLevel>(['read committed', 'repeatable read', 'serializable'])(
  '64 sales at once at %s: a job for each, and none is run again for the queue’s sake',
  async (isolation) => {
    const many = await open({ poolSize: 16 });
    let retries = 0;
    many.on('transaction:retry', () => void retries++);
    const arrive = barrier(16);
    await Promise.all(
      Array.from({ length: 64 }, (_, id) =>
        many.transaction({ isolation }, async () => {
          await sql`insert into sales values (${id})`.execute(many.kysely());
          if (id < 16) await arrive(); // sixteen are open at once, for certain
          await enqueue(ringBell, { saleId: String(id) }, id % 2 === 0 ? { key: `sale-${id}` } : {});
        }),
      ),
    );
    await many.close();
    expect(new Set((await payloads()).map((payload) => JSON.stringify(payload))).size).toBe(64);
    expect(await queued()).toHaveLength(64);
    expect(retries).toBe(0);
  },
);

test.each<IsolationLevel>(['read committed', 'repeatable read', 'serializable'])(
  'the same key from 32 transactions at %s: one job, of which all are told',
  async (isolation) => {
    const many = await open({ poolSize: 16 });
    const answers = await Promise.all(
      Array.from({ length: 32 }, () =>
        many.transaction({ isolation }, () => enqueue(ringBell, { saleId: '17' }, { key: 'sale-17' })),
      ),
    );
    await many.close();
    const [only] = await queued();
    expect(await queued()).toHaveLength(1);
    expect(answers.filter(({ isNew }) => isNew)).toHaveLength(1);
    expect(new Set(answers.map(({ id }) => id))).toEqual(new Set([BigInt(only!.id as string)]));
  },
);

test('a key outlives the run of its job, for as long as the job declares', async () => {
  for (const one of [ringBell, forget] as const) {
    expect((await enqueue(one as typeof forget, {}, { key: 'once' })).isNew).toBe(true);
    await database().pool.query('delete from graphile_worker._private_jobs'); // it has run
    expect((await enqueue(one as typeof forget, {}, { key: 'once' })).isNew).toBe(false);
  }
  await database().pool.query(`update bellwether_jobs.keys set expires_at = now() where expires_at is not null`);
  expect((await enqueue(ringBell, { saleId: '1' }, { key: 'once' })).isNew).toBe(false);
  expect((await enqueue(forget, {}, { key: 'once' })).isNew).toBe(true);
  expect((await enqueue(forget, {}, { key: 'once' })).isNew).toBe(false);
  expect((await enqueue(forget, {}, { key: 'another' })).isNew).toBe(true);
});

test('replacePending takes the place of one that waits, with keepRunAt at its time', async () => {
  const first = await enqueue(ringBell, { saleId: '1' }, { replacePending: 'today', delayMs: 100_000 });
  const second = await enqueue(ringBell, { saleId: '2' }, { replacePending: 'today', delayMs: 200_000 });
  expect([second.id, second.isNew]).toEqual([first.id, false]);
  expect(await queued()).toEqual([expect.objectContaining({ payload: { saleId: '2' }, seconds: '200' })]);
  await enqueue(ringBell, { saleId: '3' }, { replacePending: 'today', keepRunAt: true });
  expect(await queued()).toEqual([expect.objectContaining({ payload: { saleId: '3' }, seconds: '200' })]);
  await enqueue(ringBell, { saleId: '4' }, { replacePending: 'tomorrow' });
  expect(await queued()).toHaveLength(2);
});

test.each(['locked_at = now(), locked_by = $1', 'attempts = max_attempts, last_error = $1'])(
  'replacePending leaves one that runs or is dead (%s), which is not tried again',
  async (state) => {
    const first = await enqueue(ringBell, { saleId: '1' }, { replacePending: 'today' });
    await database().pool.query(`update graphile_worker._private_jobs set ${state}`, ['somebody']);
    expect((await enqueue(ringBell, { saleId: '2' }, { replacePending: 'today' })).isNew).toBe(true);
    expect(await queued()).toEqual([
      expect.objectContaining({ id: String(first.id), key: null, attempts: 12 }),
      expect.objectContaining({ payload: { saleId: '2' }, key: 'ring-bell:today', attempts: 0 }),
    ]);
  },
);

test('runAt, delayMs and priority', async () => {
  await enqueue(ringBell, { saleId: '1' }, { runAt: new Date(Date.now() + 3_600_000), priority: -5 });
  await enqueue(ringBell, { saleId: '2' }, { delayMs: 60_000 });
  const [first, second] = await queued();
  expect([first!.priority, second!.priority]).toEqual([-5, 3]);
  expect(Math.abs(Number(first!.seconds) - 3600)).toBeLessThan(30);
  expect(second!.seconds).toBe('60');
});

test.each([
  ['payload.at is a Date', { at: new Date() }],
  ['payload.list[1] is bigint', { list: ['1', 1n] }],
  ['payload.gone is undefined', { gone: undefined }],
  ['payload.share is a number that is not finite', { share: Number.NaN }],
  ['payload.deep.of is a Map', { deep: { of: new Map() } }],
  ['payload is an array', ['1']],
  ['payload is null', null],
])('a payload that JSON cannot carry is refused, by its place: %s', async (place, payload) => {
  const error = await errorOf(enqueue(ringBell, payload as never));
  expect(error).toMatchObject({ code: 'E_INVALID_PAYLOAD', recovery: 'fix-the-code' });
  expect(error.message).toContain(place);
});

test('a payload that contains itself is refused', async () => {
  const payload: { self?: unknown } = {};
  payload.self = { payload };
  expect((await errorOf(enqueue(ringBell, payload as never))).message).toContain('contains itself');
});

test.each([
  { key: 'a', replacePending: 'b' },
  { runAt: new Date(), delayMs: 1 },
  { delayMs: -1 },
  { priority: 1.5 },
  { keepRunAt: true },
  { key: '' },
  { key: 'x'.repeat(501) },
  { runAt: new Date(Number.NaN) },
])('options that cannot work are refused: %j', async (options) => {
  expect((await errorOf(enqueue(ringBell, { saleId: '1' }, options))).code).toBe('E_INVALID_OPTION');
});

test('a name is declared once', () => {
  expect(() => job('ring-bell', () => Promise.resolve())).toThrow(/declared twice/);
  expect(() => job('', () => Promise.resolve())).toThrow(/characters/);
  expect(() => job('none', { attempts: 0 }, () => Promise.resolve())).toThrow(/attempts/);
});

test('in a transaction the sale is there if and only if its job is, whatever fails between', async () => {
  await reasonOf(
    db().transaction(async () => {
      await sell(1);
      await enqueue(ringBell, { saleId: '1' });
      await sell(1);
    }),
  );
  expect([await queued(), (await database().pool.query('select from sales')).rowCount]).toEqual([[], 0]);
});
