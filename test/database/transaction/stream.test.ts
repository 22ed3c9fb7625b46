import { Column, DeadlockError, Id, Model, sql, Table } from 'bellwether';
import { errorOf, setUp, untilBlocked } from './support';

// Single statements of other processes queue for nothing, and there is always one under way: whoever reads a row before
// it writes it would never get in between.

const { database, db, open } = setUp('create table accounts (id int primary key, balance int not null)');
beforeEach(() =>
  database().pool.query('truncate accounts; insert into accounts select i, 0 from generate_series(1, 9) i'),
);

@Table('accounts')
class Account extends Model {
  @Id('integer') declare readonly id: number;
  @Column() declare balance: number;
}

const addBehind = (id = 1) => database().pool.query('update accounts set balance = balance + 1 where id = $1', [id]);
const balanceOf = async (id: number) =>
  (await database().pool.query<{ balance: number }>('select balance from accounts where id = $1', [id])).rows[0]!
    .balance;
const lockOfTable = `select mode from pg_locks where relation = 'accounts'::regclass and mode = 'ShareRowExclusiveLock' and granted`;

/** Reads, and then writes what somebody else has changed meanwhile, in so many attempts. @returns who held the table */
async function collide(on = db(), { times = 5 } = {}): Promise<boolean[]> {
  const held: boolean[] = [];
  await on.transaction(async (tx) => {
    const account = await Account.find(1);
    held.push((await database().pool.query(lockOfTable)).rowCount === 1);
    if (tx.attempt <= times) await addBehind();
    await account.update({ balance: account.balance + 1 });
  });
  return held;
}

/** Runs `caller` sixteen times at once beside four who add without a break. @returns how often they added */
async function besideStream(caller: () => Promise<void>): Promise<number> {
  let isDone = false;
  const stream = async (): Promise<number> => {
    for (let count = 0; ; count++) {
      if (isDone) return count;
      await addBehind();
    }
  };
  const streaming = Promise.all([stream(), stream(), stream(), stream()]);
  try {
    await Promise.all(Array.from({ length: 16 }, caller));
  } finally {
    isDone = true;
  }
  return (await streaming).reduce((sum, count) => sum + count);
}

test.each(['repeatable read', 'serializable'] as const)(
  '%s: transactions that read first come through beside an unbroken stream of single statements',
  async (isolation) => {
    const pool = await open({ poolSize: 16 });
    const streamed = await besideStream(async () => {
      for (let round = 0; round < 3; round++) {
        await pool.transaction({ isolation }, async () => {
          const account = await Account.find(1);
          await account.update({ balance: account.balance + 1 });
        });
      }
    });
    expect(await balanceOf(1)).toBe(streamed + 48);
  },
);

test('so do single statements at serializable', async () => {
  const pool = await open({ poolSize: 16 });
  const streamed = await besideStream(() =>
    pool.use(async () => {
      for (let round = 0; round < 10; round++) await Account.where({ id: 1 }).increment({ balance: 1 });
    }),
  );
  expect(await balanceOf(1)).toBe(streamed + 160);
});

test('the fifth failure over a row: the next attempt, and that one alone, has the table to itself', async () => {
  expect(await collide()).toEqual([false, false, false, false, false, true]);
  expect(await balanceOf(1)).toBe(6);
});

test('who writes to the table for long is not waited for long; nor is anybody kept waiting', async () => {
  const holder = await database().pool.connect();
  await holder.query('begin; update accounts set balance = 7 where id = 2');
  try {
    const retries: string[] = [];
    db().on('transaction:retry', ({ error }) => retries.push((error as { code: string }).code));
    expect(await collide(db(), { times: 6 })).toEqual(Array.from({ length: 6 }, () => false)); // 1 to 5, and 7
    expect(retries).toEqual(Array.from({ length: 6 }, () => 'E_SERIALIZATION_FAILURE'));
  } finally {
    await holder.query('commit');
    holder.release();
  }
  expect([await balanceOf(1), await balanceOf(2)]).toEqual([6, 7]);
});

test('with the table in hand no other lock is waited for longer than a moment: its holder may be waiting for the table', async () => {
  await database().pool.query('create table owners (id int primary key); insert into owners values (1)');
  const holder = await database().pool.connect();
  let waiting: Promise<unknown> | undefined;
  let deadlocks = 0;
  const off = db().on('transaction:retry', ({ error }) => (deadlocks += error instanceof DeadlockError ? 1 : 0));
  try {
    await db().transaction(async (tx) => {
      const account = await Account.find(1);
      if (tx.attempt <= 5) await addBehind();
      else if (!waiting) {
        await holder.query('begin; update owners set id = id');
        waiting = holder.query('update accounts set balance = balance + 10 where id = 2; commit');
        waiting.catch(() => undefined);
        await untilBlocked(database());
      }
      await sql`update owners set id = id where id = 1`.execute(db().kysely());
      await account.update({ balance: account.balance + 1 });
    });
    await waiting;
  } finally {
    off();
    holder.release();
  }
  expect(deadlocks).toBe(0);
  expect([await balanceOf(1), await balanceOf(2)]).toEqual([6, 10]);
});

test.each([
  [undefined, '200ms'],
  [3_000, '200ms'],
  [150, '150ms'],
])('nor longer than the transaction has for it: of %p ms, %s', async (lockTimeoutMs, bound) => {
  const bounds: unknown[] = [];
  await db().transaction({ ...(lockTimeoutMs && { lockTimeoutMs }) }, async (tx) => {
    const account = await Account.find(1);
    if (tx.attempt <= 5) await addBehind();
    await account.update({ balance: account.balance + 1 });
    bounds.push((await sql<{ lock_timeout: string }>`show lock_timeout`.execute(db().kysely())).rows[0]!.lock_timeout);
  });
  expect(bounds).toEqual([bound]);
});

test('who may not lock the table goes on as before', async () => {
  const role = `clerk_${process.pid}`;
  await database().pool.query(`
    create role ${role} login password 'secret';
    grant select on accounts to ${role};
    grant update (balance) on accounts to ${role};`);
  const url = new URL(database().url);
  [url.username, url.password] = [role, 'secret'];
  const clerk = await open({ url: url.href });
  try {
    expect(await collide(clerk, { times: 8 })).toEqual(Array.from({ length: 8 }, () => false)); // all but the 6th
    const tooFew = clerk.transaction({ attempts: 7 }, async () => {
      const account = await Account.find(1);
      await addBehind();
      await account.update({ balance: 0 });
    });
    expect(await errorOf(tooFew)).toMatchObject({ code: 'E_RETRIES_EXHAUSTED' });
  } finally {
    await clerk.close();
    await database().pool.query(`drop owned by ${role}; drop role ${role}`);
  }
});
