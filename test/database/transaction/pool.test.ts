import { sql } from 'bellwether';
import type { Database } from 'bellwether';
import { barrier, errorOf, reasonOf, setUp, signal, untilIdle } from './support';

const { database, db, open } = setUp('create table things (id bigint generated always as identity primary key)');

const insert = (on: Database) => sql`insert into things default values`.execute(on.kysely());
const pid = async (on: Database) =>
  (await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(on.kysely())).rows[0]!.pid;
const sessions = async (applicationName: string) =>
  (
    await database().pool.query<{ state: string }>(
      'select state from pg_stat_activity where datname = current_database() and application_name = $1',
      [applicationName],
    )
  ).rows.map(({ state }) => state);

test('as many transactions as connections, each with nested ones: no second connection, no deadlock', async () => {
  const four = await open({ poolSize: 4, applicationName: 'four', acquireTimeoutMs: 2_000 });
  const meet = barrier(4);
  const used = await Promise.all(
    Array.from({ length: 4 }, () =>
      four.transaction({ isolation: 'read committed' }, async () => {
        const pids = [await pid(four)];
        await meet(); // all four are taken now
        for (const savepoint of [false, true]) {
          await four.transaction({ savepoint }, async () => {
            pids.push(await pid(four));
            await four.transaction({ savepoint: !savepoint }, async () => {
              pids.push(await pid(four));
              await insert(four);
            });
          });
        }
        return new Set(pids).size;
      }),
    ),
  );
  expect(used).toEqual([1, 1, 1, 1]);
  expect(await sessions('four')).toHaveLength(4);
});

test('all busy for acquireTimeoutMs: E_POOL_EXHAUSTED, for statements and transactions', async () => {
  const one = await open({ poolSize: 1, acquireTimeoutMs: 100 });
  const [entered, release] = [signal(), signal()];
  const holding = one.transaction(async () => {
    await insert(one);
    entered.give();
    await release.promise;
  });
  await entered.promise;
  for (const call of [() => insert(one), () => one.transaction(() => insert(one))]) {
    expect(await errorOf(call())).toMatchObject({
      code: 'E_POOL_EXHAUSTED',
      recovery: 'try-later',
      details: { poolSize: 1, acquireTimeoutMs: 100 },
    });
  }
  release.give();
  await holding;
  await insert(one); // those that gave up do not block the next
});

test('a transaction that must be retried does not keep its connection while it pauses', async () => {
  const one = await open({ poolSize: 1, acquireTimeoutMs: 5_000 });
  let bodies = 0;
  let between: unknown;
  one.on('transaction:retry', () => (between = insert(one)));
  await one.transaction(async () => {
    bodies += 1;
    await insert(one);
    if (bodies === 1) {
      await reasonOf(sql`do $$ begin raise exception using errcode = '40001'; end $$`.execute(one.kysely()));
    }
  });
  expect(bodies).toBe(2);
  await between;
});

test('whatever ends badly, no session is left in a transaction or lost to the pool', async () => {
  const ten = await open({ poolSize: 10, applicationName: 'leaks', acquireTimeoutMs: 20_000 });
  const ends: (() => Promise<unknown>)[] = [
    () => ten.transaction(() => insert(ten)),
    () => ten.transaction(() => insert(ten).then(() => Promise.reject(new Error('mine')))),
    () => ten.transaction(() => sql`select 1 / 0`.execute(ten.kysely())),
    () => ten.transaction(() => sql`select 1 / 0`.execute(ten.kysely()).catch(() => 'swallowed')),
    () => ten.transaction({ statementTimeoutMs: 5 }, () => sql`select pg_sleep(5)`.execute(ten.kysely())),
    () => ten.transaction(() => ten.transaction({ savepoint: true }, () => sql`syntax error`.execute(ten.kysely()))),
    () => ten.transaction({ readOnly: true }, () => insert(ten)),
    () => sql`select 1 / 0`.execute(ten.kysely()),
    () => ten.transaction(() => Promise.all([insert(ten), insert(ten), Promise.reject(new Error('early'))])),
    () => ten.transaction(() => (void insert(ten).catch(() => undefined), Promise.reject(new Error('at once')))),
  ];
  for (let round = 0; round < 20; round++) await Promise.allSettled(ends.map((call) => call()));
  await untilIdle(database(), 'leaks');
  const states = await sessions('leaks');
  expect(new Set(states)).toEqual(new Set(['idle']));
  expect(states.length).toBeLessThanOrEqual(10);
  const meet = barrier(10);
  await Promise.all(Array.from({ length: 10 }, () => ten.transaction(() => pid(ten).then(meet)))); // all ten can be had
  expect(
    (
      await sql`select count(*)::int as held from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`.execute(
        db().kysely(),
      )
    ).rows,
  ).toEqual([{ held: 0 }]);
});
