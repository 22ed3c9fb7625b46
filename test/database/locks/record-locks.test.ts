import { advisoryLock, BelongsTo, Column, HasMany, Id, Model, Table } from 'bellwether';
import type { BellwetherError } from 'bellwether';
import { barrier, countingTrips, errorOf, setUp, signal, untilBlocked } from '../transaction/support';

@Table('accounts')
class Account extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare owner: string;
  @Column() declare balance: bigint;
  @HasMany(() => Entry) declare entries: HasMany<Entry>;
}

@Table('entries')
class Entry extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Account) declare account: BelongsTo<Account>;
}

@Table('tags')
class Tag extends Model {
  @Id('uuid') declare readonly id: string;
}

const { database, db, open } = setUp(`
  create table accounts (id bigint generated always as identity primary key, owner text not null, balance bigint not null);
  create table entries (id bigint generated always as identity primary key, account_id bigint not null references accounts);
  create table tags (id uuid primary key);
`);

const ROWS = 8;
beforeEach(async () => {
  await database().pool.query(`truncate accounts, entries, tags restart identity;
    insert into accounts (owner, balance) select 'owner ' || n, 100 from generate_series(1, ${ROWS}) as n;
    insert into entries (account_id) values (1), (1)`);
});

/** Runs `body` while another session holds what `lock` locks. */
async function whileLocked(lock: string, body: () => Promise<void>): Promise<void> {
  const client = await database().pool.connect();
  try {
    await client.query('begin');
    await client.query(lock);
    await body();
  } finally {
    await client.query('rollback');
    client.release();
  }
}

const ROW_1 = 'select from accounts where id = 1 for update';

describe('a query', () => {
  test.each([
    ['nowait', 'nowait'],
    ['a bounded wait', { timeoutMs: 20 }],
  ] as const)('with %s is refused, and the transaction goes on', async (_name, wait) => {
    await whileLocked(ROW_1, () =>
      db().transaction(async () => {
        const refusal = await errorOf(Account.lock('for update', wait).find(1n));
        expect(refusal.code).toBe('E_LOCK_NOT_AVAILABLE');
        expect(await Account.where('id', '>', 1n).lock('for update', wait).count()).toBe(ROWS - 1);
        await Account.create({ owner: 'after', balance: 0n });
      }),
    );
    expect(await Account.count()).toBe(ROWS + 1);
  });

  test.each([
    [undefined, '0'],
    [5_000, '5s'],
  ])('with a bounded wait puts the bound of the transaction back: %s', async (lockTimeoutMs, shown) => {
    const options = lockTimeoutMs === undefined ? {} : { lockTimeoutMs };
    await db().transaction(options, async () => {
      const bound = async () => {
        const { rows } = await db().kysely<{ pg_settings: { name: string; setting: string } }>().executeQuery(SHOW);
        return (rows[0] as { lock_timeout: string }).lock_timeout;
      };
      await Account.lock('for share', { timeoutMs: 20 }).find(1n);
      expect(await bound()).toBe(shown);
      await whileLocked('select from accounts where id = 2 for update', async () => {
        await errorOf(Account.lock('for share', { timeoutMs: 20 }).find(2n));
      });
      expect(await bound()).toBe(shown);
    });
  });

  test('skips what is locked, also where it counts, limits and includes', async () => {
    await whileLocked(ROW_1, () =>
      db().transaction(async () => {
        const free = Account.lock('for update', 'skip locked');
        expect(await free.count()).toBe(ROWS - 1);
        expect(await free.limit(3).sum('balance')).toBe(300n);
        expect((await free.order('id').first())?.id).toBe(2n);
        expect(await free.order('id', 'desc').limit(2).pluck('id')).toEqual([8n, 7n]);
        expect(await free.where({ id: 1n }).exists()).toBe(false);
      }),
    );
  });

  test('locks no more rows than its limit lets through, and none of those it includes', async () => {
    await db().transaction(async () => {
      const [first] = await Account.order('id').limit(1).lock().include('entries');
      expect(first!.entries.length).toBe(2);
      const free = await database().pool.query('select id from accounts for update skip locked');
      expect(free.rowCount).toBe(ROWS - 1);
      expect((await database().pool.query('select from entries for update skip locked')).rowCount).toBe(2);
    });
  });

  test('is refused outside of a transaction', async () => {
    for (const read of [Account.lock().find(1n), Account.lock().count(), Account.lock('for share').exists()]) {
      expect(await errorOf(read)).toMatchObject({ code: 'E_NO_TRANSACTION', recovery: 'fix-the-code' });
    }
  });
});

const SHOW = {
  sql: 'show lock_timeout',
  parameters: [],
  query: { kind: 'RawNode' },
  queryId: { queryId: '' },
} as never;

describe('record.lock()', () => {
  test('reads the row again and keeps others out until the end', async () => {
    const account = await Account.find(1n);
    await database().pool.query('update accounts set balance = 7 where id = 1');
    const { promise: isLocked, give: locked } = signal();
    const { promise: mayEnd, give: end } = signal();
    const holder = db().transaction(async () => {
      expect(await account.lock()).toBe(account);
      expect(account.balance).toBe(7n);
      locked();
      await mayEnd;
      await account.update({ balance: account.balance + 1n });
    });
    await isLocked;
    const other = database().pool.query('update accounts set balance = balance * 10 where id = 1');
    await untilBlocked(database());
    end();
    await Promise.all([holder, other]);
    expect((await account.reload()).balance).toBe(80n);
  });

  test('takes a strength, and refuses to wait', async () => {
    const account = await Account.find(1n);
    await whileLocked('select from accounts where id = 1 for share', () =>
      db().transaction(async () => {
        await account.lock('for share', 'nowait');
        expect((await errorOf(account.lock('for no key update', 'nowait'))).code).toBe('E_LOCK_NOT_AVAILABLE');
        expect((await errorOf(account.lock('for update', { timeoutMs: 20 }))).code).toBe('E_LOCK_NOT_AVAILABLE');
        expect((await errorOf(account.lock('for update', 'skip locked' as never))).code).toBe('E_INVALID_QUERY');
        expect((await errorOf(account.lock('for update', { timeoutMs: 0 }))).code).toBe('E_INVALID_OPTION');
      }),
    );
  });

  test('is refused for a record with unsaved changes, without a row, or outside of a transaction', async () => {
    const account = await Account.find(1n);
    const gone = await Account.find(2n);
    await database().pool.query('delete from accounts where id = 2');
    await db().transaction(async () => {
      account.balance = 5n;
      expect(await errorOf(account.lock())).toMatchObject({
        code: 'E_RECORD_CHANGED',
        details: { model: 'Account', method: 'lock()', attributes: ['balance'] },
      });
      expect(account.balance).toBe(5n);
      expect((await errorOf(Account.new().lock())).code).toBe('E_RECORD_NOT_SAVED');
      expect((await errorOf(gone.lock())).code).toBe('E_RECORD_NOT_FOUND');
      await account.reload();
    });
    expect((await errorOf(account.lock())).code).toBe('E_NO_TRANSACTION');
    expect((await errorOf(account.reload({ lock: 'for share' }))).code).toBe('E_NO_TRANSACTION');
  });
});

describe('record.withLock()', () => {
  test.each(['read committed', 'repeatable read', 'serializable'] as const)(
    'no withdrawal is lost, nor one too many let through, at %s',
    async (isolation) => {
      const withdraw = async () => {
        const account = await Account.find(1n);
        return account.withLock(
          async (tx) => {
            expect(tx.isolation).toBe(isolation);
            if (account.balance < 10n) return false;
            await account.update({ balance: account.balance - 10n });
            return true;
          },
          { isolation },
        );
      };
      const given = await Promise.all(Array.from({ length: 24 }, withdraw));
      expect(given.filter(Boolean)).toHaveLength(10);
      expect((await Account.find(1n)).balance).toBe(0n);
    },
  );

  test('joins the transaction around it, and takes strength and wait', async () => {
    const account = await Account.find(1n);
    await whileLocked(ROW_1, async () => {
      const busy = errorOf(account.withLock(() => Promise.resolve(), { wait: 'nowait' }));
      expect((await busy).code).toBe('E_LOCK_NOT_AVAILABLE');
    });
    await whileLocked('select from accounts where id = 1 for key share', () =>
      db().transaction(async ({ id }) => {
        const joined = await account.withLock((tx) => Promise.resolve(tx.id), { strength: 'for no key update' });
        expect(joined).toBe(id);
      }),
    );
  });
});

describe('Model.lockAll()', () => {
  test('gives the records in the order asked for, each row once', async () => {
    const [three, one] = [await Account.find(3n), await Account.find(1n)];
    await database().pool.query('update accounts set balance = id');
    await db().transaction(async () => {
      const [a, b, c, d] = await Account.lockAll([three, 2n, one, 3n]);
      expect(a).toBe(three);
      expect(c).toBe(one);
      expect(d).toBe(three);
      expect([a.balance, b.balance, c.balance]).toEqual([3n, 2n, 1n]);
      expect(await Account.lockAll([])).toEqual([]);
      const [again, same] = await Account.lockAll([5n, 5n]);
      expect(again).toBe(same);
    });
  });

  test('a rollback puts the records back', async () => {
    const account = await Account.find(1n);
    await database().pool.query('update accounts set balance = 7');
    await expect(
      db().transaction(async () => {
        await Account.lockAll([account]);
        expect(account.balance).toBe(7n);
        throw new RangeError('enough');
      }),
    ).rejects.toThrow(RangeError);
    expect(account.balance).toBe(100n);
  });

  test('finds a key however it is written', async () => {
    const id = 'c0ffee00-0000-4000-8000-00000000000a';
    await database().pool.query('insert into tags values ($1)', [id]);
    await db().transaction(async () => {
      const [tag] = await Tag.lockAll([id.toUpperCase()]);
      expect(tag.id).toBe(id);
    });
  });

  test('is refused where one is not there, has changes, is not saved, or is not to be had', async () => {
    const account = await Account.find(1n);
    await db().transaction(async () => {
      expect((await errorOf(Account.lockAll([1n, 99n]))).code).toBe('E_RECORD_NOT_FOUND');
      expect((await errorOf(Account.lockAll([Account.new()]))).code).toBe('E_RECORD_NOT_SAVED');
      expect((await errorOf(Account.lockAll(['one' as never]))).code).toBe('E_INVALID_OPERAND');
      expect((await errorOf(Account.lockAll([1n], 'for ever' as never))).code).toBe('E_INVALID_QUERY');
      account.owner = 'changed';
      expect((await errorOf(Account.lockAll([2n, account]))).code).toBe('E_RECORD_CHANGED');
      await account.reload();
      await whileLocked('select from accounts where id = 2 for update', async () => {
        expect((await errorOf(Account.lockAll([2n, account], 'for share', 'nowait'))).code).toBe(
          'E_LOCK_NOT_AVAILABLE',
        );
      });
    });
    expect((await errorOf(Account.lockAll([1n]))).code).toBe('E_NO_TRANSACTION');
  });

  test('locks in the order of the key, whatever the order of the rows or of the list', async () => {
    const url = new URL(database().url);
    url.searchParams.set('options', '-c enable_indexscan=off -c enable_bitmapscan=off');
    const scanning = await open({ url: url.href });
    await database().pool.query(`update accounts set balance = 0 where id < ${ROWS}`); // these rows stand last now
    let all: Promise<Account[]> | undefined;
    await whileLocked(ROW_1, async () => {
      const keys = Array.from({ length: ROWS }, (_, index) => BigInt(ROWS - index));
      all = scanning.use(() => scanning.transaction(() => Account.lockAll(keys)));
      await untilBlocked(database());
      const free = await database().pool.query('select id from accounts for update skip locked');
      expect(free.rowCount).toBe(ROWS - 1);
    });
    expect(await all).toHaveLength(ROWS);
  });

  test.each([
    ['read committed', 16],
    ['read committed', 64],
    ['serializable', 16],
  ] as const)('orders that cross do not deadlock, at %s with %d connections', async (isolation, poolSize) => {
    const many = await open({ poolSize, isolation });
    const keys = Array.from({ length: ROWS }, (_, index) => BigInt(index + 1));
    const retries: unknown[] = [];
    many.on('transaction:retry', ({ error }) => retries.push((error as BellwetherError).code));
    const meet = barrier(64);
    await Promise.all(
      Array.from({ length: 64 }, async (_, caller) => {
        const order = caller % 2 === 0 ? keys : [...keys].reverse();
        const mine = [...order.slice(caller % ROWS), ...order.slice(0, caller % ROWS)];
        await meet();
        for (let round = 0; round < 3; round++) {
          await many.use(() =>
            many.transaction(async () => {
              const records = await Account.lockAll(mine);
              const [first, last] = [records[0]!, records.at(-1)!];
              await first.update({ balance: first.balance - 1n });
              await last.update({ balance: last.balance + 1n });
            }),
          );
        }
      }),
    );
    expect(await Account.query().sum('balance')).toBe(BigInt(ROWS) * 100n);
    expect(retries.filter((code) => code !== 'E_SERIALIZATION_FAILURE')).toEqual([]);
    if (isolation === 'read committed') expect(retries).toEqual([]);
  });
});

describe('round trips', () => {
  const TRIPS: readonly [string, number, () => Promise<unknown>][] = [
    ['a bounded wait, its bound put back', 2, () => Account.lock('for update', { timeoutMs: 500 }).find(1n)],
    ['nowait', 2, () => Account.lock('for update', 'nowait').find(1n)],
    ['lockAll', 2, () => Account.lockAll([2n, 1n])],
    ['an advisory lock', 2, () => advisoryLock<[bigint]>('round').take(1n)],
    ['a bounded one', 2, () => advisoryLock<[bigint]>('round').within(500).take(1n)],
  ];

  test.each(TRIPS)('%s, the commit included: %d', (_name, trips, take) =>
    countingTrips(database(), async (tripsOf, counted) => {
      expect(await tripsOf(() => counted.transaction(take))).toBe(trips);
    }),
  );
});
