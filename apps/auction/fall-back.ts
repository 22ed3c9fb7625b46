import { Bid } from '../../models/auction/bid';
import type { Item } from '../../models/auction/item';
import { changeWallet } from './wallets';

/**
 * After the leading bid was cancelled: releases it, and has the highest bid lead that its bidder can still cover. Higher
 * ones, which nobody can pay, lapse. The item is held.
 *
 * Every bidder's wallet is asked, in one order, whatever they bid: it reserves the best that it covers. Then the best of
 * these stays, and the others are given back before anybody can see it. To ask the best bidder first would be shorter,
 * and could wait in a circle with the same thing on another item.
 */
export async function fallBack(item: Item, cancelled: Bid): Promise<void> {
  const standing = await Bid.where({ itemId: item.id, status: 'placed' }).order('amount', 'desc');
  const covered = await reserveEach(standing, cancelled);
  const next = standing.find((bid) => covered.has(bid));
  const lapsed = next ? standing.slice(0, standing.indexOf(next)) : standing;
  const others = [...covered].filter((bid) => bid !== next);
  item.assign({
    highestBidId: next?.id ?? null,
    highestAmount: next?.amount ?? null,
    leaderId: next?.bidderId ?? null,
    bidCount: standing.length - lapsed.length,
  });
  await Promise.all([
    ...others.map(({ bidderId, amount }) => changeWallet(bidderId, { reserved: -amount })),
    lapsed.length > 0 && Bid.where({ id: lapsed.map(({ id }) => id) }).updateAll({ status: 'lapsed' }),
    item.save(),
  ]);
}

/** Reserves for each bidder the highest bid that is covered. @returns these bids */
async function reserveEach(standing: readonly Bid[], cancelled: Bid): Promise<Set<Bid>> {
  const covered = new Set<Bid>();
  const bidders = new Set([cancelled, ...standing].map(({ bidderId }) => bidderId));
  for (const userId of [...bidders].sort((one, other) => (one < other ? -1 : 1))) {
    if (userId === cancelled.bidderId) await changeWallet(userId, { reserved: -cancelled.amount });
    for (const bid of standing.filter(({ bidderId }) => bidderId === userId)) {
      if (!(await changeWallet(userId, { reserved: bid.amount }))) continue;
      covered.add(bid);
      break;
    }
  }
  return covered;
}
