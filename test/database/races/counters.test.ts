import { Column, connect, Counter, CounterExhaustedError, Id, Model, Table } from 'bellwether';
import type { ConnectOptions, Database } from 'bellwether';
import { errorOf, setUp, signal, untilBlocked } from '../transaction/support';

@Table('products')
class Product extends Model {
  @Id('integer') declare readonly id: number;
  @Column() @Counter({ min: 0 }) declare stock: number;
}

const { database, db } = setUp('create table products (id int primary key, stock int not null check (stock >= 0))');
const stock = (units: number) => database().pool.query(`truncate products; insert into products values (1, ${units})`);
const left = async () => (await database().pool.query<{ stock: number }>('select stock from products')).rows[0]!.stock;

/** A pool of its own for one race: all of them together would be more connections than the server has. */
async function withPool<T>(options: ConnectOptions, body: (pool: Database) => Promise<T>): Promise<T> {
  const pool = await connect({ url: database().url, ...options });
  try {
    return await body(pool);
  } finally {
    await pool.close();
  }
}

const LEVELS = ['read committed', 'repeatable read', 'serializable'] as const;
const WAYS = [...LEVELS.map((level) => [level, 'alone'] as const), ...LEVELS.map((level) => [level, 'in'] as const)];

/** All at once. @returns how many were served */
async function sell(
  pool: Database,
  amounts: readonly number[],
  run: (sale: () => Promise<unknown>) => Promise<unknown>,
) {
  const outcomes = await pool.use(() =>
    Promise.all(
      amounts.map(async (amount) => {
        try {
          await run(() => Product.decrement(1, 'stock', amount));
          return amount;
        } catch (error) {
          if (error instanceof CounterExhaustedError) return 0;
          throw error;
        }
      }),
    ),
  );
  return outcomes.reduce((sold, amount) => sold + amount, 0);
}

describe.each([4, 16, 64])('a pool of %i', (poolSize) => {
  test.each(WAYS)(
    'the connection at %s, the sale %s a transaction: 500 callers, 20 units',
    async (isolation, where) => {
      await stock(20);
      let buyers = 0;
      const sold = await withPool({ poolSize, isolation }, (pool) =>
        sell(pool, Array<number>(500).fill(1), async (sale) => {
          if (where === 'alone') return sale();
          // Every tenth buyer pays with a card that is refused, once the goods are reserved.
          const isUndone = buyers++ % 10 === 0;
          return pool.transaction(async () => {
            await sale();
            if (isUndone) throw new CounterExhaustedError('the card', 'refused', 'min');
          });
        }),
      );
      expect({ sold, left: await left() }).toEqual({ sold: 20, left: 0 });
    },
  );
});

test('amounts of 1 to 7, and returns: what is left is what was not sold', async () => {
  await stock(100);
  const returns = Array.from({ length: 50 }, (_, index) => (index % 7) + 1);
  const amounts = Array.from({ length: 400 }, (_, index) => (index % 7) + 1);
  const [sold] = await withPool({ poolSize: 16 }, (pool) =>
    Promise.all([
      sell(pool, amounts, (sale) => sale()),
      pool.use(() => Promise.all(returns.map((amount) => Product.increment(1, 'stock', amount)))),
    ]),
  );
  expect(100 + returns.reduce((sum, amount) => sum + amount) - sold).toBe(await left());
  expect(await left()).toBeGreaterThanOrEqual(0);
});

test('a caller waits for a sale under way before it is refused: that one may be undone', async () => {
  await stock(1);
  const [taken, release] = [signal(), signal()];
  const undone = errorOf(
    db().transaction({ isolation: 'read committed' }, async () => {
      await Product.decrement(1, 'stock', 1);
      taken.give();
      await release.promise;
      throw new CounterExhaustedError('the card', 'refused', 'min');
    }),
  );
  await taken.promise;
  const waiting = db().use(() => Product.decrement(1, 'stock', 1));
  await untilBlocked(database());
  release.give();
  await undone;
  await waiting;
  expect(await left()).toBe(0);
});

test('alone it is decided at read committed: on one hot row nobody is sent back', async () => {
  await stock(200);
  let retries = 0;
  await withPool({ poolSize: 16 }, (pool) => {
    pool.on('transaction:retry', () => (retries += 1));
    return sell(pool, Array<number>(200).fill(1), (sale) => sale());
  });
  expect({ retries, left: await left() }).toEqual({ retries: 0, left: 0 });
});

test('transactions that read the row before they change it are not starved by counters that change it at once', async () => {
  await stock(10_000);
  await withPool({ poolSize: 16 }, async (pool) => {
    let [bodies, isDone] = [0, false];
    const counting = async () => {
      let count = 0;
      for (; !isDone; count++) await Product.decrement(1, 'stock', 1);
      return count;
    };
    const transaction = async () => {
      await pool.transaction(async () => {
        bodies += 1;
        const product = await Product.find(1);
        for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate); // long enough for many to come in between
        await product.update({ stock: product.stock - 1 });
      });
    };
    await pool.use(async () => {
      const counters = Array.from({ length: 4 }, counting);
      for (let round = 0; round < 3; round++) await Promise.all(Array.from({ length: 8 }, transaction));
      isDone = true;
      const counted = (await Promise.all(counters)).reduce((sum, count) => sum + count);
      expect(await left()).toBe(10_000 - 24 - counted);
    });
    expect(bodies).toBeLessThanOrEqual(24 + 24); // those of the first round fail, before anybody knows
  });
});
