import { Column, Id, Model, sql, Table } from 'bellwether';
import type { Database, FrameworkEvents } from 'bellwether';
import { pauseAfter } from '../../../framework/transaction/backoff';
import { barrier, errorOf, FAILURES, planFailures, reasonOf, setUp, untilBlocked } from './support';

@Table('accounts')
class Account extends Model {
  @Id('integer') declare id: number;
  @Column('integer') declare balance: number;
}

const { database, db, open } = setUp(`
  ${FAILURES}
  create table accounts (id int primary key, balance int not null);
  create table notes (text text);
  create function fail_late() returns trigger language plpgsql as $$ begin perform fail_as_planned(); return null; end $$;
  create constraint trigger late after insert on notes deferrable initially deferred for each row execute function fail_late();
`);
beforeEach(() =>
  database().pool.query('truncate planned, accounts, notes; insert into accounts values (1, 100), (2, 100)'),
);

const failing = (on: Database = db()) => sql<{ n: number }>`select fail_as_planned() as n`.execute(on.kysely());
const note = () => sql`insert into notes values ('x')`.execute(db().kysely());
const notes = async () => (await database().pool.query('select from notes')).rowCount;

type Told = { name: string } & Record<string, unknown>;

/** What the events of a transaction say while `body` runs. */
async function told(body: () => Promise<unknown>): Promise<Told[]> {
  const heard: Told[] = [];
  const names = ['transaction:begin', 'transaction:retry', 'transaction:end'] as const;
  const off = names.map((name) =>
    db().on(name, (event: FrameworkEvents[typeof name]) => heard.push({ event: name, ...event } as unknown as Told)),
  );
  await reasonOf(body()).catch(() => undefined);
  off.forEach((stop) => stop());
  return heard;
}

describe('what PostgreSQL asks to retry is retried', () => {
  test.each(['40001', '40P01'])('%s in a transaction: the body runs again, with the attempt told', async (sqlState) => {
    await planFailures(database(), sqlState, 3);
    const attempts: number[] = [];
    const value = await db().transaction(async (tx) => {
      attempts.push(tx.attempt);
      await note();
      await failing();
      return 'done';
    });
    expect(value).toBe('done');
    expect(attempts).toEqual([1, 2, 3, 4]);
    expect(await notes()).toBe(1);
  });

  test.each(['40001', '40P01'])('%s at COMMIT: the same', async (sqlState) => {
    await planFailures(database(), sqlState, 3);
    let bodies = 0;
    await db().transaction(async () => {
      bodies += 1;
      await note();
    });
    expect(bodies).toBe(4);
    expect(await notes()).toBe(1);
  });

  test.each(['40001', '40P01'])('%s of a single statement: it alone is sent again', async (sqlState) => {
    await planFailures(database(), sqlState, 3);
    const retries: FrameworkEvents['transaction:retry'][] = [];
    const off = db().on('transaction:retry', (event) => retries.push(event));
    await note();
    off();
    expect(retries.map(({ attempt, transactionId }) => [attempt, transactionId])).toEqual([
      [1, 0],
      [2, 0],
      [3, 0],
    ]);
    expect(await notes()).toBe(1);
  });

  test('40001 inside a nested transaction with a savepoint: the outermost runs again', async () => {
    await planFailures(database(), '40001', 1);
    const ran: string[] = [];
    await db().transaction(async () => {
      ran.push('outer');
      await db()
        .transaction({ savepoint: true }, async () => {
          ran.push('inner');
          await note();
          await failing();
        })
        .catch(() => ran.push('caught'));
    });
    expect(ran).toEqual(['outer', 'inner', 'caught', 'outer', 'inner']);
    expect(await notes()).toBe(1);
  });

  test('a real write skew: one of the two runs again and sees what the other did', async () => {
    const meet = barrier(2);
    const seen: number[] = [];
    const withdraw = (id: number) =>
      db().transaction(async (tx) => {
        const sum = (await Account.all()).reduce((total, { balance }) => total + balance, 0);
        seen.push(sum);
        if (tx.attempt === 1) await meet();
        if (sum >= 200) await Account.where({ id }).decrement({ balance: 200 });
      });
    await db().use(() => Promise.all([withdraw(1), withdraw(2)]));
    expect(seen.slice(0, 2)).toEqual([200, 200]);
    expect(seen[2]).toBe(0);
    expect(await db().use(() => Account.query().sum('balance'))).toBe(0);
  });

  test('a real deadlock: the victim runs again', async () => {
    const meet = barrier(2);
    let bodies = 0;
    const transfer = (from: number, to: number) =>
      db().transaction({ isolation: 'read committed' }, async (tx) => {
        bodies += 1;
        await Account.where({ id: from }).decrement({ balance: 1 });
        if (tx.attempt === 1) await meet();
        await Account.where({ id: to }).increment({ balance: 1 });
      });
    await db().use(() => Promise.all([transfer(1, 2), transfer(2, 1)]));
    expect(bodies).toBe(3);
    expect(await db().use(() => Account.pluck('balance'))).toEqual([100, 100]);
  });

  test('the attempts of one transaction are told by the events', async () => {
    await planFailures(database(), '40001', 1);
    const events = await told(() => db().transaction({ name: 'transfer' }, () => failing().then(() => 'fine')));
    const [{ transactionId }] = events as [Told];
    const same = { transactionId, name: 'transfer' };
    expect(events).toEqual([
      { event: 'transaction:begin', ...same, isolation: 'serializable', attempt: 1 },
      expect.objectContaining({ event: 'transaction:end', ...same, attempt: 1, outcome: 'rolled back' }),
      expect.objectContaining({ event: 'transaction:retry', transactionId, attempt: 1 }),
      { event: 'transaction:begin', ...same, isolation: 'serializable', attempt: 2 },
      expect.objectContaining({
        event: 'transaction:end',
        ...same,
        attempt: 2,
        outcome: 'committed',
        error: undefined,
      }),
    ]);
    expect(events[1]!.error).toMatchObject({ code: 'E_SERIALIZATION_FAILURE' });
    expect(events[1]!.durationMs).toBeGreaterThan(0);
  });
});

describe('but not for ever', () => {
  test.each([1, 3])('attempts: %d', async (attempts) => {
    await planFailures(database(), '40001', 1_000);
    let bodies = 0;
    const error = await errorOf(
      db().transaction({ attempts }, async () => {
        bodies += 1;
        await failing();
      }),
    );
    expect(bodies).toBe(attempts);
    expect(error).toMatchObject({
      code: 'E_RETRIES_EXHAUSTED',
      recovery: 'try-later',
      details: { attempts },
      cause: { code: 'E_SERIALIZATION_FAILURE', details: { sqlState: '40001' } },
    });
  });

  test('retryBudgetMs bounds the whole', async () => {
    await planFailures(database(), '40P01', 1_000);
    const begunAt = performance.now();
    const error = await errorOf(db().transaction({ retryBudgetMs: 150, attempts: 1_000 }, () => failing()));
    expect(error).toMatchObject({ code: 'E_RETRIES_EXHAUSTED', cause: { code: 'E_DEADLOCK' } });
    expect(error.details.elapsedMs).toBeLessThanOrEqual(150 + 1_000);
    expect(performance.now() - begunAt).toBeLessThan(5_000);
  });

  test('what PostgreSQL does not ask to retry runs once', async () => {
    await planFailures(database(), '23514', 1);
    let bodies = 0;
    const attempt = db().transaction(async () => {
      bodies += 1;
      await failing();
    });
    expect((await errorOf(attempt)).code).toBe('E_CHECK_VIOLATION');
    expect(bodies).toBe(1);
  });

  test('a COMMIT that somebody cancels is told as that', async () => {
    await database().pool.query(`
      create table slow (id int);
      create function wait_for_lock() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock(1); return null; end $$;
      create constraint trigger slow after insert on slow deferrable initially deferred for each row execute function wait_for_lock();`);
    const holder = await database().pool.connect();
    await holder.query('select pg_advisory_lock(1)');
    let bodies = 0;
    const attempt = errorOf(
      db().transaction(async () => {
        bodies += 1;
        await sql`insert into slow values (1)`.execute(db().kysely());
      }),
    );
    await database().pool.query('select pg_cancel_backend($1)', [await untilBlocked(database())]);
    expect(await attempt).toMatchObject({ code: 'E_STATEMENT_CANCELLED', details: { sqlState: '57014' } });
    expect(bodies).toBe(1);
    await holder.query('select pg_advisory_unlock(1)');
    holder.release();
  });
});

test('a serialization failure at COMMIT keeps the session', async () => {
  const one = await open({ poolSize: 1 });
  const pid = async () =>
    (await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(one.kysely())).rows[0]!.pid;
  const before = await pid();
  await planFailures(database(), '40001', 2);
  await one.transaction(() => sql`insert into notes values ('y')`.execute(one.kysely()));
  expect(await pid()).toBe(before);
});

describe('prepared statements that a migration made stale', () => {
  const change = (type: string) => database().pool.query(`alter table accounts alter balance type ${type}`);
  afterEach(() => change('int'));

  test('a single statement on any of many old sessions is answered', async () => {
    const many = await open({ poolSize: 40 });
    const meet = barrier(40);
    await many.use(() =>
      Promise.all(Array.from({ length: 40 }, () => many.transaction(() => Account.all().then(meet)))),
    );
    await change('bigint');
    const retries: unknown[] = [];
    many.on('transaction:retry', (event) => retries.push(event));
    expect(await many.use(() => Account.find(1))).toMatchObject({ balance: 100 });
    expect(await many.use(() => Account.count())).toBe(2);
    expect(await many.use(() => Account.all())).toHaveLength(2);
    expect(retries.length).toBeLessThanOrEqual(2); // all old sessions are retired at the first
  });

  test('a transaction runs again from the start', async () => {
    const one = await open({ poolSize: 1 });
    await one.use(() => Account.all());
    await change('bigint');
    let bodies = 0;
    const found = await one.transaction(() => {
      bodies += 1;
      return Account.all();
    });
    expect(found).toHaveLength(2);
    expect(bodies).toBe(2);
  });
});

test.each([
  [1, 8],
  [2, 16],
  [5, 128],
  [7, 500],
  [1_000, 500],
])('the pause after attempt %d is anything from 0 to %d ms', (attempt, bound) => {
  expect(pauseAfter(attempt, () => 0)).toBe(0);
  expect(pauseAfter(attempt, () => 0.5)).toBe(bound / 2);
  expect(pauseAfter(attempt, () => 1)).toBe(bound);
});

describe('retries of one process', () => {
  test('take turns, while first attempts are not held up', async () => {
    const meet = barrier(8);
    let first = 0;
    let retrying = 0;
    let mostRetrying = 0;
    const add = () =>
      db().transaction(async (tx) => {
        const account = await Account.find(1);
        if (tx.attempt === 1) {
          first += 1;
          await meet(); // all have read before one writes: one succeeds, the others start again
        } else mostRetrying = Math.max(mostRetrying, ++retrying);
        account.balance += 1;
        try {
          await account.save();
        } finally {
          if (tx.attempt > 1) retrying -= 1;
        }
      });
    await Promise.all(Array.from({ length: 8 }, add));
    expect((await Account.find(1)).balance).toBe(108);
    expect([first, mostRetrying]).toEqual([8, 1]);
  });
});
