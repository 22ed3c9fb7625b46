import { Column, connect, Counter, CounterExhaustedError, Id, Model, Table } from 'bellwether';
import type { ConnectOptions, Database } from 'bellwether';
import { setUp } from '../transaction/support';

@Table('shows')
class Show extends Model {
  @Id('integer') declare readonly id: number;
  @Column() @Counter({ min: 0, slots: 8 }) declare seats: number;
}

const { database, db } = setUp(`
  create table shows (id int primary key, seats int not null check (seats >= 0));
  create table shows_seats_slots (owner_id int not null references shows (id) on delete cascade, slot int not null,
    amount bigint not null check (amount >= 0), primary key (owner_id, slot)) with (fillfactor = 50);
`);

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
const WAYS = [['serializable', 'alone'] as const, ...LEVELS.map((level) => [level, 'in'] as const)];

/** All at once. @returns how many were served */
async function sell(pool: Database, amounts: readonly number[], run: (amount: number) => Promise<unknown>) {
  const outcomes = await pool.use(() =>
    Promise.all(
      amounts.map(async (amount) => {
        try {
          await run(amount);
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

const seats = async (kept: number, each = 0) => {
  await database().pool.query(`truncate shows, shows_seats_slots; insert into shows values (1, ${kept})`);
  if (each > 0)
    await database().pool.query(`insert into shows_seats_slots select 1, s, ${each} from generate_series(0, 7) s`);
};
const seatsLeft = () => db().use(async () => (await Show.find(1)).seats);

describe.each([4, 16, 64])('with slots, a pool of %i', (poolSize) => {
  test.each(WAYS)('the connection at %s, the sale %s a transaction: 80 callers, 20 units', async (isolation, where) => {
    await seats(4, 2);
    let buyers = 0;
    const sold = await withPool({ poolSize, isolation }, (pool) =>
      sell(pool, Array<number>(80).fill(1), async (amount) => {
        const sale = () => Show.decrement(1, 'seats', amount);
        if (where === 'alone') return sale();
        const isUndone = buyers++ % 10 === 0;
        return pool.transaction(async () => {
          await sale();
          if (isUndone) throw new CounterExhaustedError('the card', 'refused', 'min');
        });
      }),
    );
    expect({ sold, left: await seatsLeft() }).toEqual({ sold: 20, left: 0 });
  });
});

test.each(LEVELS)('with slots, amounts of 1 to 7 and returns at %s: no unit is lost or made', async (isolation) => {
  await seats(400);
  const amounts = Array.from({ length: 150 }, (_, index) => (index % 7) + 1);
  const returns = amounts.slice(0, 20);
  const [sold] = await withPool({ poolSize: 16, isolation }, (pool) =>
    Promise.all([
      sell(pool, amounts, (amount) => pool.transaction({ isolation }, () => Show.decrement(1, 'seats', amount))),
      pool.use(() => Promise.all(returns.map((amount) => Show.increment(1, 'seats', amount)))),
    ]),
  );
  expect(await seatsLeft()).toBe(400 + returns.reduce((sum, amount) => sum + amount) - sold);
  expect(sold).toBeGreaterThan(390); // more than all was asked for, seven at most at once
  const rest = await seatsLeft();
  expect(await sellOut()).toBe(rest);
});

/** Unit by unit, until it is refused. */
async function sellOut(): Promise<number> {
  for (let sold = 0; ; sold++) {
    try {
      await db().use(() => Show.decrement(1, 'seats', 1));
    } catch (error) {
      if (error instanceof CounterExhaustedError) return sold;
      throw error;
    }
  }
}
