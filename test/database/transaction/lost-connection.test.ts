import { Column, connect, Id, Model, sql, Table } from 'bellwether';
import type { Database } from 'bellwether';
import { errorOf, reasonOf, setUp, untilBlocked } from './support';
import { FaultyNetwork } from './proxy';

@Table('things')
class Thing extends Model {
  @Id('integer') declare readonly id: number;
  @Column('text', { nullable: true }) declare name: string | null;
}

const { database, db, open } = setUp('create table things (id int primary key, name text)');
beforeEach(() => database().pool.query(`truncate things; insert into things values (1, 'one')`));

const unhandled: unknown[] = [];
const note = (what: unknown) => unhandled.push(what);
beforeAll(() => process.on('unhandledRejection', note).on('uncaughtExceptionMonitor', note));
afterAll(() => {
  process.off('unhandledRejection', note).off('uncaughtExceptionMonitor', note);
  expect(unhandled).toEqual([]);
});

const end = (applicationName: string) =>
  database().pool.query(
    `select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = $1 and datname = current_database()`,
    [applicationName],
  );
const names = async () =>
  (await database().pool.query('select name from things order by id')).rows.map(({ name }) => name as string);

describe('the session is ended', () => {
  test.each([
    ['between two statements', true],
    ['and nobody notices until COMMIT', false],
  ])('in the middle of a body, %s: E_CONNECTION_LOST or a new attempt, nothing half', async (_when, goesOn) => {
    const one = await open({ poolSize: 2, applicationName: 'middle' });
    let bodies = 0;
    const attempt = one.transaction(async () => {
      bodies += 1;
      await sql`update things set name = ${`body ${bodies}`} where id = 1`.execute(one.kysely());
      if (bodies === 1) await end('middle');
      if (goesOn) await sql`select 1`.execute(one.kysely());
    });
    if (goesOn) {
      const error = await errorOf(attempt);
      expect(error).toMatchObject({ code: 'E_CONNECTION_LOST', recovery: 'try-later' });
      expect(error.details).toMatchObject({ outcome: 'not committed' });
      expect([bodies, await names()]).toEqual([1, ['one']]);
    } else {
      await attempt; // proven not committed, and the body was fine: run again
      expect([bodies, await names()]).toEqual([2, ['body 2']]);
    }
    expect((await sql`select 1`.execute(one.kysely())).rows).toHaveLength(1);
  });

  test('during a statement of a body: every statement of the flight tells the same', async () => {
    const one = await open({ poolSize: 1, applicationName: 'during' });
    const holder = await database().pool.connect();
    await holder.query('begin; select from things where id = 1 for update');
    const attempt = one.transaction(async () => {
      const flight = [1, 2, 3].map(() =>
        reasonOf(sql`update things set name = 'x' where id = 1`.execute(one.kysely())),
      );
      void untilBlocked(database()).then(() => end('during'));
      for (const reason of await Promise.all(flight)) {
        expect(reason).toMatchObject({ code: 'E_CONNECTION_LOST', details: { outcome: 'not committed' } });
      }
      return 'swallowed';
    });
    expect(await errorOf(attempt)).toMatchObject({ code: 'E_CONNECTION_LOST', details: { outcome: 'not committed' } });
    await holder.query('rollback');
    holder.release();
    expect(await names()).toEqual(['one']);
  });

  test('while idle in the pool: an event, and the next call is served', async () => {
    const one = await open({ poolSize: 3, applicationName: 'idle' });
    const lost = new Promise((resolve) => one.on('pool:connection-lost', resolve));
    await sql`select 1`.execute(one.kysely());
    await end('idle');
    await sql`update things set name = 'after' where id = 1`.execute(one.kysely());
    expect(await lost).toMatchObject({ error: expect.any(Error) });
    expect(await names()).toEqual(['after']);
  });

  test('during a single write: E_CONNECTION_LOST with the outcome unknown, and it is not sent again', async () => {
    const one = await open({ poolSize: 1, applicationName: 'write' });
    const holder = await database().pool.connect();
    await holder.query('begin; select from things where id = 1 for update');
    const attempt = errorOf(sql`update things set name = 'x' where id = 1`.execute(one.kysely()));
    await untilBlocked(database());
    await end('write');
    expect(await attempt).toMatchObject({ code: 'E_CONNECTION_LOST', details: { outcome: 'unknown' } });
    await holder.query('commit');
    holder.release();
    expect(await names()).toEqual(['one']);
  });

  test.each([
    ['a read of records: it is sent again', () => Thing.pluck('id'), [1]],
    [
      'a read of records by a condition in SQL, which might do the same: it is not',
      () => reasonOf(Thing.whereSql(sql<boolean>`true`).toArray()).then((error) => (error as Error).name),
      'ConnectionLostError',
    ],
    [
      'a select in SQL, which might call a function that writes: it is not',
      (reader: Database) =>
        reasonOf(sql`select id from things`.execute(reader.kysely())).then((error) => (error as Error).name),
      'ConnectionLostError',
    ],
  ])('during %s', async (_what, read: (reader: Database) => Promise<unknown>, expected: unknown) => {
    const one = await open({ poolSize: 1, applicationName: 'read' });
    const holder = await database().pool.connect();
    await holder.query('begin; lock table things in access exclusive mode');
    const answer = one.use(() => read(one));
    await untilBlocked(database());
    await end('read');
    if (Array.isArray(expected)) await untilBlocked(database());
    await holder.query('commit');
    holder.release();
    expect(await answer).toEqual(expected);
  });

  test('of ten callers at once: each hears of it, and the pool recovers to its full size', async () => {
    const ten = await open({ poolSize: 10, applicationName: 'ten' });
    const holder = await database().pool.connect();
    await holder.query('begin; select from things where id = 1 for update');
    const attempts = Array.from({ length: 10 }, () =>
      reasonOf(ten.transaction(() => sql`update things set name = 'x' where id = 1`.execute(ten.kysely()))),
    );
    await untilBlocked(database(), 10);
    await end('ten');
    for (const reason of await Promise.all(attempts)) expect(reason).toMatchObject({ code: 'E_CONNECTION_LOST' });
    await holder.query('commit');
    holder.release();
    await Promise.all(Array.from({ length: 10 }, () => ten.transaction(() => sql`select 1`.execute(ten.kysely()))));
  });
});

describe('the network falls silent', () => {
  let network: FaultyNetwork;
  let far: Database;
  beforeEach(async () => {
    network = await FaultyNetwork.before(database().url);
    far = await connect({
      url: network.url,
      poolSize: 1,
      statementTimeoutMs: 100,
      connectTimeoutMs: 1_000,
      applicationName: 'far',
    });
  });
  afterEach(async () => {
    network.judge = () => 'pass';
    await far.close();
    await network.close();
  });

  test.each([
    ['a single write', () => sql`update things set name = 'x' where id = 1`.execute(far.kysely()), 'unknown'],
    [
      'a statement of a transaction',
      () => far.transaction(() => sql`update things set name = 'x' where id = 1`.execute(far.kysely())),
      'not committed',
    ],
  ])(
    'under %s: told within the statement timeout and its slack, and the session is closed',
    async (_what, run, outcome) => {
      await sql`select 1`.execute(far.kysely());
      network.judge = () => 'hold';
      const begunAt = performance.now();
      const error = await errorOf(run());
      expect(performance.now() - begunAt).toBeLessThan(8_000);
      expect(error).toMatchObject({ code: 'E_CONNECTION_LOST', details: { outcome } });
      network.judge = () => 'pass';
      expect((await sql`select 1`.execute(far.kysely())).rows).toHaveLength(1); // on a new connection
    },
  );

  test('under a transaction with a bound of its own: told within that, not within that of the pool', async () => {
    const patient = await connect({ url: network.url, poolSize: 1 });
    await sql`select 1`.execute(patient.kysely());
    network.judge = () => 'hold';
    const begunAt = performance.now();
    const write = () => sql`update things set name = 'x' where id = 1`.execute(patient.kysely());
    const error = await errorOf(patient.transaction({ statementTimeoutMs: 100 }, write));
    expect(performance.now() - begunAt).toBeLessThan(30_000);
    expect(error).toMatchObject({ code: 'E_CONNECTION_LOST', details: { outcome: 'not committed' } });
    network.judge = () => 'pass';
    await patient.close();
  });

  test('for new connections: E_CONNECTION_FAILED within connectTimeoutMs', async () => {
    network.judge = () => 'hold';
    network.cutAll();
    const begunAt = performance.now();
    const error = await errorOf(connect({ url: network.url, connectTimeoutMs: 300 }));
    expect(performance.now() - begunAt).toBeLessThan(3_000);
    expect(error).toMatchObject({ code: 'E_CONNECTION_FAILED', recovery: 'fix-the-setup' });
    expect(error.message).toContain('No answer');
  });
});

test('after all this, the first database works', async () => {
  expect(await db().transaction(() => sql`select 1`.execute(db().kysely()))).toMatchObject({ rows: [{}] });
});
