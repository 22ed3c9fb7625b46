/**
 * `cancelled` by the bidder, or with the item; `lapsed`: the wallet no longer covered it when it would have led again.
 * Those that are placed or won stand.
 */
export const BID_STATUSES = ['placed', 'cancelled', 'lapsed', 'won'] as const;
export type BidStatus = (typeof BID_STATUSES)[number];

export const STANDING_SQL = `bids.status in ('placed', 'won')`;
