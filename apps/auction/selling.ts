import { transactional } from 'bellwether';
import type { BellwetherError } from 'bellwether';
import { Bid } from '../../models/auction/bid';
import { Item } from '../../models/auction/item';
import { Sale } from '../../models/auction/sale';
import { publish } from '../web/live';
import { release } from './bidding';
import { AuctionOverError, NotForBuyNowError, OutOfStockError, OwnItemError } from './errors';
import { tellOfSale, tellOfNoSale } from './letters';
import { itemTopic } from './topics';
import { changeWallets } from './wallets';

/**
 * Ends an auction whose time has come: one sale to the highest bid, if it met the reserve price, and else none. The
 * winner pays with what was reserved, so the winner has it. However often and by how many this is called, it happens once.
 *
 * The first statement decides: it closes the item if it is open and due, and holds it from then on. A unique index has the
 * last word, that there is one sale by auction an item.
 *
 * Without: two workers have both read "open", and the winner pays twice.
 *
 * @returns the sale; undefined when there is none to make, also because somebody else made it
 */
export const conclude = transactional(
  { isolation: 'read committed', name: 'conclude' },
  async ({ itemId }: { readonly itemId: bigint }): Promise<Sale | undefined> => {
    const closed = await Item.due().where({ id: itemId }).updateAll({ status: 'closed', closedAt: new Date() });
    if (closed === 0) return undefined;
    await publish(itemTopic(itemId));
    const item = await Item.find(itemId);
    if (item.isReserveMet) return sellToHighest(item);
    await Promise.all([changeWallets(release(item)), tellOfNoSale(item)]);
    return undefined;
  },
);

async function sellToHighest(item: Item): Promise<Sale> {
  const bid = await Bid.find(item.highestBidId!); // who meets the reserve has bid
  const [seller, buyer, price] = [item.sellerId, bid.bidderId, bid.amount];
  const [sale] = await Promise.all([
    Sale.create({ kind: 'auction', item: item.id, bid, seller, buyer, price }),
    bid.update({ status: 'won' }),
    Item.where({ id: item.id }).decrement({ stock: 1 }),
    changeWallets([
      [buyer, { balance: -price, reserved: -price }],
      [seller, { balance: price }],
    ]),
  ]);
  await tellOfSale(item, sale);
  return sale;
}

export interface BuyNow {
  readonly itemId: bigint;
  readonly buyerId: bigint;
  readonly quantity?: number;
}

/**
 * Takes units from the stock by one conditional update, so that the stock never falls below 0, and nobody is refused
 * while enough is left. With the last unit the auction is over, and whoever led gets the reservation back.
 *
 * Without: the last one is sold to everybody who has read that there is one.
 */
export const buyNow = transactional(
  { isolation: 'read committed', name: 'buy now' },
  async ({ itemId, buyerId, quantity = 1 }: BuyNow): Promise<Sale> => {
    const taken = await Item.running()
      .where({ id: itemId })
      .where('buyNowPrice', 'is not', null)
      .where('sellerId', '!=', buyerId)
      .where('stock', '>=', quantity)
      .decrement({ stock: quantity });
    if (taken === 0) throw await whyNotTaken(itemId, buyerId);
    const item = await Item.find(itemId);
    const price = item.buyNowPrice! * BigInt(quantity); // the update has looked
    const isLast = item.stock === 0;
    const [sale] = await Promise.all([
      Sale.create({ kind: 'buy now', item: itemId, seller: item.sellerId, buyer: buyerId, quantity, price }),
      changeWallets([
        [buyerId, { balance: -price }],
        [item.sellerId, { balance: price }],
        ...(isLast ? release(item) : []),
      ]),
      isLast && Item.where({ id: itemId }).updateAll({ status: 'closed', closedAt: new Date() }),
    ]);
    await Promise.all([tellOfSale(item, sale), publish(itemTopic(itemId))]);
    return sale;
  },
);

/** The update has refused; this only finds the words for it. */
async function whyNotTaken(itemId: bigint, buyerId: bigint): Promise<BellwetherError> {
  const item = await Item.find(itemId);
  if (item.sellerId === buyerId) return new OwnItemError(itemId);
  if (item.buyNowPrice === null) return new NotForBuyNowError(itemId);
  if (item.status === 'open' && item.endsAt > new Date()) return new OutOfStockError(itemId);
  return item.stock === 0 ? new OutOfStockError(itemId) : new AuctionOverError(itemId);
}
