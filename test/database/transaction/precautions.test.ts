import { Column, currentTransaction, DeadlockError, Id, Model, Table } from 'bellwether';
import type { FrameworkEvents, IsolationLevel } from 'bellwether';
import { countRoundTrips } from 'bellwether/testing';
import { CommitTask } from '../../../framework/transaction/before-commit';
import { currentSession } from '../../../framework/transaction/current';
import { heldGuards, holdGuards } from '../../../framework/transaction/hold-guards';
import { MAKE_GUARDS, makeGuards } from '../../../framework/transaction/make-guards';
import { barrier, countingTrips, errorOf, setUp, signal, until, untilBlocked } from './support';

@Table('accounts')
class Account extends Model {
  @Id('integer') declare id: number;
  @Column('integer') declare balance: number;
}

const { database, db, open } = setUp(`create table accounts (id int primary key, balance int not null)`);
beforeEach(() => database().pool.query('truncate accounts; insert into accounts values (1, 100), (2, 100)'));

const scope = () => currentSession().scope!;
const hold = (...guards: number[]) => holdGuards(currentSession(), guards);
const balances = async () =>
  (await database().pool.query<{ balance: number }>('select balance from accounts order by id')).rows.map(
    (r) => r.balance,
  );

/** What is told of retries while `body` runs. */
async function retries(body: () => Promise<unknown>): Promise<FrameworkEvents['transaction:retry'][]> {
  const heard: FrameworkEvents['transaction:retry'][] = [];
  const off = db().on('transaction:retry', (event) => heard.push(event));
  await body();
  off();
  return heard;
}

describe('a transaction that asks for a precaution', () => {
  test('runs again with it taken before anything else, at once, and as no attempt of its own', async () => {
    const seen: unknown[] = [];
    const heard = await retries(() =>
      db().transaction({ attempts: 1, isolation: 'repeatable read' }, async (tx) => {
        seen.push(tx.attempt);
        if (tx.attempt === 1) scope().transaction.runAgainWith({ tables: ['accounts'] });
        await Account.first();
        const { rows } = await database().pool.query(
          `select from pg_locks where relation = 'accounts'::regclass and mode = 'ShareRowExclusiveLock'`,
        );
        seen.push(rows.length);
      }),
    );
    expect(seen).toEqual([1, 2, 1]);
    expect(heard).toEqual([expect.objectContaining({ attempt: 1, pauseMs: 0 })]);
    expect(heard[0]!.error).toMatchObject({ code: 'E_PRECAUTION_NEEDED' });
  });

  test.each<IsolationLevel>(['repeatable read', 'serializable'])(
    'sees under %s what was committed while it waited for the table',
    async (isolation) => {
      const [locked, waiting] = [signal(), signal()];
      const other = db().transaction({ isolation: 'read committed' }, async () => {
        await Account.where({ id: 1 }).increment({ balance: 11 });
        locked.give();
        await waiting.promise;
      });
      await locked.promise;
      const seen = db().transaction({ isolation }, async (tx) => {
        if (tx.attempt === 1) scope().transaction.runAgainWith({ tables: ['accounts'] });
        return (await Account.find(1)).balance;
      });
      await untilBlocked(database());
      waiting.give();
      await other;
      expect(await seen).toBe(111);
    },
  );

  test('takes several tables in one order, whatever order they were asked for in', async () => {
    await database().pool.query('create table if not exists others (id int primary key)');
    const [locked, done] = [signal(), signal()];
    const holder = db().transaction({ isolation: 'read committed' }, async () => {
      await Account.where({ id: 1 }).increment({ balance: 1 });
      locked.give();
      await done.promise;
    });
    await locked.promise;
    const wanting = (tables: readonly string[]) =>
      db().transaction(async (tx) => {
        if (tx.attempt === 1) scope().transaction.runAgainWith({ tables });
        await Account.first();
      });
    const both = [wanting(['accounts', 'others']), wanting(['others', 'accounts'])];
    await untilBlocked(database(), 2);
    const heard = await retries(() => {
      done.give();
      return Promise.all([holder, ...both]);
    });
    expect(heard).toEqual([]); // of no deadlock
  });

  test('is run again as a whole from within a savepoint, though the body catches it', async () => {
    const ran: number[] = [];
    await db().transaction(async (tx) => {
      ran.push(tx.attempt);
      await Account.where({ id: 1 }).increment({ balance: 1 });
      await db()
        .transaction({ savepoint: true }, async () => {
          if (tx.attempt === 1) scope().transaction.runAgainWith({ tables: ['accounts'] });
          await Account.where({ id: 2 }).increment({ balance: 1 });
        })
        .catch(() => undefined);
    });
    expect(ran).toEqual([1, 2]);
    expect(await balances()).toEqual([101, 101]);
  });

  test('takes it in the flight of BEGIN', async () => {
    await makeGuards(currentSession().pool);
    const tap = await countRoundTrips(database().url);
    const counted = await open({ url: tap.url });
    await counted.use(async () => Account.first());
    const trips = await tap.count(() =>
      counted.transaction(async (tx) => {
        if (tx.attempt === 1) scope().transaction.runAgainWith({ tables: ['accounts'], guards: [1] });
        await Account.first();
      }),
    );
    expect(trips).toBe(2); // BEGIN, both locks and the read; COMMIT
    await tap.close();
  });

  test('that is not to be had in time fails with the lock, at the first statement of the body', async () => {
    const [locked, done] = [signal(), signal()];
    const other = db().transaction(async () => {
      await Account.where({ id: 1 }).increment({ balance: 1 });
      locked.give();
      await done.promise;
    });
    await locked.promise;
    const error = await errorOf(
      db().transaction({ lockTimeoutMs: 20 }, async (tx) => {
        if (tx.attempt === 1) scope().transaction.runAgainWith({ tables: ['accounts'] });
        await Account.find(2);
      }),
    );
    expect(error).toMatchObject({ code: 'E_LOCK_NOT_AVAILABLE', recovery: 'try-later' });
    done.give();
    await other;
  });

  test('asks without end: the attempts bound it', async () => {
    const error = await errorOf(
      db().transaction({ attempts: 2 }, () => scope().transaction.runAgainWith({ tables: ['accounts'] })),
    );
    expect(error).toMatchObject({ code: 'E_RETRIES_EXHAUSTED', cause: { code: 'E_PRECAUTION_NEEDED' } });
  });
});

describe('work before COMMIT', () => {
  class Recorder extends CommitTask<string> {
    readonly ran: string[][] = [];
    during: () => unknown = () => undefined;
    async run(notes: ReadonlyMap<string, string>): Promise<void> {
      this.ran.push([...notes.values()]);
      await this.during();
    }
  }

  test('runs after the body, over each key once, in the transaction, with what nobody awaited done', async () => {
    const task = new Recorder();
    task.during = () => Account.where({ id: 2 }).increment({ balance: 5 });
    await db().transaction(() => {
      scope().notes.add(task, 'a', 'first a');
      scope().notes.add(task, 'a', 'second a');
      void db().transaction({ savepoint: true }, async () => {
        await Account.where({ id: 1 }).increment({ balance: 5 });
        scope().notes.add(task, 'b', 'b');
      });
      expect(task.ran).toEqual([]);
      return Promise.resolve();
    });
    expect(task.ran).toEqual([['first a', 'b']]);
    expect(await balances()).toEqual([105, 105]);
  });

  test('forgets what was noted behind a savepoint that is undone', async () => {
    const task = new Recorder();
    await db().transaction(async () => {
      const undone = db().transaction({ savepoint: true }, () => {
        scope().notes.add(task, 'a', 'a');
        throw new Error('undone');
      });
      await undone.catch(() => undefined);
    });
    expect(task.ran).toEqual([]);
  });

  test('rolls the whole back by what it throws, and notes more until nothing is left', async () => {
    const task = new Recorder();
    task.during = () => {
      if (task.ran.length === 3) throw new RangeError('enough');
      scope().notes.add(task, String(task.ran.length), String(task.ran.length));
    };
    const effects: string[] = [];
    const whole = db().transaction(async () => {
      await Account.where({ id: 1 }).increment({ balance: 5 });
      currentTransaction()?.afterRollback(() => void effects.push('rolled back'));
      scope().notes.add(task, '0', '0');
    });
    await expect(whole).rejects.toThrow(RangeError);
    expect(task.ran).toEqual([['0'], ['1'], ['2']]);
    expect(await balances()).toEqual([100, 100]);
    expect(effects).toEqual(['rolled back']);
  });
});

describe('guards', () => {
  test('their table is made by whoever finds it missing, by several at once', async () => {
    await database().pool.query('drop table if exists bellwether_guards');
    const all = barrier(4);
    await Promise.all(
      [1, 2, 3, 4].map((guard) =>
        db().transaction(async (tx) => {
          if (tx.attempt === 1) await all();
          await hold(guard);
          await Account.first();
        }),
      ),
    );
    const { rows } = await database().pool.query(
      'select count(*)::int as n, sum(turn)::int as turns from bellwether_guards',
    );
    expect(rows).toEqual([{ n: 4096, turns: 4 }]);
  });

  test('of those of a process that find it missing at once, one makes it', async () => {
    await countingTrips(database(), async (tripsOf) => {
      const { pool } = currentSession();
      expect(await tripsOf(() => Promise.all([1, 2, 3, 4].map(() => makeGuards(pool))))).toBe(1);
      expect(await tripsOf(() => makeGuards(pool))).toBe(1);
    });
  });

  test('a guard whose row is gone is made again', async () => {
    await makeGuards(currentSession().pool);
    await database().pool.query('delete from bellwether_guards where bucket = 7');
    await db().transaction(async () => {
      await hold(7);
      await Account.first();
    });
    const { rows } = await database().pool.query('select turn::int from bellwether_guards where bucket = 7');
    expect(rows).toEqual([{ turn: 1 }]);
  });

  test('a session that is ended while it makes their table: the next one makes it', async () => {
    await database().pool.query('drop table if exists bellwether_guards');
    const maker = await database().pool.connect();
    await maker.query(`begin; ${MAKE_GUARDS}`);
    const held = db().transaction(async () => {
      await hold(7);
      await Account.first();
    });
    await database().pool.query('select pg_terminate_backend($1)', [await untilBlocked(database())]);
    await until(database(), `select 1 from pg_locks where locktype = 'advisory' and not granted`);
    await maker.query('rollback');
    maker.release();
    await held;
  });

  test('where it may not be made, the error says who can', async () => {
    await database().pool.query('drop table if exists bellwether_guards; drop role if exists nobody_much');
    await database().pool.query(`create role nobody_much login password 'nobody'`);
    const url = new URL(database().url);
    url.username = 'nobody_much';
    url.password = 'nobody';
    const poor = await open({ url: url.href });
    const error = await errorOf(poor.transaction(() => holdGuards(currentSession(), [1])));
    expect(error.code).toBe('E_GUARDS_MISSING');
  });

  test('are held once, and those of a savepoint that is undone are not', async () => {
    await makeGuards(currentSession().pool);
    await db().transaction({ isolation: 'read committed' }, async () => {
      await hold(3, 5);
      await hold(5);
      const undone = db().transaction({ savepoint: true }, async () => {
        await hold(9);
        throw new Error('undone');
      });
      await undone.catch(() => undefined);
      expect([...heldGuards(scope())]).toEqual([3, 5]);
    });
    const { rows } = await database().pool.query(
      'select bucket, turn::int from bellwether_guards where turn > 0 order by 1',
    );
    expect(rows).toEqual([3, 5].map((bucket) => ({ bucket, turn: 1 })));
  });

  test.each<IsolationLevel>(['read committed', 'repeatable read', 'serializable'])(
    'taken in crossing orders by 16 callers at %s, they deadlock nobody',
    async (isolation) => {
      await makeGuards(currentSession().pool);
      const pool = await open({ poolSize: 16 });
      let deadlocks = 0;
      pool.on('transaction:retry', ({ error }) => (deadlocks += error instanceof DeadlockError ? 1 : 0));
      await pool.use(() =>
        Promise.all(
          Array.from({ length: 16 }, (_, n) =>
            pool.transaction({ isolation }, async () => {
              const [first, second] = n % 2 === 0 ? [100, 200] : [200, 100];
              await hold(first);
              await hold(second);
              const { balance } = await Account.find(1);
              await Account.where({ id: 1 }).updateAll({ balance: balance + 1 });
            }),
          ),
        ),
      );
      expect(await balances()).toEqual([116, 100]);
      expect(deadlocks).toBe(0);
    },
  );

  test.each<IsolationLevel>(['read committed', 'repeatable read', 'serializable'])(
    'that come with BEGIN are in hand before the first statement: at %s it waits for none below them',
    async (isolation) => {
      await makeGuards(currentSession().pool);
      const other = await database().pool.connect();
      const deadlocks: unknown[] = [];
      const off = db().on('transaction:retry', ({ error }) => error instanceof DeadlockError && deadlocks.push(error));
      const take = (guard: number) =>
        other.query(`update bellwether_guards set turn = turn + 1 where bucket = ${guard}`);
      try {
        await other.query('begin');
        await take(100);
        const whole = db().transaction({ isolation }, async (tx) => {
          if (tx.attempt === 1) scope().transaction.runAgainWith({ guards: [200] });
          await hold(100);
          await Account.first();
        });
        await untilBlocked(database());
        await take(200); // nobody has it who waits for the other
        await other.query('commit');
        await whole;
        expect(deadlocks).toEqual([]);
      } finally {
        off();
        other.release();
      }
    },
  );

  test('wanted by a line for a row that its holder wants too, it is waited for once, and not by one after the other', async () => {
    await makeGuards(currentSession().pool);
    const pool = await open({ poolSize: 17, isolation: 'read committed' });
    const [held, inLine] = [signal(), signal()];
    const deadlocks: unknown[] = [];
    pool.on('transaction:retry', ({ error }) => error instanceof DeadlockError && deadlocks.push(error));
    const add = () => Account.where({ id: 1 }).increment({ balance: 1 });
    const first = pool.transaction(async (tx) => {
      if (tx.attempt === 1) scope().transaction.runAgainWith({ guards: [7] });
      await Account.first();
      held.give();
      await inLine.promise;
      await add();
    });
    await held.promise;
    const line = Array.from({ length: 16 }, () =>
      pool.transaction(async () => {
        await add();
        await hold(7);
      }),
    );
    await untilBlocked(database(), 16);
    inLine.give();
    await Promise.all([first, ...line]);
    expect(deadlocks).toEqual([]);
    expect(await balances()).toEqual([117, 100]);
  });
});
