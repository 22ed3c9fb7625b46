import { bid, cancelBid } from '../../../apps/auction/bidding';
import type { PlaceBid } from '../../../apps/auction/bidding';
import { itemPage } from '../../../apps/auction/reading';
import { buyNow } from '../../../apps/auction/selling';
import { Bid } from '../../../models/auction/bid';
import { Item } from '../../../models/auction/item';
import type { User } from '../../../models/auction/user';
import { broken, createItem, createUsers, walletOf } from './auction-database';
import type { Does } from './racing';
import { everyRound, race, setUpRaces, someRound, times } from './racing';

const { auction, retries, pools: POOLS, twins, isBroken } = setUpRaces();

describe('bid × bid', () => {
  const round = async (place: Does<PlaceBid>) => {
    const users = await createUsers(7, 100_000n);
    const [seller, ...bidders] = users as [User, ...User[]];
    const item = await createItem(seller);
    const bids = bidders.map(({ id }, n) =>
      place({ itemId: item.id, bidderId: id, amount: 1_000n + 100n * BigInt(n % 4) }),
    );
    return { users, item, outcome: await race(...bids) };
  };

  test.each(POOLS)('the highest is the highest, only its amount is reserved: %s', (_name, db) =>
    everyRound(db(), async () => {
      const { users, item, outcome } = await round(bid);
      expect(new Set(outcome.codes)).toEqual(new Set(['E_VALIDATION']));
      expect(await item.reload()).toMatchObject({ highestAmount: 1_300n, bidCount: outcome.done });
      expect(await broken(auction(), ...users)).toEqual([]);
    }),
  );

  test('the unsafe twin loses bids', () => someRound(async () => isBroken(...(await round(twins.bid)).users)));
});

test.each(['read committed', 'repeatable read', 'serializable'] as const)(
  'bids, a cancelling and purchases keep the rules inside transactions at %s, too',
  (isolation) =>
    everyRound(auction().db, async () => {
      const within = (body: () => Promise<unknown>) => auction().db.transaction({ isolation }, body);
      const users = await createUsers(5, 100_000n);
      const [seller, ann, ...others] = users as [User, User, ...User[]];
      const item = await createItem(seller, { buyNowPrice: 3_000n, quantity: 2 });
      const first = await bid({ itemId: item.id, bidderId: ann.id, amount: 1_000n });
      const { codes } = await race(
        ...others.map(({ id }, n) =>
          within(() => bid({ itemId: item.id, bidderId: id, amount: 1_100n + 100n * BigInt(n) })),
        ),
        within(() => cancelBid({ bidId: first.id, bidderId: ann.id })),
        within(() => buyNow({ itemId: item.id, buyerId: ann.id })),
      );
      expect(codes.filter((code) => code !== 'E_VALIDATION')).toEqual([]);
      expect(await broken(auction(), ...users)).toEqual([]);
    }),
);

describe('bid × bid, crossing on two items', () => {
  test.each(POOLS)('neither deadlocks nor retries: %s', async (_name, db) => {
    const before = retries();
    await everyRound(db(), async () => {
      const users = await createUsers(3, 1_000_000n);
      const [seller, ann, ben] = users as [User, User, User];
      const items = [await createItem(seller), await createItem(seller)];
      const bids = times(16, (n) => {
        const [item, bidder] = [items[n % 2]!, n % 4 < 2 ? ann : ben];
        return bid({ itemId: item.id, bidderId: bidder.id, amount: 1_000n + 100n * BigInt(n) });
      });
      const { codes } = await race(...bids);
      expect(codes.filter((code) => code !== 'E_VALIDATION')).toEqual([]);
      expect(await broken(auction(), ...users)).toEqual([]);
    });
    expect(retries()).toBe(before);
  });
});

describe('cancel × cancel and bid, on items with the same bidders', () => {
  test.each(POOLS)('each falls back to a bid that is covered, and nothing deadlocks: %s', (_name, db) =>
    everyRound(db(), async () => {
      const users = await createUsers(4, 3_000n); // each covers at most two of the four leads
      const [seller, ...bidders] = users as [User, ...User[]];
      const items = await Promise.all(times(4, () => createItem(seller)));
      const leading: Bid[] = [];
      for (const [n, { id: itemId }] of items.entries()) {
        const inTurn = times(3, (m) => bidders[(n + m) % 3]!);
        for (const [m, { id }] of inTurn.entries()) {
          const placed = bid({ itemId, bidderId: id, amount: 1_000n + 100n * BigInt(m) });
          await placed.catch(() => undefined); // one who has no money left for it
          if (m === 2)
            leading.push(...(await Item.find(itemId).then(({ highestBidId }) => Bid.where({ id: highestBidId! }))));
        }
      }
      const { codes } = await race(
        ...leading.map(({ id, bidderId }) => cancelBid({ bidId: id, bidderId })),
        ...items.map(({ id: itemId }, n) => bid({ itemId, bidderId: bidders[n % 3]!.id, amount: 1_500n })),
      );
      expect(codes.filter((code) => code !== 'E_INSUFFICIENT_FUNDS')).toEqual([]);
      expect(await broken(auction(), ...users)).toEqual([]);
    }),
  );
});

describe('one bidder on many items at once', () => {
  const round = async (place: Does<PlaceBid>) => {
    const [seller, ann] = (await createUsers(2, 4_500n)) as [User, User];
    const items = await Promise.all(times(10, () => createItem(seller)));
    const outcome = await race(...items.map(({ id }) => place({ itemId: id, bidderId: ann.id, amount: 1_000n })));
    return { users: [seller, ann], ann, outcome };
  };

  test.each(POOLS)('leads where the wallet covers it, and nowhere else: %s', (_name, db) =>
    everyRound(db(), async () => {
      const { users, ann, outcome } = await round(bid);
      expect(outcome).toEqual({ done: 4, codes: times(6, () => 'E_INSUFFICIENT_FUNDS') });
      expect(await walletOf(ann)).toEqual({ balance: 4_500n, reserved: 4_000n });
      expect(await broken(auction(), ...users)).toEqual([]);
    }),
  );

  test('the unsafe twin leads with money that is not there', () =>
    someRound(async () => (await round(twins.bid)).outcome.done > 4));
});

describe('the item page while bids are placed', () => {
  const watch = async (look: (itemId: bigint) => Promise<boolean>) => {
    const [seller, ann, ben] = (await createUsers(3, 1_000_000n)) as [User, User, User];
    const item = await createItem(seller);
    let isBidding = true;
    const bidding = (async () => {
      for (let n = 0; n < 30; n++) {
        await bid({ itemId: item.id, bidderId: (n % 2 === 0 ? ann : ben).id, amount: 1_000n + 100n * BigInt(n) });
      }
    })().finally(() => (isBidding = false));
    let agrees = true;
    const looking = times(3, async () => {
      while (isBidding && agrees) agrees = await look(item.id);
    });
    await Promise.all([bidding, ...looking]);
    return agrees;
  };

  test('shows the bids that the highest bid and the count are of', async () => {
    const look = async (itemId: bigint) => {
      const { item, bids } = await itemPage(itemId);
      return item.bidCount === bids.length && (item.highestBidId ?? undefined) === bids[0]?.id;
    };
    for (let n = 0; n < 4; n++) expect(await watch(look)).toBe(true);
  });

  test('does not, in the unsafe twin (read skew)', () =>
    someRound(async () => {
      const look = async (itemId: bigint) => {
        const { item, bids } = await twins.itemPage(itemId);
        return item.bid_count === bids.length && (item.highest_bid_id ?? undefined) === bids[0]?.id;
      };
      return !(await watch(look));
    }));
});
