import { BellwetherError, RecordNotFoundError } from 'bellwether';
import type { Database } from 'bellwether';
import type { CancelBid, PlaceBid } from './bidding';
import { AuctionOverError, InsufficientFundsError, OutOfStockError } from './errors';
import type { BuyNow } from './selling';

// UNSAFE. Never call these from the auction; they are here to be compared with `bidding.ts` and `selling.ts`.
//
// They are what an ordinary ORM or query builder makes of the same operations, on PostgreSQL's default isolation: read,
// decide in JavaScript, write. Each runs in a transaction, each is right when it runs alone, and none knows the models,
// which would not let it.

interface Tables {
  items: {
    id: string;
    seller_id: string;
    status: string;
    stock: number;
    ends_at: Date;
    closed_at: Date | null;
    start_price: string;
    reserve_price: string;
    bid_step: string;
    buy_now_price: string | null;
    highest_bid_id: string | null;
    highest_amount: string | null;
    leader_id: string | null;
    bid_count: number;
  };
  bids: { id: string; item_id: string; bidder_id: string; amount: string; status: string };
  wallets: { user_id: string; balance: string; reserved: string };
  sales: {
    item_id: string;
    seller_id: string;
    buyer_id: string;
    kind: string;
    bid_id: string | null;
    quantity: number;
    price: string;
  };
}

class BidTooLowError extends BellwetherError {
  override readonly code = 'E_BID_TOO_LOW';
  override readonly recovery = 'fix-the-input';

  constructor() {
    super({ what: 'The bid is too low.', remedy: 'Bid more.' });
  }
}

/** Lost update: two have read the same highest bid, and the later write hides the other's; both wallets reserve. */
export const unsafeBid = (db: Database, { itemId, bidderId, amount }: PlaceBid) =>
  ordinary(db, 'bid', async () => {
    const item = await readItem(db, itemId);
    const least =
      item.highest_amount === null ? BigInt(item.start_price) : BigInt(item.highest_amount) + BigInt(item.bid_step);
    if (item.status !== 'open' || item.ends_at <= new Date()) throw new AuctionOverError(itemId);
    if (amount < least) throw new BidTooLowError();
    await changeWallet(db, String(bidderId), 0n, amount);
    if (item.leader_id !== null) await changeWallet(db, item.leader_id, 0n, -BigInt(item.highest_amount!));
    const placed = await db
      .kysely<Tables>()
      .insertInto('bids')
      .values({ item_id: `${itemId}`, bidder_id: `${bidderId}`, amount: `${amount}`, status: 'placed' } as never)
      .returning('id')
      .executeTakeFirstOrThrow();
    const highest = { highest_bid_id: placed.id, highest_amount: `${amount}`, leader_id: `${bidderId}` };
    await writeItem(db, itemId, { ...highest, bid_count: item.bid_count + 1 });
  });

/** Write skew: it has read that the bid has not won, the conclusion that it leads. The bid is cancelled, and wins. */
export const unsafeCancelBid = (db: Database, { bidId }: CancelBid) =>
  ordinary(db, 'cancel a bid', async () => {
    const bids = db.kysely<Tables>().selectFrom('bids').selectAll();
    const bid = await bids.where('id', '=', `${bidId}`).executeTakeFirstOrThrow();
    const item = await readItem(db, BigInt(bid.item_id));
    if (bid.status !== 'placed' || item.status !== 'open') throw new AuctionOverError(BigInt(bid.item_id));
    await writeBid(db, bid.id, 'cancelled');
    if (item.highest_bid_id !== bid.id) return writeItem(db, BigInt(item.id), { bid_count: item.bid_count - 1 });
    await changeWallet(db, bid.bidder_id, 0n, -BigInt(bid.amount));
    const standing = bids.where('item_id', '=', item.id).where('status', '=', 'placed').where('id', '!=', bid.id);
    const next = await standing.orderBy('amount', 'desc').limit(1).executeTakeFirst();
    if (next) await changeWallet(db, next.bidder_id, 0n, BigInt(next.amount));
    await writeItem(db, BigInt(item.id), {
      highest_bid_id: next?.id ?? null,
      highest_amount: next?.amount ?? null,
      leader_id: next?.bidder_id ?? null,
      bid_count: item.bid_count - 1,
    });
  });

/** Of two at once the second is stopped by the unique index alone; and a bid of the same moment lands behind it. */
export const unsafeConclude = (db: Database, { itemId }: { readonly itemId: bigint }) =>
  ordinary(db, 'conclude', async () => {
    const item = await readItem(db, itemId);
    if (item.status !== 'open' || item.ends_at > new Date()) return;
    await writeItem(db, itemId, { status: 'closed', closed_at: new Date() });
    if (item.leader_id === null || item.highest_amount === null) return;
    const price = BigInt(item.highest_amount);
    const isSold = price >= BigInt(item.reserve_price);
    await changeWallet(db, item.leader_id, isSold ? -price : 0n, -price);
    if (!isSold) return;
    await changeWallet(db, item.seller_id, price, 0n);
    await writeBid(db, item.highest_bid_id!, 'won');
    await writeItem(db, itemId, { stock: item.stock - 1 });
    await writeSale(db, item, { buyerId: item.leader_id, bidId: item.highest_bid_id, quantity: 1, price });
  });

/** The last one is sold to everybody who has read that there is one. */
export const unsafeBuyNow = (db: Database, { itemId, buyerId, quantity = 1 }: BuyNow) =>
  ordinary(db, 'buy now', async () => {
    const item = await readItem(db, itemId);
    if (item.status !== 'open') throw new AuctionOverError(itemId);
    if (item.stock < quantity) throw new OutOfStockError(itemId);
    const price = BigInt(item.buy_now_price!) * BigInt(quantity);
    await changeWallet(db, String(buyerId), -price, 0n);
    await changeWallet(db, item.seller_id, price, 0n);
    await writeItem(db, itemId, {
      stock: item.stock - quantity,
      ...(item.stock === quantity && { status: 'closed', closed_at: new Date() }),
    });
    await writeSale(db, item, { buyerId: String(buyerId), bidId: null, quantity, price });
  });

/** Read skew: a bid between the two queries is in the one and not in the other. */
export const unsafeItemPage = (db: Database, itemId: bigint) =>
  ordinary(db, 'item page', async () => {
    const item = await readItem(db, itemId);
    const bids = db.kysely<Tables>().selectFrom('bids').selectAll().where('item_id', '=', `${itemId}`);
    return { item, bids: await bids.where('status', 'in', ['placed', 'won']).orderBy('id', 'desc').execute() };
  });

function ordinary<T>(db: Database, name: string, body: () => Promise<T>): Promise<T> {
  return db.transaction({ isolation: 'read committed', attempts: 3, name: `unsafe ${name}` }, body);
}

async function readItem(db: Database, id: bigint): Promise<Tables['items']> {
  const item = await db.kysely<Tables>().selectFrom('items').selectAll().where('id', '=', `${id}`).executeTakeFirst();
  if (!item) throw new RecordNotFoundError('Item', 'id');
  return item;
}

async function writeItem(db: Database, id: bigint, values: Partial<Tables['items']>): Promise<void> {
  await db.kysely<Tables>().updateTable('items').set(values).where('id', '=', `${id}`).execute();
}

async function writeBid(db: Database, id: string, status: string): Promise<void> {
  await db.kysely<Tables>().updateTable('bids').set({ status }).where('id', '=', id).execute();
}

/** Lost update: what was read is written back, changed. */
async function changeWallet(db: Database, userId: string, balance: bigint, reserved: bigint): Promise<void> {
  const wallets = db.kysely<Tables>();
  const is = await wallets.selectFrom('wallets').selectAll().where('user_id', '=', userId).executeTakeFirstOrThrow();
  const [held, kept] = [BigInt(is.balance) + balance, BigInt(is.reserved) + reserved];
  if (held < kept) throw new InsufficientFundsError(BigInt(userId));
  const now = { balance: `${held}`, reserved: `${kept}` };
  await wallets.updateTable('wallets').set(now).where('user_id', '=', userId).execute();
}

interface Sold {
  readonly buyerId: string;
  readonly bidId: string | null;
  readonly quantity: number;
  readonly price: bigint;
}

async function writeSale(
  db: Database,
  item: Tables['items'],
  { buyerId, bidId, quantity, price }: Sold,
): Promise<void> {
  const kind = bidId === null ? 'buy now' : 'auction';
  const sale = { item_id: item.id, seller_id: item.seller_id, buyer_id: buyerId, kind, bid_id: bidId, quantity };
  await db
    .kysely<Tables>()
    .insertInto('sales')
    .values({ ...sale, price: `${price}` })
    .execute();
}
