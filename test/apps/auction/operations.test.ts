import { ValidationError } from 'bellwether';
import { bid, cancelBid } from '../../../apps/auction/bidding';
import { cancelItem, moveEnd } from '../../../apps/auction/offering';
import { addFunds, comment, register, watch } from '../../../apps/auction/people';
import { buyNow, conclude } from '../../../apps/auction/selling';
import { Item } from '../../../models/auction/item';
import { Mail } from '../../../models/auction/mail';
import { Ring } from '../../../models/auction/ring';
import { Sale } from '../../../models/auction/sale';
import { User } from '../../../models/auction/user';
import type { TestAuction } from './auction-database';
import { broken, createItem, createTestAuction, createUser, createUsers, endNow, walletOf } from './auction-database';

let auction: TestAuction;
beforeAll(async () => (auction = await createTestAuction()));
afterAll(() => auction.close());
afterEach(async () => expect(await broken(auction)).toEqual([]));

const place = ({ id: itemId }: Item, { id: bidderId }: User, amount: bigint) => bid({ itemId, bidderId, amount });

async function codesOf(promise: Promise<unknown>): Promise<string[]> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof ValidationError) return error.problems.map(({ attribute, code }) => `${attribute} ${code}`);
  return [(error as { code?: string } | undefined)?.code ?? String(error)];
}

test('a bid leads, reserves its amount, and releases the one before', async () => {
  const [seller, ann, ben] = (await createUsers(3, 10_000n)) as [User, User, User];
  const item = await createItem(seller);
  await place(item, ann, 1_000n);
  expect(await walletOf(ann)).toEqual({ balance: 10_000n, reserved: 1_000n });
  const second = await place(item, ben, 1_100n);
  expect(await item.reload()).toMatchObject({
    highestBidId: second.id,
    highestAmount: 1_100n,
    leaderId: ben.id,
    bidCount: 2,
  });
  expect(await walletOf(ann)).toEqual({ balance: 10_000n, reserved: 0n });
  expect(await walletOf(ben)).toEqual({ balance: 10_000n, reserved: 1_100n });
});

test('who leads may raise the own bid, and reserves only the difference', async () => {
  const [seller, ann] = (await createUsers(2, 1_500n)) as [User, User];
  const item = await createItem(seller);
  await place(item, ann, 1_000n);
  await place(item, ann, 1_500n);
  expect(await walletOf(ann)).toEqual({ balance: 1_500n, reserved: 1_500n });
});

test('bids that the rules refuse change nothing', async () => {
  const [seller, ann, ben, poor] = (await createUsers(4)) as [User, User, User, User];
  await Promise.all([ann, ben].map(({ id }) => addFunds({ userId: id, amount: 10_000n })));
  const [item, over] = [await createItem(seller), await createItem(seller)];
  await place(item, ann, 2_000n);
  await endNow(auction, over);
  expect(await codesOf(place(item, ben, 2_099n))).toEqual(['amount too low']);
  expect(await codesOf(place(item, seller, 5_000n))).toEqual(['bidder own item']);
  expect(await codesOf(place(over, ben, 5_000n))).toEqual(['item over']);
  expect(await codesOf(place(item, poor, 5_000n))).toEqual(['E_INSUFFICIENT_FUNDS']);
  expect(await codesOf(bid({ itemId: 999_999n, bidderId: ben.id, amount: 1n }))).toEqual(['item required']);
  expect(await item.reload()).toMatchObject({ highestAmount: 2_000n, bidCount: 1 });
});

describe('cancelling a bid', () => {
  test('lets the next best lead, whose bidder can still cover it; those above lapse', async () => {
    const [seller, ann, ben, cid] = (await createUsers(4, 2_000n)) as [User, User, User, User];
    const [item, other] = [await createItem(seller), await createItem(seller)];
    const first = await place(item, ann, 1_000n);
    const second = await place(item, ben, 1_200n);
    const third = await place(item, cid, 1_400n);
    await place(other, ben, 1_000n); // leaves ben too little for 1,200
    await cancelBid({ bidId: third.id, bidderId: cid.id });
    expect(await item.reload()).toMatchObject({ highestBidId: first.id, leaderId: ann.id, bidCount: 1 });
    expect((await second.reload()).status).toBe('lapsed');
    expect((await third.reload()).status).toBe('cancelled');
    expect(await walletOf(ann)).toMatchObject({ reserved: 1_000n });
    expect(await walletOf(ben)).toMatchObject({ reserved: 1_000n });
    expect(await walletOf(cid)).toMatchObject({ reserved: 0n });
  });

  test('leaves nobody leading where nobody else has bid; one that does not lead is only counted off', async () => {
    const [seller, ann, ben] = (await createUsers(3, 2_000n)) as [User, User, User];
    const item = await createItem(seller);
    const first = await place(item, ann, 1_000n);
    const second = await place(item, ben, 1_200n);
    await cancelBid({ bidId: first.id, bidderId: ann.id });
    expect(await item.reload()).toMatchObject({ highestBidId: second.id, bidCount: 1 });
    await cancelBid({ bidId: second.id, bidderId: ben.id });
    expect(await item.reload()).toMatchObject({ highestBidId: null, highestAmount: null, leaderId: null, bidCount: 0 });
    expect(await walletOf(ben)).toMatchObject({ reserved: 0n });
  });

  test('falls back to an own lower bid as well', async () => {
    const [seller, ann] = (await createUsers(2, 2_000n)) as [User, User];
    const item = await createItem(seller);
    const first = await place(item, ann, 1_000n);
    const second = await place(item, ann, 1_800n);
    await cancelBid({ bidId: second.id, bidderId: ann.id });
    expect(await item.reload()).toMatchObject({ highestBidId: first.id, bidCount: 1 });
    expect(await walletOf(ann)).toMatchObject({ reserved: 1_000n });
  });

  test('is refused to others, a second time, and once the auction is over', async () => {
    const [seller, ann, ben] = (await createUsers(3, 5_000n)) as [User, User, User];
    const item = await createItem(seller);
    const first = await place(item, ann, 1_000n);
    const second = await place(item, ben, 1_200n);
    expect(await codesOf(cancelBid({ bidId: second.id, bidderId: ann.id }))).toEqual(['E_FORBIDDEN']);
    await cancelBid({ bidId: first.id, bidderId: ann.id });
    expect(await codesOf(cancelBid({ bidId: first.id, bidderId: ann.id }))).toEqual(['status settled']);
    await endNow(auction, item);
    expect(await codesOf(cancelBid({ bidId: second.id, bidderId: ben.id }))).toEqual(['item over']);
    await conclude({ itemId: item.id });
    expect(await codesOf(cancelBid({ bidId: second.id, bidderId: ben.id }))).toEqual(['status settled']);
  });
});

describe('concluding', () => {
  test('sells to the highest bid: the winner pays the seller, both are written to, the bell is to ring; once', async () => {
    const [seller, ann, ben] = (await createUsers(3, 5_000n)) as [User, User, User];
    const item = await createItem(seller, { reservePrice: 1_200n });
    await place(item, ann, 1_100n);
    const winning = await place(item, ben, 1_300n);
    expect(await conclude({ itemId: item.id })).toBeUndefined(); // not yet
    await endNow(auction, item);
    const sale = await conclude({ itemId: item.id });
    expect(sale).toMatchObject({
      kind: 'auction',
      bidId: winning.id,
      buyerId: ben.id,
      sellerId: seller.id,
      price: 1_300n,
    });
    expect(await conclude({ itemId: item.id })).toBeUndefined();
    expect(await item.reload()).toMatchObject({ status: 'closed', stock: 0 });
    expect((await winning.reload()).status).toBe('won');
    expect(await walletOf(ben)).toEqual({ balance: 3_700n, reserved: 0n });
    expect(await walletOf(seller)).toEqual({ balance: 6_300n, reserved: 0n });
    expect(await Mail.where({ occasion: `sale ${sale!.id}` }).count()).toBe(2);
    expect(await Ring.where({ sale: sale! })).toMatchObject([{ status: 'pending' }]);
    const { rows } = await auction.database.pool.query(
      `select from graphile_worker._private_jobs where payload ->> 'saleId' = $1`,
      [sale!.id],
    );
    expect(rows).toHaveLength(1);
  });

  test('below the reserve, and without bids, sells nothing and releases the leader', async () => {
    const [seller, ann] = (await createUsers(2, 5_000n)) as [User, User];
    const [low, none] = [await createItem(seller, { reservePrice: 3_000n }), await createItem(seller)];
    await place(low, ann, 2_999n);
    await endNow(auction, low, none);
    expect(await conclude({ itemId: low.id })).toBeUndefined();
    expect(await conclude({ itemId: none.id })).toBeUndefined();
    expect(await walletOf(ann)).toEqual({ balance: 5_000n, reserved: 0n });
    expect(await Item.where({ id: [low.id, none.id], status: 'closed' }).count()).toBe(2);
    expect(await Mail.where({ userId: seller.id }).count()).toBe(2);
  });
});

describe('buying now', () => {
  test('takes from the stock and pays; with the last unit the auction is over and the leader released', async () => {
    const [seller, ann, ben] = (await createUsers(3, 10_000n)) as [User, User, User];
    const item = await createItem(seller, { buyNowPrice: 2_000n, quantity: 3 });
    await place(item, ann, 1_000n);
    await buyNow({ itemId: item.id, buyerId: ben.id, quantity: 2 });
    expect(await item.reload()).toMatchObject({ stock: 1, status: 'open' });
    expect(await codesOf(buyNow({ itemId: item.id, buyerId: ben.id, quantity: 2 }))).toEqual(['E_OUT_OF_STOCK']);
    await buyNow({ itemId: item.id, buyerId: ann.id });
    expect(await item.reload()).toMatchObject({ stock: 0, status: 'closed' });
    expect(await walletOf(ann)).toEqual({ balance: 8_000n, reserved: 0n });
    expect(await walletOf(ben)).toEqual({ balance: 6_000n, reserved: 0n });
    expect(await codesOf(buyNow({ itemId: item.id, buyerId: ben.id }))).toEqual(['E_OUT_OF_STOCK']);
    expect(await Sale.where({ item }).sum('price')).toBe(6_000n);
  });

  test('the auction of what is left goes on, and sells one unit', async () => {
    const [seller, ann, ben] = (await createUsers(3, 10_000n)) as [User, User, User];
    const item = await createItem(seller, { buyNowPrice: 2_000n, quantity: 3 });
    await place(item, ann, 1_000n);
    await buyNow({ itemId: item.id, buyerId: ben.id });
    await endNow(auction, item);
    await conclude({ itemId: item.id });
    expect(await item.reload()).toMatchObject({ stock: 1, status: 'closed' });
    expect(await codesOf(buyNow({ itemId: item.id, buyerId: ben.id }))).toEqual(['E_AUCTION_OVER']);
  });

  test('is refused without money, without a price, and to the seller', async () => {
    const [seller, poor, ann] = (await createUsers(3)) as [User, User, User];
    const [item, other] = [await createItem(seller, { buyNowPrice: 2_000n }), await createItem(seller)];
    expect(await codesOf(buyNow({ itemId: item.id, buyerId: poor.id }))).toEqual(['E_INSUFFICIENT_FUNDS']);
    expect(await codesOf(buyNow({ itemId: other.id, buyerId: ann.id }))).toEqual(['E_NOT_FOR_BUY_NOW']);
    expect(await codesOf(buyNow({ itemId: item.id, buyerId: seller.id }))).toEqual(['E_OWN_ITEM']);
    expect(await codesOf(buyNow({ itemId: 999_999n, buyerId: ann.id }))).toEqual(['E_RECORD_NOT_FOUND']);
    expect(await item.reload()).toMatchObject({ stock: 1 });
  });
});

describe('offering', () => {
  test('cancelling an item cancels its bids and releases the leader; then nothing is sold', async () => {
    const [seller, ann] = (await createUsers(2, 5_000n)) as [User, User];
    const item = await createItem(seller);
    const placed = await place(item, ann, 1_000n);
    expect(await codesOf(cancelItem({ itemId: item.id, sellerId: ann.id }))).toEqual(['E_FORBIDDEN']);
    await cancelItem({ itemId: item.id, sellerId: seller.id });
    expect(await item.reload()).toMatchObject({ status: 'cancelled', bidCount: 0, leaderId: null });
    expect((await placed.reload()).status).toBe('cancelled');
    expect(await walletOf(ann)).toEqual({ balance: 5_000n, reserved: 0n });
    await endNow(auction, item);
    expect(await conclude({ itemId: item.id })).toBeUndefined();
    expect(await codesOf(cancelItem({ itemId: item.id, sellerId: seller.id }))).toEqual(['E_AUCTION_OVER']);
  });

  test('an item that is refused leaves nothing behind: not on the list, not in the queue', async () => {
    const seller = await createUser();
    const jobs = async () => (await auction.database.pool.query('select from graphile_worker._private_jobs')).rowCount;
    const before = await jobs();
    expect(await codesOf(createItem(seller, { name: '', reservePrice: 1n }))).toEqual([
      'name isNotEmpty',
      'reservePrice check',
    ]);
    expect((await User.find(seller.id)).offeredCount).toBe(0);
    expect(await jobs()).toBe(before);
    await createItem(seller);
    expect((await User.find(seller.id)).offeredCount).toBe(1);
    expect(await jobs()).toBe(before! + 2);
  });

  test('the end can be moved to a later time, by the seller, while the auction runs', async () => {
    const [seller, ann] = (await createUsers(2)) as [User, User];
    const item = await createItem(seller);
    const later = new Date(item.endsAt.getTime() + 60_000);
    expect(await codesOf(moveEnd({ itemId: item.id, sellerId: ann.id, endsAt: later }))).toEqual(['E_FORBIDDEN']);
    expect(await moveEnd({ itemId: item.id, sellerId: seller.id, endsAt: later })).toMatchObject({ endsAt: later });
  });
});

test('people: names and addresses are unique, and a wallet comes with the user', async () => {
  const user = await createUser();
  expect(await walletOf(user)).toEqual({ balance: 0n, reserved: 0n });
  const again = { nickname: user.nickname.toUpperCase(), email: user.email.toUpperCase(), passwordHash: 'x' };
  expect(await codesOf(register({ ...again, regionId: user.regionId }))).toEqual(['nickname taken', 'email taken']);
});

test('each side of a sale comments on the other, once; the rating counts', async () => {
  const [seller, ann, stranger] = (await createUsers(3, 5_000n)) as [User, User, User];
  const { id: saleId } = await buyNow({
    itemId: (await createItem(seller, { buyNowPrice: 2_000n })).id,
    buyerId: ann.id,
  });
  await comment({ saleId, authorId: ann.id, rating: 5, text: 'Quick and friendly.' });
  await comment({ saleId, authorId: seller.id, rating: 4, text: 'Paid at once.' });
  expect(await codesOf(comment({ saleId, authorId: ann.id, rating: 1, text: 'Again!' }))).toEqual(['authorId taken']);
  expect(await codesOf(comment({ saleId, authorId: stranger.id, rating: 1, text: 'Me too' }))).toEqual([
    'author stranger',
  ]);
  expect(await codesOf(comment({ saleId, authorId: ann.id, rating: 6, text: '' }))).toContain('rating check');
  expect(await User.find(seller.id)).toMatchObject({ ratingSum: 5, ratingCount: 1 });
  expect(await User.find(ann.id)).toMatchObject({ ratingSum: 4, ratingCount: 1 });
});

test('watching twice is watching once', async () => {
  const [seller, ann] = (await createUsers(2)) as [User, User];
  const item = await createItem(seller);
  const [one, two] = await Promise.all([1, 2].map(() => watch({ itemId: item.id, userId: ann.id })));
  expect(one!.id).toBe(two!.id);
});
