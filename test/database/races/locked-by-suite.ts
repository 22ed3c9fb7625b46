import type { Database, IsolationLevel } from 'bellwether';
import { Auction, AUCTION_TABLES, Bid, FRESH_AUCTIONS, House, Offer } from '../consistency/auction-house';
import { barrier, errorOf, setUp } from '../transaction/support';

/** Operations on the aggregates of auctions, at once, by turns at each of the levels. */
export function raceAggregates(levels: readonly IsolationLevel[]): void {
  const { database, open } = setUp(AUCTION_TABLES);
  beforeEach(() => database().pool.query(FRESH_AUCTIONS));

  const rows = async (query: string) => (await database().pool.query<Record<string, unknown>>(query)).rows;
  const deadlocks = async () =>
    Number((await rows('select deadlocks from pg_stat_database where datname = current_database()'))[0]!.deadlocks);

  const pools = new Map<number, Promise<Database>>();
  function poolOf(poolSize: number): Promise<Database> {
    if (!pools.has(poolSize)) pools.set(poolSize, open({ poolSize }));
    return pools.get(poolSize)!;
  }

  test.each([4, 16, 64])(
    'forty callers offer more than the highest in two auctions with a pool of %d: each sees the highest before it',
    async (poolSize) => {
      const pool = await poolOf(poolSize);
      const before = await deadlocks();
      await pool.use(() =>
        Promise.all(
          Array.from({ length: 40 }, (_, n) =>
            pool.transaction({ isolation: levels[n % levels.length]! }, async () => {
              await House.count(); // a snapshot from before the lock
              const offer = await Offer.create({ auction: 1 + (n % 2), amount: 0 });
              const highest = await Offer.where({ auctionId: offer.auctionId }).maximum('amount');
              await offer.update({ amount: highest! + 1 });
            }),
          ),
        ),
      );
      expect(
        await rows(
          'select auction_id, count(distinct amount)::int as n, max(amount) from offers group by 1 order by 1',
        ),
      ).toEqual([1, 2].map((auction_id) => ({ auction_id, n: 20, max: 20 })));
      expect((await deadlocks()) - before).toBe(0);
    },
  );

  test.each([16, 64])('%d callers bid on several in crossing orders: nobody deadlocks', async (callers) => {
    const pool = await poolOf(callers);
    const before = await deadlocks();
    const meet = barrier(callers);
    await pool.use(() =>
      Promise.all(
        Array.from({ length: callers }, (_, n) =>
          pool.transaction({ isolation: levels[n % levels.length]! }, async (tx) => {
            const order = [
              [1, 2, 3],
              [3, 2, 1],
              [2, 3, 1],
              [1, 3, 2],
            ][n % 4]!;
            if (tx.attempt === 1) await meet();
            for (const auction of order) await Bid.create({ auction, amount: 1 });
          }),
        ),
      ),
    );
    expect(await rows('select auction_id, count(distinct amount)::int as n from bids group by 1 order by 1')).toEqual(
      [1, 2, 3].map((auction_id) => ({ auction_id, n: callers })),
    );
    expect((await deadlocks()) - before).toBe(0);
  });

  test('after an auction is closed nobody bids, however many are on their way', async () => {
    const pool = await poolOf(16);
    const outcomes = await pool.use(() =>
      Promise.allSettled(
        Array.from({ length: 24 }, (_, n) =>
          pool.transaction({ isolation: levels[n % levels.length]! }, async () => {
            if (n === 12) await (await Auction.find(1)).update({ isClosed: true });
            else await Bid.create({ auction: 1, amount: 1 });
          }),
        ),
      ),
    );
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    for (const error of refused) expect(error).toMatchObject({ code: 'E_VALIDATION' });
    expect(
      await rows('select (select count(*)::int from bids) as n, is_closed as closed from auctions where id = 1'),
    ).toEqual([{ n: 23 - refused.length, closed: true }]);
    const last = await errorOf(Bid.create({ auction: 1, amount: 1 }));
    expect(last.code).toBe('E_VALIDATION');
  });
}
