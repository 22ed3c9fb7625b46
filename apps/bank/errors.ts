import { BellwetherError } from 'bellwether';

// Refusals of the bank. All are answers to what was asked for: show them to whoever asked.

/** The balance, or under a joint rule the sum of balances, does not cover the amount. */
export class InsufficientFundsError extends BellwetherError {
  override readonly code = 'E_INSUFFICIENT_FUNDS';
  override readonly recovery = 'fix-the-input';

  constructor(accountId: bigint) {
    super({
      what: `Account ${accountId} has insufficient funds; nothing was taken.`,
      remedy: 'Ask for less, or pay money in first.',
      details: { accountId: String(accountId) },
    });
  }
}

export class AccountClosedError extends BellwetherError {
  override readonly code = 'E_ACCOUNT_CLOSED';
  override readonly recovery = 'fix-the-input';

  constructor(accountId: bigint) {
    super({
      what: `Account ${accountId} is closed; nothing moves on it any more.`,
      remedy: 'Choose an open account.',
      details: { accountId: String(accountId) },
    });
  }
}

/** An operation between a customer's two accounts, of which one is not there. */
export class MissingAccountError extends BellwetherError {
  override readonly code = 'E_MISSING_ACCOUNT';
  override readonly recovery = 'fix-the-input';

  constructor(customerId: bigint) {
    super({
      what: `Customer ${customerId} does not have both an open checking and an open savings account.`,
      remedy: 'Open the one that is missing first.',
      details: { customerId: String(customerId) },
    });
  }
}

export class AccountNotEmptyError extends BellwetherError {
  override readonly code = 'E_ACCOUNT_NOT_EMPTY';
  override readonly recovery = 'fix-the-input';

  constructor(accountId: bigint) {
    super({
      what: `Account ${accountId} is not at zero, so it cannot be closed.`,
      remedy: 'Bring the balance to zero first.',
      details: { accountId: String(accountId) },
    });
  }
}

export class SameAccountError extends BellwetherError {
  override readonly code = 'E_SAME_ACCOUNT';
  override readonly recovery = 'fix-the-input';

  constructor() {
    super({ what: 'A transfer needs two different accounts.', remedy: 'Choose another account to pay to.' });
  }
}

export class CurrencyMismatchError extends BellwetherError {
  override readonly code = 'E_CURRENCY_MISMATCH';
  override readonly recovery = 'fix-the-input';

  constructor(one: string, other: string) {
    super({
      what: `The one side is kept in ${one}, the other in ${other}.`,
      remedy: 'Choose two of the same currency; the bank does not exchange.',
      details: { currencies: [one, other] },
    });
  }
}

/** The operation is not for accounts that are covered as this one is. */
export class WrongCoverError extends BellwetherError {
  override readonly code = 'E_WRONG_COVER';
  override readonly recovery = 'fix-the-input';

  constructor(accountId: bigint, cover: string) {
    super({
      what:
        cover === 'joint'
          ? `Account ${accountId} is covered jointly with its sibling, so only withdrawals under the joint rule take from it.`
          : `Account ${accountId} covers its own debits; it has no joint rule.`,
      remedy: cover === 'joint' ? 'Withdraw under the joint rule.' : 'Use an ordinary withdrawal.',
      details: { accountId: String(accountId), cover },
    });
  }
}

export class OutOfStockError extends BellwetherError {
  override readonly code = 'E_OUT_OF_STOCK';
  override readonly recovery = 'fix-the-input';

  constructor(productId: bigint) {
    super({
      what: `Fewer of product ${productId} are left than were asked for; nothing was sold.`,
      remedy: 'Ask for fewer, or for another product.',
      details: { productId: String(productId) },
    });
  }
}

export class InvalidAmountError extends BellwetherError {
  override readonly code = 'E_INVALID_AMOUNT';
  override readonly recovery = 'fix-the-input';

  constructor(what: string, remedy: string) {
    super({ what, remedy });
  }
}
