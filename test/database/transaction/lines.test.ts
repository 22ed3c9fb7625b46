import { Column, Id, Model, sql, Table } from 'bellwether';
import type { Database, TransactionOptions } from 'bellwether';
import { countRoundTrips } from 'bellwether/testing';
import { barrier, errorOf, reasonOf, setUp, signal, until, untilBlocked } from './support';

@Table('accounts')
class Account extends Model {
  @Id('integer') declare id: number;
  @Column('integer') declare balance: number;
}

// What is written into `late` says what happens at the COMMIT of its transaction.
const { database, open } = setUp(`
  create table accounts (id int primary key, balance int not null);
  create table late (deed text);
  create function at_commit() returns trigger language plpgsql as $$ begin
    case new.deed
      when 'refuse' then raise exception 'no' using errcode = '23514';
      when 'terminate' then perform pg_terminate_backend(pg_backend_pid());
      when 'cancel' then perform pg_cancel_backend(pg_backend_pid());
      when 'wait' then perform pg_advisory_xact_lock_shared(42);
    end case;
    return new;
  end $$;
  create constraint trigger late after insert on late deferrable initially deferred for each row execute function at_commit();`);
beforeEach(() => database().pool.query('truncate accounts, late; insert into accounts values (1, 1000), (2, 1000)'));
afterEach(async () => {
  // Whatever happened: nobody keeps a place in a queue.
  await until(
    database(),
    `select true where not exists (select from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database()))`,
  );
});

const balance = async () =>
  (await database().pool.query<{ balance: number }>('select balance from accounts where id = 1')).rows[0]!.balance;

/** Two transactions collide over the first account, so that those that follow stand in line for it. */
async function heat(db: Database): Promise<void> {
  const meet = barrier(2);
  const collide = () =>
    db.transaction(async (tx) => {
      const account = await Account.find(1);
      if (tx.attempt === 1) await meet();
      await account.update({ balance: account.balance + 1 });
    });
  await Promise.all([collide(), collide()]);
  await database().pool.query('update accounts set balance = 1000');
}

/** How a withdrawal ends: by what its COMMIT does, or by an error of its body. */
interface Ending {
  readonly deed?: string;
  readonly fails?: boolean;
}

/** Takes 1 from the first account. @returns how often the body ran */
async function withdraw(db: Database, options: TransactionOptions & Ending = {}): Promise<number> {
  const { deed, fails, ...others } = options;
  let bodies = 0;
  await db.transaction(others, async () => {
    bodies += 1;
    const account = await Account.find(1);
    await account.update({ balance: account.balance - 1 });
    if (deed !== undefined) await sql`insert into late values (${deed})`.execute(db.kysely());
    if (fails) throw new Error('changed my mind');
  });
  return bodies;
}

/** A transaction that is being served, until it is told to go on. */
async function served(db: Database): Promise<{ readonly goOn: () => void; readonly done: Promise<unknown> }> {
  const [entered, release] = [signal(), signal()];
  const done = db.transaction(async () => {
    await Account.find(1);
    entered.give();
    await release.promise;
  });
  await entered.promise;
  return { goOn: release.give, done };
}

describe('those who wait in line', () => {
  test('wait without a session, so that others find one', async () => {
    const db = await open({ poolSize: 2, acquireTimeoutMs: 5_000 });
    await db.use(async () => {
      await heat(db);
      const first = await served(db);
      const waiting = Array.from({ length: 20 }, () => withdraw(db));
      expect((await Account.find(2)).balance).toBe(1000);
      await db.transaction(async () => (await Account.find(2)).update({ balance: 5 }));
      first.goOn();
      await Promise.all([first.done, ...waiting]);
      expect(await balance()).toBe(980);
    });
  });

  test('are handed the session in the flight of the COMMIT before theirs: two round trips each', async () => {
    const counter = await countRoundTrips(database().url);
    const db = await open({ url: counter.url, poolSize: 4 });
    await db.use(async () => {
      await heat(db);
      const first = await served(db);
      const trips = await counter.count(async () => {
        const waiting = Array.from({ length: 20 }, () => withdraw(db));
        first.goOn();
        await Promise.all([first.done, ...waiting]);
      });
      expect(trips).toBe(1 + 20 * 2);
      expect(await balance()).toBe(980);
    });
    await db.close();
    await counter.close();
  });

  test('let another process in between, after eight', async () => {
    const [one, other] = [await open({ poolSize: 2 }), await open({ poolSize: 2 })];
    await one.use(() => heat(one));
    await other.use(() => heat(other));
    const order: string[] = [];
    const first = await one.use(() => served(one));
    const there = other.use(() => withdraw(other)).then(() => order.push('other'));
    await untilBlocked(database());
    const here = Array.from({ length: 20 }, () => one.use(() => withdraw(one)).then(() => order.push('one')));
    first.goOn();
    await Promise.all([first.done, there, ...here]);
    expect(order.indexOf('other')).toBeLessThanOrEqual(9);
    expect(await balance()).toBe(979);
  });

  test('let callers in between who wait for a session of the pool, after eight', async () => {
    const db = await open({ poolSize: 2, acquireTimeoutMs: 10_000 });
    await db.use(async () => {
      await heat(db);
      const first = await served(db);
      const [entered, release] = [signal(), signal()];
      const busy = db.transaction(async () => {
        await Account.find(2);
        entered.give();
        await release.promise;
      });
      await entered.promise;
      const order: string[] = [];
      const waiting = Array.from({ length: 20 }, () => withdraw(db).then(() => order.push('in line')));
      const others = Array.from({ length: 3 }, () => Account.find(2).then(() => order.push('at the pool')));
      await new Promise(setImmediate);
      first.goOn();
      await Promise.all([first.done, ...waiting, ...others]);
      release.give();
      await busy;
      expect(order.lastIndexOf('at the pool')).toBeLessThanOrEqual(11);
      expect(await balance()).toBe(980);
    });
  });

  test('do not wait for a body whose session the server has ended', async () => {
    const db = await open({ poolSize: 4 });
    await db.use(async () => {
      await heat(db);
      const first = await served(db);
      const ended: string[] = [];
      const waiting = Array.from({ length: 3 }, () => withdraw(db).then(() => ended.push('patient')));
      const hasty = withdraw(db, { lockTimeoutMs: 3_000 }).then(() => ended.push('hasty')); // the last in line, unless it has to wait
      await database().pool.query(`
        select pg_terminate_backend(pid) from pg_locks join pg_stat_activity using (pid)
        where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database()) and datname = current_database()`);
      await Promise.all([...waiting, hasty]);
      first.goOn();
      await first.done; // nothing was written, so it was run again
      expect(ended).toEqual(['patient', 'patient', 'patient', 'hasty']);
      expect(await balance()).toBe(996);
    });
  });

  test('go ahead beside it when it stands still for too long, and serializable decides', async () => {
    const db = await open({ poolSize: 4 });
    await db.use(async () => {
      await heat(db);
      const first = await served(db);
      expect(await withdraw(db, { lockTimeoutMs: 50 })).toBe(1);
      first.goOn();
      await first.done;
      expect(await withdraw(db)).toBe(1);
      expect(await balance()).toBe(998);
    });
  });

  test('leave it when they are called off from within, and let the session go when it comes', async () => {
    const db = await open({ poolSize: 1 });
    await db.use(async () => {
      const controller = new AbortController();
      const entered = signal();
      const first = await served(db); // the pool has no other session
      const called = db.transaction(() => {
        entered.give();
        return db.use({ signal: controller.signal }, () => Account.find(1));
      });
      const next = withdraw(db);
      await entered.promise;
      controller.abort();
      expect((await errorOf(called)).code).toBe('E_ABORTED');
      first.goOn();
      await first.done;
      expect(await next).toBe(1);
    });
  });

  test('leave it when they are called off', async () => {
    const db = await open({ poolSize: 2 });
    await db.use(async () => {
      await heat(db);
      const first = await served(db);
      const controller = new AbortController();
      const [called, after] = [withdraw(db, { signal: controller.signal }), withdraw(db)];
      controller.abort();
      expect((await errorOf(called)).code).toBe('E_ABORTED');
      first.goOn();
      await first.done;
      expect(await after).toBe(1);
      expect(await balance()).toBe(999);
    });
  });
});

describe('whoever is handed a session does not suffer from', () => {
  test.each([
    ['refuse', 'E_CHECK_VIOLATION'],
    ['cancel', 'E_STATEMENT_CANCELLED'],
    ['terminate', undefined],
  ] as const)('a COMMIT before it that ends by: %s', async (deed, code) => {
    const db = await open({ poolSize: 2 });
    await db.use(async () => {
      await heat(db);
      const first = await served(db);
      const failing = errorOf(withdraw(db, { deed, attempts: 1 }));
      const undone = reasonOf(withdraw(db, { fails: true, attempts: 1 }));
      const good = Array.from({ length: 5 }, () => withdraw(db));
      first.goOn();
      await first.done;
      const error = await failing;
      if (code !== undefined) expect(error.code).toBe(code);
      expect(await undone).toMatchObject({ message: 'changed my mind' });
      await Promise.all(good);
      expect(await balance()).toBe(995);
    });
  });

  test('a COMMIT before it that is called off', async () => {
    const db = await open({ poolSize: 2 });
    const holder = await database().pool.connect();
    await db.use(async () => {
      await heat(db);
      await holder.query('select pg_advisory_lock(42), pg_advisory_lock(43)');
      const first = await served(db);
      const controller = new AbortController();
      const before = reasonOf(withdraw(db, { deed: 'wait', signal: controller.signal }));
      const after = db.transaction(async () => {
        await Promise.all([Account.find(1), sql`select pg_advisory_xact_lock(43)`.execute(db.kysely())]);
      });
      first.goOn();
      await first.done;
      await untilBlocked(database());
      controller.abort();
      expect(await before).toMatchObject({ code: 'E_ABORTED' });
      await untilBlocked(database());
      await holder.query('select pg_advisory_unlock(42), pg_advisory_unlock(43)');
      await after;
      expect(await balance()).toBe(1000);
    });
    holder.release();
  });
});

test('whoever is called off does not take the COMMIT before it along', async () => {
  const db = await open({ poolSize: 2 });
  const holder = await database().pool.connect();
  await db.use(async () => {
    await heat(db);
    await holder.query('select pg_advisory_lock(42)');
    const first = await served(db);
    const controller = new AbortController();
    const before = withdraw(db, { deed: 'wait' });
    const entered = signal();
    const after = db.transaction(async () => {
      entered.give();
      await db.use({ signal: controller.signal }, () => Account.find(1));
    });
    first.goOn();
    await first.done;
    await untilBlocked(database());
    await entered.promise;
    controller.abort();
    const failing = reasonOf(after);
    // A request to cancel comes on a connection of its own: those that are opened later are served later.
    for (let count = 0; count < 5; count++) await (await open({ poolSize: 1 })).close();
    await holder.query('select pg_advisory_unlock(42)');
    expect(await before).toBe(1);
    expect(await failing).toMatchObject({ code: 'E_ABORTED' });
    expect(await balance()).toBe(999);
    expect(await withdraw(db)).toBe(1);
  });
  holder.release();
});
