import { Column, Id, Model, sql, Table, Transactional } from 'bellwether';
import type { Database, IsolationLevel } from 'bellwether';
import { countRoundTrips } from 'bellwether/testing';
import { barrier, errorOf, setUp, signal, until, untilBlocked } from './support';

@Table('accounts')
class Account extends Model {
  @Id('integer') declare id: number;
  @Column('integer') declare balance: number;

  @Transactional()
  async withdraw(amount: number): Promise<void> {
    const { balance } = await Account.find(this.id);
    if (balance < amount) throw new Error('insufficient');
    const fresh = await Account.find(this.id);
    await fresh.update({ balance: fresh.balance - amount });
  }
}

const { database, db, open } = setUp('create table accounts (id int primary key, balance int not null)');
beforeEach(() =>
  database().pool.query(
    'truncate accounts; insert into accounts select i, 1000 from generate_series(1, 2000) i; analyze accounts',
  ),
);
afterEach(async () => {
  // Whatever happened: nobody keeps a place in a queue.
  expect(
    (
      await database().pool.query(
        `select from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
      )
    ).rowCount,
  ).toBe(0);
});

const balanceOf = async (id: number) =>
  (await database().pool.query<{ balance: number }>('select balance from accounts where id = $1', [id])).rows[0]!
    .balance;

/** Finds, checks, changes, saves. @returns how often the body ran */
async function withdraw(on: Database, id: number, isolation?: IsolationLevel): Promise<number> {
  let bodies = 0;
  await on.transaction({ ...(isolation && { isolation }) }, async () => {
    bodies += 1;
    const account = await Account.find(id);
    if (account.balance < 1) throw new Error('insufficient');
    account.balance -= 1;
    await account.save();
  });
  return bodies;
}

/** Two transactions collide over the row, so that the next ones queue for it. */
async function heat(on: Database, id: number): Promise<void> {
  const meet = barrier(2);
  const collide = () =>
    on.transaction(async (tx) => {
      const account = await Account.find(id);
      if (tx.attempt === 1) await meet();
      await account.update({ balance: account.balance + 1 });
    });
  await Promise.all([collide(), collide()]);
}

describe('one hot row, wanted by many', () => {
  const ROUNDS = 8;
  test.each([
    [16, 'serializable'],
    [64, 'serializable'],
    [64, 'repeatable read'],
  ] as const)('%d callers at %s, pool of 16: all succeed, nearly all at the first attempt', async (callers, level) => {
    const pool = await open({ poolSize: 16 });
    let bodies = 0;
    const caller = async () => {
      for (let round = 0; round < ROUNDS; round++) bodies += await withdraw(pool, 1, level);
    };
    await pool.use(() => Promise.all(Array.from({ length: callers }, caller)));
    const commits = callers * ROUNDS;
    expect(await balanceOf(1)).toBe(1000 - commits);
    // The first of each session fail, before anybody knows; retries that take no turns need several times as many.
    expect(bodies).toBeLessThanOrEqual(commits + 32);
  });

  test('as an operation of the record: the same', async () => {
    const pool = await open({ poolSize: 16 });
    let retries = 0;
    pool.on('transaction:retry', () => (retries += 1));
    const account = await Account.find(1);
    await pool.use(() => Promise.all(Array.from({ length: 64 }, () => account.withdraw(2))));
    expect(await balanceOf(1)).toBe(1000 - 128);
    expect(retries).toBeLessThanOrEqual(32);
  });

  test('a single statement: the same', async () => {
    const pool = await open({ poolSize: 16 });
    let retries = 0;
    pool.on('transaction:retry', () => (retries += 1));
    const caller = async () => {
      for (let round = 0; round < ROUNDS; round++) {
        expect(await Account.where({ id: 1 }).where('balance', '>', 0).decrement({ balance: 1 })).toBe(1);
      }
    };
    await pool.use(() => Promise.all(Array.from({ length: 64 }, caller)));
    expect(await balanceOf(1)).toBe(1000 - 64 * ROUNDS);
    expect(retries).toBeLessThanOrEqual(32);
  });

  test('transactions that begin at another row: they learn what they collide over', async () => {
    const pool = await open({ poolSize: 16 });
    let bodies = 0;
    const caller = async (_: unknown, own: number) => {
      for (let round = 0; round < ROUNDS; round++) {
        await pool.transaction(async () => {
          bodies += 1;
          await Account.find(100 + own);
          const account = await Account.find(1);
          await account.update({ balance: account.balance - 1 });
        });
      }
    };
    await pool.use(() => Promise.all(Array.from({ length: 32 }, caller)));
    expect(await balanceOf(1)).toBe(1000 - 32 * ROUNDS);
    expect(bodies).toBeLessThanOrEqual(32 * ROUNDS + 64);
  });

  test('two rows in either order: no deadlock, no storm', async () => {
    const pool = await open({ poolSize: 16 });
    let retries = 0;
    pool.on('transaction:retry', () => (retries += 1));
    const transfer = async (from: number, to: number) => {
      for (let round = 0; round < ROUNDS; round++) {
        await pool.transaction(async () => {
          const rows = await Account.where({ id: [from, to] });
          const of = (id: number) => rows.find((row) => row.id === id)!;
          of(from).balance -= 1;
          of(to).balance += 1;
          await of(from).save();
          await of(to).save();
        });
      }
    };
    await pool.use(() =>
      Promise.all(Array.from({ length: 32 }, (_, index) => (index % 2 === 0 ? transfer(1, 2) : transfer(2, 1)))),
    );
    expect((await balanceOf(1)) + (await balanceOf(2))).toBe(2000);
    expect(retries).toBeLessThanOrEqual(48);
  });

  test('write skew by a condition: those who read the same queue for one another', async () => {
    const pool = await open({ poolSize: 16 });
    let bodies = 0;
    const caller = async (_: unknown, index: number) => {
      for (let round = 0; round < 4; round++) {
        await pool.transaction(async () => {
          bodies += 1;
          const sum = await Account.where('id', '<=', 4).sum('balance');
          if (sum > 0) await Account.where({ id: 1 + (index % 4) }).decrement({ balance: 1 });
        });
      }
    };
    await pool.use(() => Promise.all(Array.from({ length: 16 }, caller)));
    const left = await Promise.all([1, 2, 3, 4].map(balanceOf));
    expect(left.reduce((a, b) => a + b)).toBe(4000 - 64);
    expect(bodies).toBeLessThanOrEqual(64 + 48);
  });
});

describe('the queue', () => {
  test('costs no round trip, and is not there for a row that nobody fights for', async () => {
    const counter = await countRoundTrips(database().url);
    const far = await open({ url: counter.url, poolSize: 2 });
    const sent: string[] = [];
    const held = `select count(*)::int from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database()) and granted`;
    await far.use(async () => {
      await withdraw(far, 1);
      expect(await counter.count(() => withdraw(far, 1))).toBe(3);
      await heat(far, 1);
      expect(await counter.count(() => withdraw(far, 1))).toBe(3);
      await far.transaction(async () => {
        await Account.find(1);
        sent.push(String((await database().pool.query<{ count: number }>(held)).rows[0]!.count));
      });
      await far.transaction(async () => {
        await Account.find(2);
        sent.push(String((await database().pool.query<{ count: number }>(held)).rows[0]!.count));
      });
    });
    expect(sent).toEqual(['1', '0']);
    await far.close();
    await counter.close();
  });

  test('of one row holds up nobody at another, hot as it may be', async () => {
    const [pool, other] = [await open({ poolSize: 8 }), await open({ poolSize: 8 })];
    for (const id of [1, 2]) await other.use(() => heat(other, id));
    await pool.use(async () => {
      await heat(pool, 1);
      await heat(pool, 2);
      const [entered, release] = [signal(), signal()];
      const holding = pool.transaction(async () => {
        await Account.find(1);
        entered.give();
        await release.promise;
      });
      await entered.promise;
      const here = withdraw(pool, 1);
      const there = other.use(() => withdraw(other, 1));
      await untilBlocked(database());
      expect(await withdraw(pool, 2)).toBe(1);
      expect(await other.use(() => withdraw(other, 2))).toBe(1);
      release.give();
      await holding;
      expect([await here, await there]).toEqual([1, 1]);
    });
  });

  test.each([{ lockTimeoutMs: 50 }, { statementTimeoutMs: 50 }, { retryBudgetMs: 50 }])(
    'is courtesy: who cannot wait any longer (%p) goes ahead without it',
    async (options) => {
      const pool = await open({ poolSize: 4 });
      await pool.use(async () => {
        await heat(pool, 1);
        const [entered, release] = [signal(), signal()];
        const holding = pool.transaction(async () => {
          await Account.find(1);
          entered.give();
          await release.promise;
        });
        await entered.promise;
        const seen = await pool.transaction(options, () => Account.find(1)); // the other one has only read
        expect(seen.id).toBe(1);
        release.give();
        await holding;
      });
    },
  );

  test.each<[how: string, end: (on: Database) => Promise<unknown>]>([
    ['an error of the body', (on) => on.transaction(() => Account.find(1).then(() => Promise.reject(new Error('x'))))],
    ['a failed statement', (on) => on.transaction(() => Account.find(1).then(() => sql`x`.execute(on.kysely())))],
    [
      'a COMMIT that is refused',
      (on) =>
        on.transaction(async () => {
          await Account.find(1);
          await sql`insert into late values (1)`.execute(on.kysely());
        }),
    ],
    [
      'the end of its session',
      (on) =>
        on.transaction(async () => {
          await Account.find(1);
          await sql`select pg_terminate_backend(pg_backend_pid())`.execute(on.kysely());
        }),
    ],
  ])('is left after %s', async (_how, end) => {
    await database().pool.query(`
      create table if not exists late (id int);
      create or replace function refuse() returns trigger language plpgsql as $$ begin raise exception 'no' using errcode = '23514'; end $$;
      drop trigger if exists late on late;
      create constraint trigger late after insert on late deferrable initially deferred for each row execute function refuse();`);
    const pool = await open({ poolSize: 2 });
    await pool.use(async () => {
      await heat(pool, 1);
      await errorOf(end(pool)).catch(() => undefined);
      await until(
        database(),
        `select true where not exists (select from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database()))`,
      );
      expect(await withdraw(pool, 1)).toBe(1);
    });
  });

  test('is not for readers, nor for read committed', async () => {
    const pool = await open({ poolSize: 4 });
    await pool.use(async () => {
      await heat(pool, 1);
      const held = async () =>
        (
          await database().pool.query(
            `select from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
          )
        ).rowCount;
      for (const options of [{ readOnly: true }, { isolation: 'read committed' }] as const) {
        await pool.transaction(options, async () => {
          await Account.find(1);
          expect(await held()).toBe(0);
        });
      }
    });
  });
});

test('the database of the file works after all this', async () => {
  expect(await withdraw(db(), 3)).toBe(1);
});
