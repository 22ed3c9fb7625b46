import { RecordNotFoundError, transactional } from 'bellwether';
import { Account } from '../../models/bank/account';
import type { AccountKind } from '../../models/bank/account';
import type { Currency } from '../../models/bank/currency';
import { Customer } from '../../models/bank/customer';
import type { Cover } from '../../models/bank/cover';
import { Entry } from '../../models/bank/entry';
import type { Movement } from '../../models/bank/movement';
import { Product } from '../../models/bank/product';
import { Purchase } from '../../models/bank/purchase';
import {
  CurrencyMismatchError,
  InsufficientFundsError,
  MissingAccountError,
  OutOfStockError,
  SameAccountError,
  WrongCoverError,
} from './errors';
import { move, takeCovered, takeDecided, whyNotClosed } from './ledger';

// The operations of the bank. Each says what it needs in its first line, and no body takes a lock by hand.
//
// Most are `read committed`: the weakest level, and the one that never fails for concurrency. It suffices where each
// decision is made by the very statement that acts on it, and where all else that is read can never change.

export const openCustomer = (values: { name: string; cover?: Cover; isDrill?: boolean }): Promise<Customer> =>
  Customer.create(values);

/**
 * One open account of each kind a customer. Two requests at once may both find none: the unique index that @Unique
 * declares decides between them, at any isolation, and the loser is told so on the attribute.
 */
export const openAccount = transactional(
  { isolation: 'read committed', name: 'open account' },
  async ({ customerId, kind, currency }: OpenAccount): Promise<Account> => {
    const { cover } = await Customer.find(customerId);
    return Account.create({ customer: customerId, kind, currency, cover });
  },
);
export interface OpenAccount {
  readonly customerId: bigint;
  readonly kind: AccountKind;
  readonly currency: Currency;
}

/** One conditional update; a read balance that is written back would overwrite a deposit of the same moment. */
export const deposit = transactional(
  { isolation: 'read committed', name: 'deposit' },
  async ({ accountId, amount }: Amount): Promise<Movement> => {
    const account = await customersAccount(accountId);
    return move({ kind: 'deposit', from: await own('cash', account.currency), to: account, amount });
  },
);

/** The update's own condition says whether the balance covers it; two that each read 100 and take 80 cannot both pass. */
export const withdraw = transactional(
  { isolation: 'read committed', name: 'withdraw' },
  async ({ accountId, amount }: Amount): Promise<Movement> => {
    const account = await customersAccount(accountId);
    return move({ kind: 'withdrawal', from: account, to: await own('cash', account.currency), amount });
  },
);
export interface Amount {
  readonly accountId: bigint;
  /** Positive, in minor units. */
  readonly amount: bigint;
}

/**
 * Both updates and the entries in one transaction: all or nothing. The debit decides by its own condition, so however
 * many arrive at once, the row lock lines them up and each sees what those before it left. Without: the balance is
 * read, found to suffice by all of them, and paid out by all of them.
 */
export const transfer = transactional(
  { isolation: 'read committed', name: 'transfer' },
  async ({ fromId, toId, amount, memo }: Transfer): Promise<Movement> => {
    if (fromId === toId) throw new SameAccountError();
    const [from, to] = await customersAccounts(fromId, toId);
    assertSameCurrency(from.currency, to.currency);
    return move({ kind: 'transfer', from, to, amount, memo });
  },
);
export interface Transfer {
  readonly fromId: bigint;
  readonly toId: bigint;
  readonly amount: bigint;
  readonly memo?: string | undefined;
}

/**
 * From checking to savings. Both balances change in one commit, so that a snapshot shows both changes or none. It leaves
 * the sum as it is, and is therefore safe beside withdrawals under the joint rule.
 */
export const save = transactional(
  { isolation: 'read committed', name: 'save' },
  async ({ customerId, amount, memo }: Save): Promise<Movement> => {
    const accounts = await Account.where({ customerId, closedAt: null });
    const from = accounts.find(({ kind }) => kind === 'checking');
    const to = accounts.find(({ kind }) => kind === 'savings');
    if (!from || !to) throw new MissingAccountError(customerId);
    assertSameCurrency(from.currency, to.currency);
    return move({ kind: 'saving', from, to, amount, memo, take: takeCovered(['own', 'joint']) });
  },
);
export interface Save {
  readonly customerId: bigint;
  readonly amount: bigint;
  readonly memo?: string | undefined;
}

/**
 * Checking and savings together must cover it; either may be negative. The decision reads two rows and writes one, so
 * that two withdrawals, from checking and from savings, may each find the sum sufficient and pass one another without
 * touching the same row. That is write skew: forbidding it makes this `serializable`, and PostgreSQL ends one of the
 * two, which the framework runs again. Whatever else lowers the sum would have to forbid it too; nothing else does.
 */
export const withdrawJointly = transactional(
  { forbid: ['lost update', 'write skew'], name: 'withdraw jointly' },
  async ({ accountId, amount }: Amount): Promise<Movement> => {
    const account = await customersAccount(accountId);
    if (account.cover !== 'joint') throw new WrongCoverError(accountId, account.cover);
    const covering = await Account.where({ customerId: account.customerId, closedAt: null }).sum('balance');
    if (covering < amount) throw new InsufficientFundsError(accountId);
    const to = await own('cash', account.currency);
    return move({ kind: 'withdrawal', from: account, to, amount, take: takeDecided });
  },
);

/**
 * At zero only, and nothing lands on it afterwards: this update's condition is the balance, and the condition of every
 * update that moves money is that the account is open. They meet on one row, and the later one sees what the earlier
 * one did. Without: a deposit has read "open", the closing "zero", and both go through.
 */
export const closeAccount = transactional(
  { isolation: 'read committed', name: 'close account' },
  async ({ accountId: id }: { readonly accountId: bigint }): Promise<Account> => {
    await customersAccount(id);
    const closed = await Account.where({ id, closedAt: null, balance: 0n }).updateAll({ closedAt: new Date() });
    if (closed === 0) throw await whyNotClosed(id);
    const lastEntryId = (await Entry.where({ accountId: id }).maximum('id')) ?? 0n;
    await Account.where({ id }).updateAll({ lastEntryId });
    return Account.find(id);
  },
);

/**
 * The price is read and used without more ado, since it can never change. The stock and the balance are each taken by a
 * conditional update; the rows are always taken in this order, product before accounts. Without: the last one is sold
 * to everybody who has read that there is one.
 */
export const buy = transactional(
  { isolation: 'read committed', name: 'buy' },
  async ({ productId, accountId, quantity = 1 }: Buy): Promise<Purchase> => {
    const product = await Product.find(productId);
    const from = await customersAccount(accountId);
    assertSameCurrency(product.currency, from.currency);
    const sold = await Product.where({ id: productId }).where('stock', '>=', quantity).decrement({ stock: quantity });
    if (sold === 0) throw new OutOfStockError(productId);
    const to = await own('sales', product.currency);
    const amount = product.price * BigInt(quantity);
    const movement = await move({ kind: 'purchase', from, to, amount, memo: `${quantity} × ${product.name}` });
    return Purchase.create({ product, movement, quantity });
  },
);
export interface Buy {
  readonly productId: bigint;
  readonly accountId: bigint;
  readonly quantity?: number;
}

function assertSameCurrency(one: Currency, other: Currency): void {
  if (one !== other) throw new CurrencyMismatchError(one, other);
}

/** The bank's own account, which the migration made. */
function own(kind: 'cash' | 'sales', currency: Currency): Promise<Account> {
  return Account.where({ kind, currency, customerId: null }).firstOrFail();
}

async function customersAccount(id: bigint): Promise<Account> {
  const account = await Account.findBy({ id });
  if (!account || account.customerId === null) throw new RecordNotFoundError('Account', 'id');
  return account;
}

async function customersAccounts(firstId: bigint, secondId: bigint): Promise<[Account, Account]> {
  const found = await Account.where({ id: [firstId, secondId] }).where('customerId', 'is not', null);
  const [first, second] = [firstId, secondId].map((id) => found.find((account) => account.id === id));
  if (!first || !second) throw new RecordNotFoundError('Account', 'id');
  return [first, second];
}
