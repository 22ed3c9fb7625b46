import { sql, Transactional } from 'bellwether';
import type { Database, IsolationLevel, TransactionOptions } from 'bellwether';
import { errorOf, setUp, signal, untilBlocked } from './support';

const { database, db, open } = setUp('create table things (id int primary key, name text)');

const show = async (on: Database, setting: string): Promise<unknown> => {
  const { rows } = await sql<Record<string, unknown>>`show ${sql.ref(setting)}`.execute(on.kysely());
  return Object.values(rows[0]!)[0];
};

describe('the isolation that a statement runs under', () => {
  const LEVELS: (IsolationLevel | undefined)[] = [undefined, 'read committed', 'repeatable read', 'serializable'];

  test.each(LEVELS)('connected with isolation %s: single statements and transactions have it', async (isolation) => {
    const connected = await open({ poolSize: 2, ...(isolation && { isolation }) });
    const expected = isolation ?? 'serializable';
    expect(await show(connected, 'transaction_isolation')).toBe(expected);
    await connected.transaction(async (tx) => {
      expect(await show(connected, 'transaction_isolation')).toBe(expected);
      expect(tx.isolation).toBe(expected);
    });
    for (const declared of ['read committed', 'repeatable read', 'serializable'] as const) {
      await connected.transaction({ isolation: declared }, async (tx) => {
        expect(await show(connected, 'transaction_isolation')).toBe(declared);
        expect(tx.isolation).toBe(declared);
      });
    }
    expect(await show(connected, 'transaction_isolation')).toBe(expected);
  });

  class Operations {
    @Transactional({ forbid: ['lost update'] }) snapshot() {
      return show(db(), 'transaction_isolation');
    }
    @Transactional({ forbid: ['dirty read'] }) weak() {
      return show(db(), 'transaction_isolation');
    }
    @Transactional({ forbid: ['write skew'] }) strong() {
      return show(db(), 'transaction_isolation');
    }
  }
  test.each([
    ['snapshot', 'repeatable read'],
    ['weak', 'read committed'],
    ['strong', 'serializable'],
  ] as const)('@Transactional: %s runs at %s', async (method, level) => {
    expect(await db().use(() => new Operations()[method]())).toBe(level);
  });

  const NESTED: [outer: TransactionOptions, inner: TransactionOptions, isRefused: boolean][] = [
    [{}, { isolation: 'serializable' }, false],
    [{}, { isolation: 'read committed' }, false],
    [{ isolation: 'read committed' }, {}, false],
    [{ isolation: 'read committed' }, { isolation: 'repeatable read' }, true],
    [{ isolation: 'repeatable read' }, { isolation: 'serializable' }, true],
    [{ isolation: 'read committed' }, { isolation: 'serializable', savepoint: true }, true],
    [{ readOnly: true }, { readOnly: false }, true],
    [{}, { readOnly: true }, true],
    [{ readOnly: true }, { readOnly: true }, false],
  ];
  test.each(NESTED)('outer %j, inner %j: refused is %s', async (outer, inner, isRefused) => {
    let innerRan = false;
    const attempt = db().transaction(outer, () =>
      db().transaction(inner, () => {
        innerRan = true;
        return Promise.resolve('done');
      }),
    );
    if (isRefused) {
      const error = await errorOf(attempt);
      expect(error.code).toBe('E_NESTED_TRANSACTION');
      expect(error.details).toEqual({ outer: outer.isolation ?? 'serializable', inner: inner.isolation });
    } else expect(await attempt).toBe('done');
    expect(innerRan).toBe(!isRefused);
  });

  test('a refused nested transaction that the outer one catches leaves the outer one usable', async () => {
    await db().transaction({ isolation: 'read committed' }, async () => {
      const inner = db().transaction({ isolation: 'serializable' }, () => Promise.resolve());
      expect((await errorOf(inner)).code).toBe('E_NESTED_TRANSACTION');
      await sql`insert into things values (100, 'kept')`.execute(db().kysely());
    });
    expect((await database().pool.query('select from things where id = 100')).rowCount).toBe(1);
  });
});

test('readOnly refuses writes with its own error, and nothing sticks to the connection', async () => {
  const one = await open({ poolSize: 1 });
  const insert = () => sql`insert into things values (1, 'x')`.execute(one.kysely());
  const error = await errorOf(one.transaction({ readOnly: true }, insert));
  expect(error.code).toBe('E_READ_ONLY');
  expect(error.details).toMatchObject({ sqlState: '25006' });
  await one.transaction(insert);
  expect(await show(one, 'transaction_read_only')).toBe('off');
});

test('deferrable reaches the server', async () => {
  await db().transaction({ readOnly: true, deferrable: true }, async () => {
    expect(await show(db(), 'transaction_deferrable')).toBe('on');
    expect(await show(db(), 'transaction_read_only')).toBe('on');
  });
});

describe('timeouts of one transaction', () => {
  let one: Database;
  beforeAll(async () => {
    one = await open({ poolSize: 1, statementTimeoutMs: 30_000, applicationName: 'timeouts' });
    await database().pool.query(`insert into things values (2, 'locked')`);
  });
  afterEach(async () => {
    // The settings were local to the transaction, and the one connection works.
    expect(await show(one, 'statement_timeout')).toBe('30s');
    expect(await show(one, 'lock_timeout')).toBe('0');
    expect(await show(one, 'idle_in_transaction_session_timeout')).toBe('1min');
  });

  test('statementTimeoutMs: E_STATEMENT_CANCELLED', async () => {
    const error = await errorOf(
      one.transaction({ statementTimeoutMs: 50 }, () => sql`select pg_sleep(20)`.execute(one.kysely())),
    );
    expect(error.code).toBe('E_STATEMENT_CANCELLED');
    expect(error.details).toMatchObject({ sqlState: '57014' });
  });

  test('lockTimeoutMs: E_LOCK_NOT_AVAILABLE', async () => {
    const holder = await database().pool.connect();
    await holder.query('begin; select from things where id = 2 for update');
    const error = await errorOf(
      one.transaction({ lockTimeoutMs: 50 }, () =>
        sql`select from things where id = 2 for update`.execute(one.kysely()),
      ),
    );
    await holder.query('rollback');
    holder.release();
    expect(error.code).toBe('E_LOCK_NOT_AVAILABLE');
    expect(error.details).toMatchObject({ sqlState: '55P03' });
  });

  test.each([
    ['and goes on', () => sql`select 1`.execute(one.kysely())],
    ['and ends', () => Promise.resolve()],
  ])('idleTimeoutMs: the body takes too long %s: E_CONNECTION_LOST, which says why', async (_how, goOn) => {
    let bodies = 0;
    const error = await errorOf(
      one.transaction({ idleTimeoutMs: 50 }, async () => {
        bodies += 1;
        await sql`update things set name = 'idled' where id = 2`.execute(one.kysely());
        await sessionsGone();
        await goOn();
      }),
    );
    expect(error.code).toBe('E_CONNECTION_LOST');
    expect(error.details).toEqual({ outcome: 'not committed', sqlState: '25P03' });
    expect(error.message).toContain('idleTimeoutMs');
    expect(bodies).toBe(1);
    expect((await database().pool.query('select name from things where id = 2')).rows).toEqual([{ name: 'locked' }]);
  });

  async function sessionsGone(): Promise<void> {
    const query = `select from pg_stat_activity where datname = current_database() and application_name = 'timeouts'`;
    while ((await database().pool.query(query)).rowCount! > 0);
    await new Promise((resolve) => setImmediate(resolve)); // the driver hears of it in the same turn, or the next
  }

  test.each([
    ['lockTimeoutMs', 2 ** 31],
    ['statementTimeoutMs', -1],
    ['idleTimeoutMs', 1.5],
    ['attempts', 0],
  ])('%s: %d is refused before anything is sent', async (option, value) => {
    const error = await errorOf(
      Promise.resolve().then(() => one.transaction({ [option]: value }, () => Promise.resolve())),
    );
    expect(error.code).toBe('E_INVALID_OPTION');
    expect(error.details).toMatchObject({ option });
  });
});

test('a transaction may take longer over a statement than the connection allows', async () => {
  const short = await open({ poolSize: 1, statementTimeoutMs: 50 });
  const holder = await database().pool.connect();
  await holder.query('begin; select from things where id = 2 for update');
  const blocked = signal();
  const attempt = short.transaction({ statementTimeoutMs: 20_000 }, async () => {
    blocked.give();
    await sql`select from things where id = 2 for update`.execute(short.kysely());
    return 'done';
  });
  await blocked.promise;
  await untilBlocked(database());
  // Longer than the connection's bound and the slack that a silent server is given.
  await database().pool.query('select pg_sleep(5.3)');
  await holder.query('rollback');
  holder.release();
  expect(await attempt).toBe('done');
});
