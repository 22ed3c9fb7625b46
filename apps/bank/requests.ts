import { Account } from '../../models/bank/account';
import { CURRENCIES } from '../../models/bank/currency';
import { COVERS } from '../../models/bank/cover';
import { MissingAccountError } from './errors';
import { findAccount } from './input';
import { readChoice, readCount, readId, readText } from '../web/input';
import type { Fields } from '../web/input';
import { formatAmount, parseAmount } from './money';
import * as operations from './operations';
import type { Record as Made } from './views';
import * as views from './views';

// What can be asked of the bank from outside, once for the JSON API and the forms of the page: reads the fields, runs
// the operation, and says what came of it.

export interface Answer {
  /** For people. */
  readonly notice: string;
  /** For programs. */
  readonly made: Made;
}
export type Request = (fields: Fields) => Promise<Answer>;

const money = (amount: bigint, { currency }: Pick<Account, 'currency'>) =>
  `${formatAmount(amount, currency)} ${currency}`;

export async function openCustomer(fields: Fields): Promise<Answer> {
  const cover = fields.cover === undefined ? 'own' : readChoice(fields.cover, COVERS, 'cover');
  const customer = await operations.openCustomer({ name: readText(fields.name, 'name'), cover });
  return { notice: `${customer.name} is a customer now; open an account next.`, made: views.customer(customer) };
}

export async function openAccount(fields: Fields): Promise<Answer> {
  const account = await operations.openAccount({
    customerId: readId(fields.customer, 'customer'),
    kind: readChoice(fields.kind, ['checking', 'savings'] as const, 'kind'),
    currency: readChoice(fields.currency ?? 'EUR', CURRENCIES, 'currency'),
  });
  return { notice: `The ${account.kind} account ${account.id} is open.`, made: views.account(account) };
}

export async function deposit(fields: Fields): Promise<Answer> {
  const account = await findAccount(fields.account);
  const amount = parseAmount(fields.amount, account.currency);
  const movement = await operations.deposit({ accountId: account.id, amount });
  return { notice: `${money(amount, account)} paid in on account ${account.id}.`, made: views.movement(movement) };
}

/** The account's cover, which never changes, says under which rule. */
export async function withdraw(fields: Fields): Promise<Answer> {
  const account = await findAccount(fields.account);
  const amount = parseAmount(fields.amount, account.currency);
  const operation = account.cover === 'joint' ? operations.withdrawJointly : operations.withdraw;
  const movement = await operation({ accountId: account.id, amount });
  return { notice: `${money(amount, account)} withdrawn from account ${account.id}.`, made: views.movement(movement) };
}

export async function transfer(fields: Fields): Promise<Answer> {
  const from = await findAccount(fields.from);
  const toId = readId(fields.to, 'account');
  const amount = parseAmount(fields.amount, from.currency);
  const memo = readText(fields.memo, 'memo') || undefined;
  const movement = await operations.transfer({ fromId: from.id, toId, amount, memo });
  return { notice: `${money(amount, from)} paid from ${from.id} to ${toId}.`, made: views.movement(movement) };
}

export async function save(fields: Fields): Promise<Answer> {
  const customerId = readId(fields.customer, 'customer');
  const checking = await Account.findBy({ customerId, kind: 'checking', closedAt: null });
  if (!checking) throw new MissingAccountError(customerId);
  const amount = parseAmount(fields.amount, checking.currency);
  const movement = await operations.save({ customerId, amount });
  return { notice: `${money(amount, checking)} saved.`, made: views.movement(movement) };
}

export async function closeAccount(fields: Fields): Promise<Answer> {
  const account = await operations.closeAccount({ accountId: readId(fields.account, 'account') });
  return { notice: `Account ${account.id} is closed.`, made: views.account(account) };
}

export async function buy(fields: Fields): Promise<Answer> {
  const productId = readId(fields.product, 'product');
  const accountId = readId(fields.account, 'account');
  const quantity = readCount(fields.quantity, 'quantity', { most: 1000, fallback: 1 });
  const purchase = await operations.buy({ productId, accountId, quantity });
  return { notice: 'Bought; the account has paid.', made: views.purchase(purchase) };
}
