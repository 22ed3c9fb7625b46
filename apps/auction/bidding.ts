import { transactional } from 'bellwether';
import { Bid } from '../../models/auction/bid';
import type { Item } from '../../models/auction/item';
import { publish } from '../web/live';
import { NotYoursError } from './errors';
import { fallBack } from './fall-back';
import { itemTopic } from './topics';
import { changeWallets } from './wallets';
import type { Change, UserId } from './wallets';

// Bidding. Each operation says what it needs in its first line, and no body takes a lock by hand: that all which belongs
// to one item is done by one at a time is declared on the models, with @LockedBy. So `read committed` suffices, which
// sees what was done before, and never fails for concurrency.

export interface PlaceBid {
  readonly itemId: bigint;
  readonly bidderId: bigint;
  /** In minor units. */
  readonly amount: bigint;
}

/**
 * Higher than the highest by the increment; not by the seller; while the auction runs by the database's clock; covered
 * by the wallet. What the new bid reserves and what the one before gets back change with it, or nothing does.
 *
 * Without: two bids have read the same highest one, and the later write hides the higher bid (lost update); a bid that
 * has read "open" lands behind the close.
 */
export const bid = transactional(
  { isolation: 'read committed', name: 'bid' },
  async ({ itemId, bidderId, amount }: PlaceBid): Promise<Bid> => {
    const placed = await Bid.create({ item: itemId, bidder: bidderId, amount }); // holds the item from here on
    const item = await placed.item.load(); // there already: the validation has read it
    const released = release(item);
    item.assign({ highestBidId: placed.id, highestAmount: amount, leaderId: bidderId, bidCount: item.bidCount + 1 });
    await Promise.all([item.save(), changeWallets([[bidderId, { reserved: amount }], ...released])]);
    await publish(itemTopic(itemId));
    return placed;
  },
);

export interface CancelBid {
  readonly bidId: bigint;
  readonly bidderId: bigint;
}

/**
 * Not once it has won, nor once the auction is over. If it led, its reservation is released, and the next best bid leads
 * that its bidder can still cover.
 *
 * Without: the conclusion has read that the bid leads, this has read that it has not won, and both go through; a bid is
 * cancelled and wins (write skew).
 */
export const cancelBid = transactional(
  { isolation: 'read committed', name: 'cancel a bid' },
  async ({ bidId, bidderId }: CancelBid): Promise<Bid> => {
    const cancelled = await Bid.find(bidId);
    if (cancelled.bidderId !== bidderId) throw new NotYoursError('bid');
    await cancelled.update({ status: 'cancelled' }); // holds the item from here on
    const item = await cancelled.item.load();
    if (item.highestBidId === cancelled.id) await fallBack(item, cancelled);
    else await item.update({ bidCount: item.bidCount - 1 });
    await publish(itemTopic(item.id));
    return cancelled;
  },
);

/** What gives the leader's reservation back; nothing where nobody leads. */
export function release({ leaderId, highestAmount }: Item): (readonly [UserId, Change])[] {
  return leaderId === null || highestAmount === null ? [] : [[leaderId, { reserved: -highestAmount }]];
}
