import { bid, cancelBid } from '../../../apps/auction/bidding';
import type { CancelBid, PlaceBid } from '../../../apps/auction/bidding';
import { cancelItem } from '../../../apps/auction/offering';
import { comment } from '../../../apps/auction/people';
import { buyNow, conclude } from '../../../apps/auction/selling';
import type { BuyNow } from '../../../apps/auction/selling';
import { Item } from '../../../models/auction/item';
import { Sale } from '../../../models/auction/sale';
import type { User } from '../../../models/auction/user';
import { broken, createItem, createUser, createUsers, endNow, walletOf } from './auction-database';
import type { Does } from './racing';
import { everyRound, race, setUpRaces, someRound, times } from './racing';

const { auction, pools: POOLS, twins, isBroken } = setUpRaces();

describe('cancel × conclude', () => {
  const round = async (cancel: Does<CancelBid>, end: Does<{ itemId: bigint }>) => {
    const users = await createUsers(3, 10_000n);
    const [seller, ann, ben] = users as [User, User, User];
    const item = await createItem(seller);
    await bid({ itemId: item.id, bidderId: ann.id, amount: 1_000n });
    const leading = await bid({ itemId: item.id, bidderId: ben.id, amount: 1_100n });
    // The end comes while they run, at one time or another.
    await auction().database.pool.query(
      `update items set ends_at = clock_timestamp() + random() * interval '12 ms' where id = $1`,
      [item.id],
    );
    const untilOver = async () => {
      while (await Item.where({ id: item.id, status: 'open' }).exists()) await end({ itemId: item.id });
    };
    const outcome = await race(cancel({ bidId: leading.id, bidderId: ben.id }), untilOver(), untilOver());
    return { users, item, leading: await leading.reload(), outcome };
  };

  test.each(POOLS)('a bid is cancelled or it wins: %s', (_name, db) =>
    everyRound(db(), async () => {
      const { users, item, leading, outcome } = await round(cancelBid, conclude);
      const isCancelled = outcome.done === 3;
      expect(leading.status).toBe(isCancelled ? 'cancelled' : 'won');
      expect(await Sale.where({ item })).toMatchObject([{ price: isCancelled ? 1_000n : 1_100n }]);
      expect(await broken(auction(), ...users)).toEqual([]);
    }),
  );

  test('in the unsafe twin it is both', () =>
    someRound(async () => {
      const { users } = await round(twins.cancelBid, twins.conclude);
      return isBroken(...users);
    }));
});

describe('bid × close', () => {
  const round = async (place: Does<PlaceBid>, end: Does<{ itemId: bigint }>) => {
    const users = await createUsers(5, 100_000n);
    const [seller, ...bidders] = users as [User, ...User[]];
    const item = await createItem(seller);
    await bid({ itemId: item.id, bidderId: bidders[0]!.id, amount: 1_000n });
    await auction().database.pool.query(
      `update items set ends_at = clock_timestamp() + random() * interval '15 ms' where id = $1`,
      [item.id],
    );
    const bidding = bidders.map(async ({ id: bidderId }, n) => {
      for (let m = 0; m < 4; m++)
        await race(place({ itemId: item.id, bidderId, amount: 1_100n + 100n * BigInt(4 * m + n) }));
    });
    const untilOver = async () => {
      while (await Item.where({ id: item.id, status: 'open' }).exists()) await end({ itemId: item.id });
    };
    await Promise.all([...bidding, untilOver()]);
    return users;
  };

  test.each(POOLS)('no bid comes behind the close, and the highest wins: %s', (_name, db) =>
    everyRound(db(), async () => expect(await broken(auction(), ...(await round(bid, conclude)))).toEqual([])),
  );

  test('in the unsafe twin one does', () =>
    someRound(async () => {
      return isBroken(...(await round(twins.bid, twins.conclude)));
    }));
});

test.each(POOLS)('conclude × conclude: one sale, however many do it: %s', (_name, db) =>
  everyRound(db(), async () => {
    const users = await createUsers(2, 10_000n);
    const [seller, ann] = users as [User, User];
    const item = await createItem(seller);
    await bid({ itemId: item.id, bidderId: ann.id, amount: 1_000n });
    await endNow(auction(), item);
    const sales = await Promise.all(times(8, () => conclude({ itemId: item.id })));
    expect(sales.filter((sale) => sale !== undefined)).toHaveLength(1);
    expect(await walletOf(ann)).toEqual({ balance: 9_000n, reserved: 0n });
    expect(await broken(auction(), ...users)).toEqual([]);
  }),
);

test.each(POOLS)('cancel the item × bid × buy now: all, some or none of it, and the rules hold: %s', (_name, db) =>
  everyRound(db(), async () => {
    const users = await createUsers(4, 10_000n);
    const [seller, ann, ben, cid] = users as [User, User, User, User];
    const item = await createItem(seller, { buyNowPrice: 2_000n });
    const { codes } = await race(
      bid({ itemId: item.id, bidderId: ann.id, amount: 1_000n }),
      bid({ itemId: item.id, bidderId: ben.id, amount: 1_100n }),
      buyNow({ itemId: item.id, buyerId: cid.id }),
      cancelItem({ itemId: item.id, sellerId: seller.id }),
    );
    const refusals = ['E_VALIDATION', 'E_AUCTION_OVER', 'E_OUT_OF_STOCK'];
    expect(codes.filter((code) => !refusals.includes(code))).toEqual([]);
    expect(await broken(auction(), ...users)).toEqual([]);
  }),
);

describe('buy now × 64', () => {
  const STOCK = 40;
  const round = async (buy: Does<BuyNow>) => {
    const [seller, ...buyers] = (await createUsers(9, 1_000_000n)) as [User, ...User[]];
    const item = await createItem(seller, { buyNowPrice: 2_000n, quantity: STOCK });
    const outcome = await race(...times(64, (n) => buy({ itemId: item.id, buyerId: buyers[n % 8]!.id })));
    return { users: [seller, ...buyers], item: await item.reload(), outcome };
  };

  test.each(POOLS)('as many are sold as there are, and nobody is refused before: %s', (_name, db) =>
    db().use(async () => {
      const { users, item, outcome } = await round(buyNow);
      expect(outcome).toEqual({ done: STOCK, codes: times(64 - STOCK, () => 'E_OUT_OF_STOCK') });
      expect(item).toMatchObject({ stock: 0, status: 'closed' });
      expect(await broken(auction(), ...users)).toEqual([]);
    }),
  );

  test('the unsafe twin sells more', () => someRound(async () => (await round(twins.buyNow)).outcome.done > STOCK));
});

test('of many comments by one on a sale, one counts', async () => {
  const [seller, ann] = [await createUser(), await createUser(10_000n)];
  const { id: saleId } = await buyNow({
    itemId: (await createItem(seller, { buyNowPrice: 2_000n })).id,
    buyerId: ann.id,
  });
  const comments = times(6, () => comment({ saleId, authorId: ann.id, rating: 5, text: 'Good.' }));
  expect(await race(...comments)).toEqual({ done: 1, codes: times(5, () => 'E_VALIDATION') });
  expect(await broken(auction(), seller, ann)).toEqual([]);
});
