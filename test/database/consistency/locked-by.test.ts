import { countRoundTrips } from 'bellwether/testing';
import { errorOf, setUp, signal, untilBlocked } from '../transaction/support';
import { Auction, AUCTION_TABLES, Bid, during, FRESH_AUCTIONS, House } from './auction-house';

const { database, db, open } = setUp(AUCTION_TABLES);
beforeEach(async () => {
  during.length = 0;
  await database().pool.query(FRESH_AUCTIONS);
});

/** Holds the aggregate of an auction in a transaction until it is let go. */
const holding = (auctionId: number) => holdingBy(() => Bid.where({ auctionId, amount: 0 }).updateAll({ amount: 0 })); // no callbacks, whose reads would hold more

async function holdingBy(write: () => Promise<unknown>): Promise<() => Promise<void>> {
  const [locked, done] = [signal(), signal()];
  const transaction = db().transaction({ isolation: 'read committed' }, async () => {
    await write();
    locked.give();
    await done.promise;
  });
  await Promise.race([locked.promise, transaction]);
  return async () => {
    done.give();
    await transaction;
  };
}

describe('operations on one aggregate wait for one another, before anything else of them', () => {
  beforeEach(() =>
    database().pool.query('insert into bids (auction_id, amount) values (1, 1), (2, 1), (1, 0), (2, 0)'),
  );

  const bid = async (auctionId: number) => (await Bid.where({ auctionId }).order('id').first())!;
  test.each<[string, () => Promise<unknown>]>([
    ['create', () => Bid.create({ auction: 1, amount: 7 })],
    ['create by its parent as a record', async () => Bid.create({ auction: await Auction.find(1), amount: 7 })],
    ['save', async () => (await bid(1)).update({ amount: 7 })],
    ['destroy', async () => (await bid(1)).destroy()],
    ['moving in', async () => (await bid(2)).update({ auctionId: 1 })],
    ['moving out', async () => (await bid(1)).update({ auctionId: 2 })],
    ['save of the root', async () => (await Auction.find(1)).update({ isClosed: true })],
    ['destroy of the root', async () => (await Auction.find(1)).destroy()],
    ['updateAll', () => Bid.where({ auctionId: 1 }).updateAll({ amount: 7 })],
    ['updateAll that moves them in', () => Bid.where({ auctionId: 2 }).updateAll({ auctionId: 1 })],
    ['updateAll of the root', () => Auction.where({ id: 1 }).updateAll({ isClosed: true })],
    ['deleteAll', () => Bid.where({ auctionId: 1 }).deleteAll()],
    ['the root of the root', async () => (await House.find(1)).save()],
    ['another member of the root of the root', () => Auction.create({ id: 9, house: 1 })],
  ])('%s', async (_name, operation) => {
    const pool = await open({ poolSize: 1 });
    const letGo = await holding(1);
    during.length = 0;
    const waiting = pool.use(() => pool.transaction({ isolation: 'read committed' }, operation));
    await untilBlocked(database());
    expect(during).toEqual([]); // no callback has run
    await letGo();
    await waiting;
  });

  test('destroy of one that has dependents, and a root above it', async () => {
    const pool = await open({ poolSize: 1 });
    const letGo = await holdingBy(() => Auction.create({ id: 9, house: 1 }));
    const auction = await Auction.find(1);
    const waiting = pool.use(() => pool.transaction({ isolation: 'read committed' }, () => auction.destroy()));
    await untilBlocked(database());
    expect(during).toEqual([]);
    await letGo();
    await waiting;
    expect(during).toEqual([1, 1, 1]); // the auction and its two bids, once each
  });

  test('operations on others do not', async () => {
    const letGo = await holding(1);
    await (await bid(2)).update({ amount: 9 });
    await Auction.create({ id: 9 });
    await letGo();
  });
});

test('a root that is not there is a missing parent', async () => {
  const bid = Bid.new({ auctionId: 99, amount: 1 });
  const error = await errorOf(bid.save());
  expect(error).toMatchObject({ code: 'E_VALIDATION' });
  expect(bid.errors.on('auction')).toEqual(['must exist']);
  expect(during).toEqual([]);
});

test('the lock travels in one flight, and is taken once a transaction', async () => {
  const tap = await countRoundTrips(database().url);
  const counted = await open({ url: tap.url, isolation: 'read committed' });
  await counted.use(async () => {
    const [third, other] = [await Auction.find(3), await Auction.find(3)];
    await third.save(); // prepares the statements
    expect(await tap.count(() => third.update({ isClosed: true }))).toBe(3); // BEGIN and the lock; the update; COMMIT
    await other.reload();
    const twice = () =>
      counted.transaction(async () => {
        await other.update({ isClosed: false });
        await other.update({ isClosed: true });
      });
    expect(await tap.count(twice)).toBe(4); // and another update
  });
  await tap.close();
});
