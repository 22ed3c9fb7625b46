import { advisoryLock, Column, Id, Model, Table } from 'bellwether';
import { barrier, errorOf, setUp, signal, untilBlocked } from '../transaction/support';

@Table('auctions')
class Auction extends Model {
  @Id() declare readonly id: bigint;
  @Column('integer') declare bids: number;
}

const { database, db, open } = setUp(`
  create table auctions (id bigint primary key, bids int not null);
  insert into auctions values (17, 0);
`);

const closing = advisoryLock<[auctionId: bigint]>('auction closing');
const nightly = advisoryLock('nightly report');
const seat = advisoryLock<[row: string, seat: number]>('seat');

/** Runs `body` while another transaction holds what `take` takes. */
async function whileHeld(take: () => Promise<unknown>, body: () => Promise<void>): Promise<void> {
  const taken = signal();
  const end = signal();
  const holder = db().transaction(async () => {
    await take();
    taken.give();
    await end.promise;
  });
  await taken.promise;
  try {
    await body();
  } finally {
    end.give();
    await holder;
  }
}

test('a key is taken by one transaction at a time, and free after it', async () => {
  await whileHeld(
    () => closing.take(17n),
    () =>
      db().transaction(async () => {
        expect(await closing.tryTake(17n)).toBe(false);
        expect(await closing.shared.tryTake(17n)).toBe(false);
        expect(await closing.tryTake(18n)).toBe(true);
        expect(await closing.tryTake(18n)).toBe(true); // its own
        expect(await advisoryLock<[bigint]>('auction opening').tryTake(17n)).toBe(true);
      }),
  );
  expect(await db().transaction(() => closing.tryTake(17n))).toBe(true);
});

test('those who share it keep out only those who do not', async () => {
  await whileHeld(
    () => closing.shared.take(17n),
    () =>
      db().transaction(async () => {
        expect(await closing.shared.tryTake(17n)).toBe(true);
        expect(await closing.tryTake(17n)).toBe(false);
      }),
  );
});

test('a wait is bounded when asked to be, and the transaction goes on', async () => {
  await whileHeld(
    () => seat.take('B', 2),
    () =>
      db().transaction(async () => {
        const refusal = await errorOf(
          seat.within(20).takeAll([
            ['A', 1],
            ['B', 2],
          ]),
        );
        expect(refusal.code).toBe('E_LOCK_NOT_AVAILABLE');
        // All or none: the one that was to be had is free again.
        expect(await inAnother(() => seat.tryTake('A', 1))).toBe(true);
        expect((await errorOf(seat.shared.within(20).take('B', 2))).code).toBe('E_LOCK_NOT_AVAILABLE');
      }),
  );
  expect(() => seat.within(0)).toThrow('timeoutMs');
});

function inAnother<T>(body: () => Promise<T>): Promise<T> {
  return db().outsideTransaction(() => db().transaction(body));
}

test('keys do not run into one another', async () => {
  await whileHeld(
    () => seat.take('A,1', 2),
    () =>
      db().transaction(async () => {
        expect(await advisoryLock<[string, number, number]>('seat').tryTake('A', 1, 2)).toBe(true);
        expect(await advisoryLock<[string]>('seat').tryTake('A,1')).toBe(true);
        expect(await advisoryLock<[string, string]>('seat').tryTake('A,1', '2')).toBe(true);
        expect(await advisoryLock<[string, bigint]>('seat').tryTake('A,1', 2n)).toBe(false);
      }),
  );
});

test('outside of a transaction there is nothing to hold it', async () => {
  for (const take of [closing.take(1n), closing.tryTake(1n), nightly.shared.take(), nightly.within(5).take()]) {
    expect(await errorOf(take)).toMatchObject({ code: 'E_NO_TRANSACTION', recovery: 'fix-the-code' });
  }
});

test('it goes with the savepoint behind which it was taken', async () => {
  await db().transaction(async () => {
    await errorOf(
      db().transaction({ savepoint: true }, async () => {
        await nightly.take();
        await Auction.find(99n);
      }),
    );
    expect(await inAnother(() => nightly.tryTake())).toBe(true);
    await nightly.take();
    expect(await inAnother(() => nightly.tryTake())).toBe(false);
  });
});

test('hold() runs its body with the lock, in a transaction of its own or in the one around it', async () => {
  let running = 0;
  let most = 0;
  const meet = barrier(8);
  const ids = await Promise.all(
    Array.from({ length: 8 }, async () => {
      await meet();
      return closing.hold(17n, async (tx) => {
        most = Math.max(most, ++running);
        await Auction.count();
        running -= 1;
        return tx.id;
      });
    }),
  );
  expect(most).toBe(1);
  expect(new Set(ids).size).toBe(8);
  await db().transaction(async ({ id }) => {
    expect(await nightly.hold((tx) => Promise.resolve(tx.id))).toBe(id);
    expect(await inAnother(() => nightly.tryTake())).toBe(false);
  });
});

test('takeAll() in orders that cross does not deadlock', async () => {
  const many = await open({ poolSize: 16 });
  const seats = Array.from({ length: 6 }, (_, index): [string, number] => ['A', index]);
  const retries: unknown[] = [];
  many.on('transaction:retry', ({ error }) => retries.push(error));
  const meet = barrier(64);
  await Promise.all(
    Array.from({ length: 64 }, async (_, caller) => {
      const mine = caller % 2 === 0 ? seats : [...seats].reverse();
      await meet();
      await many.use(() =>
        many.transaction(async () => {
          await seat.takeAll([...mine.slice(caller % 6), ...mine.slice(0, caller % 6)]);
          await Auction.count();
        }),
      );
    }),
  );
  expect(retries).toEqual([]);
});

// The statement that waits has its snapshot before the wait, and `repeatable read` keeps it: see AdvisoryLock.
test.each([
  ['read committed', 1],
  ['repeatable read', 0],
] as const)('what is read after the wait for the lock is, at %s, of after the wait: %d', async (isolation, bids) => {
  await database().pool.query('update auctions set bids = 0');
  let seen: Promise<number> | undefined;
  await whileHeld(
    () => closing.take(17n),
    async () => {
      seen = db().transaction({ isolation }, async () => {
        await closing.take(17n);
        return (await Auction.find(17n)).bids;
      });
      await untilBlocked(database());
      await database().pool.query('update auctions set bids = 1');
    },
  );
  expect(await seen).toBe(bids);
});
