import { enqueue, transactional } from 'bellwether';
import type { BellwetherError } from 'bellwether';
import { Bid } from '../../models/auction/bid';
import { Item } from '../../models/auction/item';
import { User } from '../../models/auction/user';
import { publish } from '../web/live';
import { release } from './bidding';
import { AuctionOverError, NotYoursError } from './errors';
import { concludeItem, remindOfEnd } from './jobs';
import { tellOfCancelling } from './letters';
import { itemTopic } from './topics';
import { changeWallets } from './wallets';

/** How long before the end those who watch are reminded; at most half of the time that is left. */
const REMIND_BEFORE_MS = 10 * 60_000;

export interface Offer {
  readonly sellerId: bigint;
  readonly categoryId: bigint;
  readonly name: string;
  readonly description?: string;
  /** In minor units, like all amounts. */
  readonly startPrice: bigint;
  /** Default: the start price. */
  readonly reservePrice?: bigint | undefined;
  readonly bidStep: bigint;
  /** For each unit. Default: it cannot be bought now. */
  readonly buyNowPrice?: bigint | undefined;
  readonly quantity?: number | undefined;
  readonly endsAt: Date;
}

/**
 * The item, the seller's list and the jobs at the end of the auction come together or not at all.
 *
 * Without a transaction: an item that nobody concludes.
 */
export const offer = transactional(
  { isolation: 'read committed', name: 'offer an item' },
  async ({ sellerId, categoryId, quantity = 1, reservePrice, ...rest }: Offer): Promise<Item> => {
    const { regionId } = await User.find(sellerId);
    const item = await Item.create({
      seller: sellerId,
      category: categoryId,
      region: regionId,
      quantity,
      stock: quantity,
      ...rest,
      reservePrice: reservePrice ?? rest.startPrice,
      buyNowPrice: rest.buyNowPrice ?? null,
    });
    await Promise.all([User.where({ id: sellerId }).increment({ offeredCount: 1 }), planEnd(item)]);
    return item;
  },
);

/** Jobs of an earlier end are left where they are: when their time comes, they see that they are not due. */
async function planEnd({ id, endsAt }: Item): Promise<void> {
  const itemId = String(id);
  const leftMs = endsAt.getTime() - Date.now();
  const remindAt = new Date(endsAt.getTime() - Math.min(REMIND_BEFORE_MS, leftMs / 2));
  await Promise.all([
    enqueue(concludeItem, { itemId }, { runAt: endsAt }),
    enqueue(remindOfEnd, { itemId, endsAt: endsAt.toISOString() }, { runAt: remindAt }),
  ]);
}

export interface MoveEnd {
  readonly itemId: bigint;
  readonly sellerId: bigint;
  readonly endsAt: Date;
}

/** To a later time, while the auction runs. */
export const moveEnd = transactional(
  { isolation: 'read committed', name: 'move the end' },
  async ({ itemId, sellerId, endsAt }: MoveEnd): Promise<Item> => {
    const running = Item.running().where({ id: itemId, sellerId }).where('endsAt', '<=', endsAt);
    if ((await running.updateAll({ endsAt })) === 0) throw await whyNotChanged(itemId, sellerId);
    const item = await Item.find(itemId);
    await Promise.all([planEnd(item), publish(itemTopic(itemId))]);
    return item;
  },
);

/**
 * While the auction runs. All bids are cancelled with it, and the leader's reservation is released.
 *
 * Without: the conclusion has read "open", this too, and a cancelled item is sold.
 */
export const cancelItem = transactional(
  { isolation: 'read committed', name: 'cancel an item' },
  async ({ itemId, sellerId }: { readonly itemId: bigint; readonly sellerId: bigint }): Promise<Item> => {
    const values = { status: 'cancelled', closedAt: new Date() } as const;
    const cancelled = await Item.running().where({ id: itemId, sellerId }).updateAll(values);
    if (cancelled === 0) throw await whyNotChanged(itemId, sellerId);
    const item = await Item.find(itemId);
    await Promise.all([
      Bid.where({ itemId, status: 'placed' }).updateAll({ status: 'cancelled' }),
      changeWallets(release(item)),
      tellOfCancelling(item),
      publish(itemTopic(itemId)),
    ]);
    return item.update({ highestBidId: null, highestAmount: null, leaderId: null, bidCount: 0 });
  },
);

/** The update has refused; this only finds the words for it. */
async function whyNotChanged(itemId: bigint, sellerId: bigint): Promise<BellwetherError> {
  const item = await Item.find(itemId);
  return item.sellerId === sellerId ? new AuctionOverError(itemId) : new NotYoursError('item');
}
