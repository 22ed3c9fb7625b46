import { RecordNotFoundError, transactional } from 'bellwether';
import { Account } from '../../models/bank/account';
import { Entry } from '../../models/bank/entry';
import { Movement } from '../../models/bank/movement';
import { Product } from '../../models/bank/product';
import { Purchase } from '../../models/bank/purchase';
import { AccountClosedError, AccountNotEmptyError, InsufficientFundsError, OutOfStockError } from './errors';
import type { Amount, Buy, Transfer } from './operations';
import type { Totals } from './reading';

// UNSAFE. Never call these from the bank; they are here to be compared with `operations.ts`.
//
// They are what an ordinary ORM makes of the same operations, on PostgreSQL's default isolation: read a balance, decide
// in JavaScript, write the new balance. Each runs in a transaction, and each is right when it runs alone.

const ORDINARY = { isolation: 'read committed' } as const;

/** Lost update: all that have read the same balance write the same new one, and each of them pays. */
export const unsafeTransfer = transactional(
  { ...ORDINARY, name: 'unsafe transfer' },
  async ({ fromId, toId, amount, memo }: Transfer): Promise<Movement> => {
    const from = await open(fromId);
    const to = await open(toId);
    if (from.balance < amount) throw new InsufficientFundsError(fromId);
    await Account.where({ id: fromId }).updateAll({ balance: from.balance - amount });
    await Account.where({ id: toId }).updateAll({ balance: to.balance + amount });
    return book('transfer', fromId, toId, amount, memo);
  },
);

/** Lost update: of two deposits at once, one is forgotten. */
export const unsafeDeposit = transactional(
  { ...ORDINARY, name: 'unsafe deposit' },
  async ({ accountId, amount }: Amount): Promise<Movement> => {
    const account = await open(accountId);
    await Account.where({ id: accountId }).updateAll({ balance: account.balance + amount });
    return book('deposit', await cashOf(account), accountId, amount);
  },
);

/** Write skew: from checking and from savings at once, each sees a sum that covers it. */
export const unsafeWithdrawJointly = transactional(
  { ...ORDINARY, name: 'unsafe withdraw jointly' },
  async ({ accountId, amount }: Amount): Promise<Movement> => {
    const account = await open(accountId);
    const covering = await Account.where({ customerId: account.customerId, closedAt: null }).sum('balance');
    if (covering < amount) throw new InsufficientFundsError(accountId);
    await Account.where({ id: accountId }).updateAll({ balance: account.balance - amount });
    return book('withdrawal', accountId, await cashOf(account), amount);
  },
);

/** Read skew: a save between the two queries is counted half. */
export const unsafeTotalBalance = transactional(
  { ...ORDINARY, name: 'unsafe total balance' },
  async (customerId: bigint): Promise<Totals> => {
    const checking = await Account.where({ customerId, kind: 'checking', closedAt: null }).sum('balance');
    const savings = await Account.where({ customerId, kind: 'savings', closedAt: null }).sum('balance');
    return { checking, savings, total: checking + savings };
  },
);

/** A deposit that has read "open" lands on an account that was closed meanwhile. */
export const unsafeCloseAccount = transactional(
  { ...ORDINARY, name: 'unsafe close account' },
  async ({ accountId: id }: { readonly accountId: bigint }): Promise<Account> => {
    const account = await open(id);
    if (account.balance !== 0n) throw new AccountNotEmptyError(id);
    const lastEntryId = (await Entry.where({ accountId: id }).maximum('id')) ?? 0n;
    await Account.where({ id }).updateAll({ closedAt: new Date(), lastEntryId });
    return Account.find(id);
  },
);

/** The last one is sold to everybody who has read that there is one. */
export const unsafeBuy = transactional(
  { ...ORDINARY, name: 'unsafe buy' },
  async ({ productId, accountId, quantity = 1 }: Buy): Promise<Purchase> => {
    const product = await Product.find(productId);
    const account = await open(accountId);
    const amount = product.price * BigInt(quantity);
    if (product.stock < quantity) throw new OutOfStockError(productId);
    if (account.balance < amount) throw new InsufficientFundsError(accountId);
    await Product.where({ id: productId }).updateAll({ stock: product.stock - quantity });
    await Account.where({ id: accountId }).updateAll({ balance: account.balance - amount });
    const sales = await Account.where({ kind: 'sales', currency: product.currency, customerId: null }).firstOrFail();
    const movement = await book('purchase', accountId, sales.id, amount, product.name);
    return Purchase.create({ product, movement, quantity });
  },
);

async function open(id: bigint): Promise<Account> {
  const account = await Account.findBy({ id });
  if (!account || account.customerId === null) throw new RecordNotFoundError('Account', 'id');
  if (account.closedAt !== null) throw new AccountClosedError(id);
  return account;
}

async function cashOf({ currency }: Account): Promise<bigint> {
  return (await Account.where({ kind: 'cash', currency, customerId: null }).firstOrFail()).id;
}

async function book(
  kind: Movement['kind'],
  fromId: bigint,
  toId: bigint,
  amount: bigint,
  memo?: string,
): Promise<Movement> {
  const movement = await Movement.create({ kind, memo: memo ?? null });
  await Entry.create({ movement, account: fromId, amount: -amount });
  await Entry.create({ movement, account: toId, amount });
  return movement;
}
