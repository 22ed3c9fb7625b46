import { connect, Column, Id, Model, sql, Table } from 'bellwether';
import type { Database } from 'bellwether';
import {
  isConnectionLoss,
  isPostgresError,
  provesRollback,
  translateDatabaseError,
} from '../../../framework/database/sqlstate';
import { FaultyNetwork } from './proxy';
import { barrier, errorOf, setUp, signal, untilBlocked, untilIdle } from './support';

@Table('accounts')
class Account extends Model {
  @Id('integer') declare id: number;
  @Column('integer') declare balance: number;
}

const { database, open } = setUp(`
  create table accounts (id int primary key, balance int not null);
  create table log (id bigint generated always as identity primary key, note text not null);
  create function fail_with(state text) returns int language plpgsql as $$ begin raise exception 'planned' using errcode = state; end $$;
`);
beforeEach(() => database().pool.query('truncate accounts, log; insert into accounts values (1, 100), (2, 100)'));

const unhandled: unknown[] = [];
const note = (what: unknown) => unhandled.push(what);
beforeAll(() => process.on('unhandledRejection', note).on('uncaughtExceptionMonitor', note).on('warning', note));
afterAll(() => {
  process.off('unhandledRejection', note).off('uncaughtExceptionMonitor', note).off('warning', note);
  expect(unhandled).toEqual([]);
});

const state = async () => {
  const { rows } = await database().pool.query<{ balances: number[]; notes: number }>(
    `select (select array_agg(balance order by id) from accounts) as balances, (select count(*)::int from log) as notes`,
  );
  return rows[0]!;
};
const BEFORE = { balances: [100, 100], notes: 0 };
const AFTER = { balances: [90, 110], notes: 1 };

/** Six statements, BEGIN and COMMIT. */
const transfer = (on: Database) =>
  on.transaction(async () => {
    const from = await Account.find(1);
    const to = await Account.find(2);
    from.balance -= 10;
    to.balance += 10;
    await from.save();
    await on.transaction({ savepoint: true }, () => to.save());
    await sql`insert into log (note) values ('moved')`.execute(on.kysely());
    return 'moved';
  });

/** Every session of the pool can be had, and none is left inside a transaction. */
async function expectHealthy(on: Database, size: number, applicationName: string): Promise<void> {
  const meet = barrier(size);
  await Promise.all(
    Array.from({ length: size }, () => on.transaction(() => sql`select 1`.execute(on.kysely()).then(meet))),
  );
  await untilIdle(database(), applicationName);
  const { rows } = await database().pool.query<{ sessions: number }>(
    'select count(*)::int as sessions from pg_stat_activity where application_name = $1 and datname = current_database()',
    [applicationName],
  );
  expect(rows[0]!.sessions).toBe(size);
}

describe.each(['to server', 'to client'] as const)('the connection breaks at each piece of what goes %s', (way) => {
  test('all or nothing, and the caller is told which', async () => {
    const network = await FaultyNetwork.before(database().url);
    const far = await connect({ url: network.url, poolSize: 2, applicationName: 'broken' });
    await far.use(() => transfer(far)); // opens the session
    await database().pool.query('truncate log; update accounts set balance = 100');
    let isDone = false;
    let broken = 0;
    for (let at = 1; !isDone; at++) {
      await sql`select 1`.execute(far.kysely()); // opens a session where there is none
      let seen = 0;
      network.judge = (_bytes, direction) => (direction === way && ++seen === at ? 'cut' : 'pass');
      const outcome = await far
        .use(() => transfer(far))
        .catch((error: unknown) => error as { code: string; details: { outcome: string } });
      isDone = seen < at; // it went through without meeting the break
      if (!isDone) broken += 1;
      if (outcome === 'moved') expect(await state()).toEqual(AFTER);
      else {
        expect(outcome).toMatchObject({ code: 'E_CONNECTION_LOST', details: { outcome: 'not committed' } });
        expect(await state()).toEqual(BEFORE);
      }
      network.judge = () => 'pass';
      await database().pool.query('truncate log; update accounts set balance = 100');
    }
    expect(broken).toBeGreaterThanOrEqual(6);
    await expectHealthy(far, 2, 'broken');
    await far.close();
    await network.close();
  });
});

test('the backend is ended before each statement of an operation: nothing half, and the next one works', async () => {
  const one = await open({ poolSize: 2, applicationName: 'ended' });
  const end = () =>
    database().pool.query(
      `select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'ended' and datname = current_database()`,
    );
  for (let at = 0; at < 5; at++) {
    const steps: (() => Promise<unknown>)[] = [
      () => Account.find(1),
      () => Account.where({ id: 1 }).decrement({ balance: 10 }),
      () => Account.where({ id: 2 }).increment({ balance: 10 }),
      () => sql`insert into log (note) values ('moved')`.execute(one.kysely()),
    ];
    let isEnded = false;
    const attempt = one.transaction(async () => {
      for (const [index, step] of steps.entries()) {
        if (index === at && at > 0 && !isEnded) {
          isEnded = true;
          await end();
        }
        await step();
      }
      if (at === steps.length && !isEnded) {
        isEnded = true;
        await end(); // noticed at COMMIT: proven not committed, so it is run again
      }
    });
    if (at === 0 || at === steps.length) {
      await attempt;
      expect(await state()).toEqual(AFTER);
    } else {
      expect(await errorOf(attempt)).toMatchObject({
        code: 'E_CONNECTION_LOST',
        details: { outcome: 'not committed' },
      });
      expect(await state()).toEqual(BEFORE);
    }
    await database().pool.query('truncate log; update accounts set balance = 100');
  }
  await expectHealthy(one, 2, 'ended');
});

test.each([
  ['53100', 'E_SERVER_RESOURCES', 'the disk is full'],
  ['53200', 'E_SERVER_RESOURCES', 'the memory is used up'],
  ['57014', 'E_STATEMENT_CANCELLED', 'the statement is cancelled'],
])('%s → %s: %s; all is rolled back, the session is kept', async (sqlState, code, _what) => {
  const name = `fails ${sqlState}`;
  const one = await open({ poolSize: 1, applicationName: name });
  const pid = async () =>
    (await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(one.kysely())).rows[0]!.pid;
  const before = await pid();
  const work = async () => {
    await Account.where({ id: 1 }).decrement({ balance: 10 });
    await sql`select fail_with(${sqlState})`.execute(one.kysely());
  };
  expect(await errorOf(one.transaction(work))).toMatchObject({ code, recovery: 'try-later', details: { sqlState } });
  expect(await errorOf(sql`select fail_with(${sqlState})`.execute(one.kysely()))).toMatchObject({ code });
  expect(await state()).toEqual(BEFORE);
  expect(await pid()).toBe(before);
  await expectHealthy(one, 1, name);
});

test('a real limit of the server, for temporary files: E_SERVER_RESOURCES', async () => {
  const one = await open({ poolSize: 1, applicationName: 'limited' });
  const error = await errorOf(
    one.transaction(async () => {
      await Account.where({ id: 1 }).decrement({ balance: 10 });
      await sql`set local temp_file_limit = 64`.execute(one.kysely());
      await sql`set local work_mem = 64`.execute(one.kysely());
      await sql`select count(*) from (select i from generate_series(1, 200000) i order by -i) as sorted`.execute(
        one.kysely(),
      );
    }),
  );
  expect(error).toMatchObject({ code: 'E_SERVER_RESOURCES', details: { sqlState: '53400' } });
  expect(await state()).toEqual(BEFORE);
  await expectHealthy(one, 1, 'limited');
});

test('no session is free: those who give up leave nothing behind', async () => {
  const one = await open({ poolSize: 1, acquireTimeoutMs: 100, applicationName: 'busy' });
  const [entered, release] = [signal(), signal()];
  const holding = one.transaction(async () => {
    await Account.where({ id: 1 }).decrement({ balance: 10 });
    entered.give();
    await release.promise;
  });
  await entered.promise;
  const others = Array.from({ length: 20 }, () => errorOf(one.transaction(() => Account.find(1))));
  for (const error of await Promise.all(others)) expect(error.code).toBe('E_POOL_EXHAUSTED');
  release.give();
  await holding;
  await expectHealthy(one, 1, 'busy');
});

test('the role has no connection left: told as that, and the next one is served', async () => {
  const role = `few_${process.pid}`;
  await database().pool.query(`create role ${role} login password 'x' connection limit 1`);
  const url = new URL(database().url);
  url.username = role;
  url.password = 'x';
  const one = await connect({ url: url.href, poolSize: 3, applicationName: 'few' });
  const [entered, release] = [signal(), signal()];
  const holding = one.transaction(async () => {
    await sql`select 1`.execute(one.kysely());
    entered.give();
    await release.promise;
  });
  await entered.promise;
  const error = await errorOf(sql`select 1`.execute(one.kysely()));
  expect(error).toMatchObject({ code: 'E_SERVER_RESOURCES', recovery: 'try-later', details: { sqlState: '53300' } });
  release.give();
  await holding;
  await sql`select 1`.execute(one.kysely());
  await one.close();
  await database().pool.query(`drop role ${role}`);
});

test('a statement that is cancelled while it waits: told, rolled back, the session kept', async () => {
  const one = await open({ poolSize: 1, applicationName: 'cancelled' });
  const holder = await database().pool.connect();
  await holder.query('begin; select from accounts where id = 2 for update');
  const attempt = errorOf(one.use(() => transfer(one)));
  await database().pool.query('select pg_cancel_backend($1)', [await untilBlocked(database())]);
  expect(await attempt).toMatchObject({ code: 'E_STATEMENT_CANCELLED', details: { sqlState: '57014' } });
  await holder.query('rollback');
  holder.release();
  expect(await state()).toEqual(BEFORE);
  await expectHealthy(one, 1, 'cancelled');
});

test('a broken pipe is a lost connection, not an answer of PostgreSQL: in answer to COMMIT it proves nothing', () => {
  const broken = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
  expect([isPostgresError(broken), isConnectionLoss(broken), provesRollback(broken)]).toEqual([false, true, false]);
  expect(translateDatabaseError(broken)).toMatchObject({ code: 'E_CONNECTION_LOST' });
});
