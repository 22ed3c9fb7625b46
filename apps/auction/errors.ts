import { BellwetherError } from 'bellwether';
import { ForbiddenError } from '../web/refusals';

// Refusals of the auction. All are answers to what was asked for: show them to whoever asked.

/** What is available in the wallet does not cover it. */
export class InsufficientFundsError extends BellwetherError {
  override readonly code = 'E_INSUFFICIENT_FUNDS';
  override readonly recovery = 'fix-the-input';

  constructor(userId: bigint) {
    super({
      what: 'The wallet does not hold enough that is not reserved; nothing was done.',
      remedy: 'Add funds, or wait until somebody bids higher where you lead.',
      details: { userId: String(userId) },
    });
  }
}

/** Its end has come, or it was concluded, sold or cancelled before. */
export class AuctionOverError extends BellwetherError {
  override readonly code = 'E_AUCTION_OVER';
  override readonly recovery = 'fix-the-input';

  constructor(itemId: bigint) {
    super({
      what: `The auction of item ${itemId} is over.`,
      remedy: 'Look at the item to see how it ended.',
      details: { itemId: String(itemId) },
    });
  }
}

export class OutOfStockError extends BellwetherError {
  override readonly code = 'E_OUT_OF_STOCK';
  override readonly recovery = 'fix-the-input';

  constructor(itemId: bigint) {
    super({
      what: `Fewer of item ${itemId} are left than were asked for; nothing was sold.`,
      remedy: 'Ask for fewer, or for another item.',
      details: { itemId: String(itemId) },
    });
  }
}

export class NotForBuyNowError extends BellwetherError {
  override readonly code = 'E_NOT_FOR_BUY_NOW';
  override readonly recovery = 'fix-the-input';

  constructor(itemId: bigint) {
    super({
      what: `Item ${itemId} cannot be bought now; it goes to the highest bid.`,
      remedy: 'Bid on it.',
      details: { itemId: String(itemId) },
    });
  }
}

/** Whoever offers an item has other things to do with it than to buy it. */
export class OwnItemError extends BellwetherError {
  override readonly code = 'E_OWN_ITEM';
  override readonly recovery = 'fix-the-input';

  constructor(itemId: bigint) {
    super({
      what: `Item ${itemId} is the buyer's own.`,
      remedy: 'Choose an item of somebody else.',
      details: { itemId: String(itemId) },
    });
  }
}

/** The item or the bid belongs to somebody else. */
export class NotYoursError extends ForbiddenError {
  constructor(what: string) {
    super(`The ${what} belongs to somebody else.`, `Choose a ${what} of your own.`);
  }
}

export class InvalidAmountError extends BellwetherError {
  override readonly code = 'E_INVALID_AMOUNT';
  override readonly recovery = 'fix-the-input';

  constructor(what: string, remedy: string) {
    super({ what, remedy });
  }
}

/** Refusals for which the state of the auction is the reason, not the request. */
export const CONFLICTS: ReadonlySet<string> = new Set([
  'E_INSUFFICIENT_FUNDS',
  'E_AUCTION_OVER',
  'E_OUT_OF_STOCK',
  'E_NOT_FOR_BUY_NOW',
]);
