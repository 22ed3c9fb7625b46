import { DeadlockError, sql } from 'bellwether';
import type { Database, DeadlockProcess, FrameworkEvents } from 'bellwether';
import { withoutValues } from '../../../framework/database/deadlock';
import { barrier, errorOf, setUp, signal, untilBlocked } from './support';

const { database, open } = setUp('create table accounts (id int primary key, balance int not null)');
beforeEach(() => database().pool.query('truncate accounts; insert into accounts values (1, 100), (2, 100)'));

const RC = { isolation: 'read committed' } as const;
const take = (on: Database, id: number) =>
  sql`update accounts set balance = balance - ${7} where id = ${id}`.execute(on.kysely());
const give = (on: Database, id: number) =>
  sql`update accounts set balance = balance + ${7} where id = ${id}`.execute(on.kysely());
const TAKE = 'update accounts set balance = balance - $1 where id = $2';
const GIVE = 'update accounts set balance = balance + $1 where id = $2';
const pid = async (on: Database) =>
  (await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(on.kysely())).rows[0]!.pid;

const processesOf = ({ error }: FrameworkEvents['transaction:retry']): readonly DeadlockProcess[] => {
  expect(error).toBeInstanceOf(DeadlockError);
  return (error as DeadlockError).details.processes;
};

test('both sides in one pool: the event tells who waited for whom, and with which statements', async () => {
  const two = await open({ poolSize: 2 });
  const meet = barrier(2);
  const retries: FrameworkEvents['transaction:retry'][] = [];
  two.on('transaction:retry', (event) => retries.push(event));
  const pids = new Map<string, number>();
  const transfer = (name: string, first: () => Promise<unknown>, second: () => Promise<unknown>) =>
    two.transaction(RC, async (tx) => {
      if (tx.attempt === 1) pids.set(name, await pid(two));
      await first();
      if (tx.attempt === 1) await meet();
      await second();
      await sql`select 'what comes next' as text`.execute(two.kysely());
    });
  await Promise.all([
    transfer(
      'taking',
      () => take(two, 1),
      () => take(two, 2),
    ),
    transfer(
      'giving',
      () => give(two, 2),
      () => give(two, 1),
    ),
  ]);
  expect(retries).toHaveLength(1);
  const [victim, other] = processesOf(retries[0]!);
  const isTaking = victim!.pid === pids.get('taking');
  expect(victim).toEqual({
    pid: pids.get(isTaking ? 'taking' : 'giving'),
    isVictim: true,
    waitsFor: expect.stringMatching(/^ShareLock on transaction \d+$/),
    blockedBy: other!.pid,
    sql: isTaking ? TAKE : GIVE,
  });
  expect(other).toEqual({
    pid: pids.get(isTaking ? 'giving' : 'taking'),
    isVictim: false,
    waitsFor: expect.stringMatching(/^ShareLock on transaction \d+$/),
    blockedBy: victim!.pid,
    sql: isTaking ? GIVE : TAKE,
  });
});

/** A deadlock with a stranger's session, in which the transaction on `on` is the one that is ended. */
async function withStranger(
  on: Database,
  whileStuck: () => Promise<unknown> = () => Promise.resolve(),
  alongside: () => Promise<unknown> = () => Promise.resolve(),
) {
  const stranger = await database().pool.connect();
  await stranger.query(`set deadlock_timeout = '60s'; begin; update accounts set balance = 4711 where id = 2`);
  const { rows } = await stranger.query<{ pid: number }>('select pg_backend_pid() as pid');
  let crossing!: Promise<unknown>;
  const error = await errorOf(
    on.transaction({ ...RC, attempts: 1 }, async () => {
      await take(on, 1);
      await whileStuck();
      crossing = stranger.query(`update accounts set balance = 4711 where id = 1 and 'secret' <> 'x'`);
      await untilBlocked(database());
      await Promise.all([take(on, 2), alongside()]);
    }),
  );
  await crossing;
  await stranger.query(`rollback; set deadlock_timeout = '1s'`);
  stranger.release();
  return { processes: (error.cause as DeadlockError).details.processes, pid: rows[0]!.pid };
}

test('the other side is a stranger: the server is asked, and tells no values', async () => {
  const two = await open({ poolSize: 2 });
  const { processes, pid } = await withStranger(two);
  expect(processes).toMatchObject([
    { isVictim: true, sql: TAKE, blockedBy: pid },
    { isVictim: false, sql: 'update accounts set balance = ? where id = ? and ? <> ?', pid },
  ]);
});

test.each([1, 2])(
  'what was sent along with it fails later: the deadlock is what is told (pool of %d)',
  async (poolSize) => {
    const pool = await open({ poolSize });
    const { processes, pid } = await withStranger(
      pool,
      () => Promise.resolve(),
      () => take(pool, 1),
    );
    expect(processes).toMatchObject([{ isVictim: true, sql: TAKE }, { pid }]);
  },
);

test('no session is free to ask on: it is told without, and nobody waits', async () => {
  const one = await open({ poolSize: 1 });
  const { processes, pid } = await withStranger(one);
  expect(processes).toMatchObject([
    { isVictim: true, sql: TAKE },
    { pid, sql: undefined },
  ]);
});

test('somebody waits for the last session: they come first', async () => {
  const two = await open({ poolSize: 2 });
  const release = signal();
  const [entered, waiting] = [signal(), [] as Promise<unknown>[]];
  const holding = two.transaction(async () => {
    await pid(two);
    entered.give();
    await release.promise;
  });
  const { processes } = await withStranger(two, async () => {
    await entered.promise;
    waiting.push(two.outsideTransaction(() => pid(two)));
  });
  expect(processes[1]!.sql).toBeUndefined();
  release.give();
  await Promise.all([holding, ...waiting]);
});

test.each([
  [`select 'it''s', 12, x1, "t2", $1 from t where a = 1.5`, `select ?, ?, x1, "t2", $1 from t where a = ?`],
  ['select $$a 1$$, $tag$it is $$ 2$tag$', 'select ?, ?'],
])('%s without values', (given, expected) => {
  expect(withoutValues(given)).toBe(expected);
});
