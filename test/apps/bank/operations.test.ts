import { sql } from 'bellwether';
import { audit, checkRules, RULE_NAMES } from '../../../apps/bank/audit';
import { allHold } from '../../../apps/web/findings';
import * as bank from '../../../apps/bank/operations';
import { statement, totalBalance } from '../../../apps/bank/reading';
import { seedIfEmpty } from '../../../apps/bank/seed';
import { Account } from '../../../models/bank/account';
import { Customer } from '../../../models/bank/customer';
import { Entry } from '../../../models/bank/entry';
import { Movement } from '../../../models/bank/movement';
import { Product } from '../../../models/bank/product';
import { createHolder, createTestBank } from './bank-database';
import type { TestBank } from './bank-database';

let bankUnderTest: TestBank;
beforeAll(async () => (bankUnderTest = await createTestBank(5)));
afterAll(() => bankUnderTest.close());
afterEach(async () => expect(allHold(await audit(bankUnderTest.db))).toBe(true));

const balanceOf = async (account: Account) => (await Account.find(account.id)).balance;
const createProduct = (values: { price?: bigint; stock?: number; currency?: 'EUR' | 'USD' } = {}) => {
  const { price = 500n, stock = 3, currency = 'EUR' } = values;
  return Product.create({ name: 'A bell', price, currency, stocked: stock, stock });
};

test('every movement is a pair of entries that sums to zero', async () => {
  const { checking } = await createHolder();
  const movement = await bank.deposit({ accountId: checking.id, amount: 1234n });
  const entries = await Entry.where({ movementId: movement.id }).order('amount').include('account');
  expect(entries.map(({ amount, account }) => [account.value.kind, amount])).toEqual([
    ['cash', -1234n],
    ['checking', 1234n],
  ]);
  expect(await balanceOf(checking)).toBe(1234n);
});

test('a transfer moves money, with its memo, and only what is there', async () => {
  const [from, to] = [await createHolder({ checking: 1000n }), await createHolder()];
  const ids = { fromId: from.checking.id, toId: to.checking.id };
  const movement = await bank.transfer({ ...ids, amount: 1000n, memo: 'rent' });
  expect(movement).toMatchObject({ kind: 'transfer', memo: 'rent' });
  await expect(bank.transfer({ ...ids, amount: 1n })).rejects.toMatchObject({
    code: 'E_INSUFFICIENT_FUNDS',
    recovery: 'fix-the-input',
  });
  expect([await balanceOf(from.checking), await balanceOf(to.checking)]).toEqual([0n, 1000n]);
});

test('a refused transfer leaves nothing behind, also when the credit came before the debit', async () => {
  const [first, second] = [await createHolder(), await createHolder({ checking: 10n })];
  const movements = await Movement.count();
  const backwards = { fromId: second.checking.id, toId: first.checking.id, amount: 11n };
  await expect(bank.transfer(backwards)).rejects.toMatchObject({ code: 'E_INSUFFICIENT_FUNDS' });
  expect([await balanceOf(first.checking), await Movement.count()]).toEqual([0n, movements]);
});

test('refusals name their reason', async () => {
  const [eur, other] = [await createHolder({ checking: 100n }), await createHolder()];
  const usd = await createHolder({}, { currency: 'USD' });
  const joint = await createHolder({ checking: 100n }, { cover: 'joint' });
  const cash = await Account.where({ kind: 'cash', currency: 'EUR' }).firstOrFail();
  await bank.closeAccount({ accountId: other.checking.id });
  const pay = (from: Account, to: Account) => bank.transfer({ fromId: from.id, toId: to.id, amount: 1n });
  const withdraw = (account: Account, amount: bigint) => bank.withdraw({ accountId: account.id, amount });
  const product = await createProduct({ currency: 'USD' });
  await expectCodes([
    [() => pay(eur.checking, eur.checking), 'E_SAME_ACCOUNT'],
    [() => pay(eur.checking, usd.checking), 'E_CURRENCY_MISMATCH'],
    [() => pay(eur.checking, other.checking), 'E_ACCOUNT_CLOSED'],
    [() => pay(other.checking, eur.checking), 'E_ACCOUNT_CLOSED'],
    [() => pay(joint.checking, eur.checking), 'E_WRONG_COVER'],
    [() => pay(cash, eur.checking), 'E_RECORD_NOT_FOUND'],
    [() => withdraw(eur.checking, 101n), 'E_INSUFFICIENT_FUNDS'],
    [() => withdraw(joint.checking, 1n), 'E_WRONG_COVER'],
    [() => bank.withdrawJointly({ accountId: eur.checking.id, amount: 1n }), 'E_WRONG_COVER'],
    [() => bank.deposit({ accountId: 99_999n, amount: 1n }), 'E_RECORD_NOT_FOUND'],
    [() => bank.deposit({ accountId: other.checking.id, amount: 1n }), 'E_ACCOUNT_CLOSED'],
    [() => bank.deposit({ accountId: eur.checking.id, amount: 2n ** 63n - 1n }), 'E_INVALID_VALUE'],
    [() => bank.closeAccount({ accountId: eur.checking.id }), 'E_ACCOUNT_NOT_EMPTY'],
    [() => bank.closeAccount({ accountId: other.checking.id }), 'E_ACCOUNT_CLOSED'],
    [() => bank.buy({ productId: product.id, accountId: eur.checking.id }), 'E_CURRENCY_MISMATCH'],
    [() => bank.save({ customerId: other.customer.id, amount: 1n }), 'E_MISSING_ACCOUNT'],
  ]);
});

async function expectCodes(cases: readonly (readonly [() => Promise<unknown>, string])[]): Promise<void> {
  const codes = cases.map(([run]) =>
    run().then(
      () => 'no error',
      ({ code }: { code?: string }) => code,
    ),
  );
  expect(await Promise.all(codes)).toEqual(cases.map(([, code]) => code));
}

test('a customer has one open account of each kind, and may open another after closing it', async () => {
  const { customer, checking } = await createHolder();
  const again = () => bank.openAccount({ customerId: customer.id, kind: 'checking', currency: 'EUR' });
  await expect(again()).rejects.toMatchObject({
    code: 'E_VALIDATION',
    message: expect.stringContaining('is open already'),
  });
  await bank.closeAccount({ accountId: checking.id });
  expect(await again()).toMatchObject({ kind: 'checking', closedAt: null });
});

test('saving leaves the total as it is', async () => {
  const { customer } = await createHolder({ checking: 700n, savings: 300n });
  await bank.save({ customerId: customer.id, amount: 200n });
  expect(await totalBalance(customer.id)).toEqual({ checking: 500n, savings: 500n, total: 1000n });
});

test('under the joint rule one account may be negative, the sum may not', async () => {
  const { checking, savings } = await createHolder({ checking: 100n, savings: 50n }, { cover: 'joint' });
  await bank.withdrawJointly({ accountId: savings.id, amount: 120n });
  expect(await balanceOf(savings)).toBe(-70n);
  const more = bank.withdrawJointly({ accountId: checking.id, amount: 31n });
  await expect(more).rejects.toMatchObject({ code: 'E_INSUFFICIENT_FUNDS' });
  await bank.withdrawJointly({ accountId: checking.id, amount: 30n });
});

test('the database itself refuses a balance below zero', async () => {
  const { checking } = await createHolder();
  checking.balance = -1n;
  await expect(checking.save()).rejects.toMatchObject({ code: 'E_VALIDATION' });
  await expect(Account.where({ id: checking.id }).decrement({ balance: 1n })).rejects.toMatchObject({
    code: 'E_VALIDATION',
    problems: [{ attribute: 'balance', code: 'check', message: 'must not fall below zero' }],
    cause: { code: 'E_CHECK_VIOLATION' },
  });
});

test('a purchase takes stock and money together', async () => {
  const { checking } = await createHolder({ checking: 1400n });
  const product = await createProduct({ price: 500n, stock: 3 });
  const buy = (quantity: number) => bank.buy({ productId: product.id, accountId: checking.id, quantity });
  await buy(2);
  await expect(buy(2)).rejects.toMatchObject({ code: 'E_OUT_OF_STOCK' });
  await expect(buy(1)).rejects.toMatchObject({ code: 'E_INSUFFICIENT_FUNDS' });
  expect(await product.reload()).toMatchObject({ stock: 1 });
  expect(await balanceOf(checking)).toBe(400n);
});

test('a price never changes, neither in the model nor in SQL', async () => {
  const product = await createProduct();
  product.price = 1n;
  await expect(product.save()).rejects.toMatchObject({
    code: 'E_VALIDATION',
    message: expect.stringContaining('price'),
  });
  await expect(Product.where({ id: product.id }).updateAll({ price: 1n })).rejects.toMatchObject({
    code: 'E_CHECK_VIOLATION',
  });
});

test('a statement lists every entry, over many batches, and the balance that they lead to', async () => {
  const { checking } = await createHolder();
  await bulkDeposit(checking, 2300);
  const whole = await statement(checking.id);
  expect(whole.lines).toHaveLength(2300);
  expect(whole).toMatchObject({ broughtForward: 0n, account: { balance: 2300n } });
  expect(whole.lines.map(({ balance }) => balance)).toEqual(Array.from({ length: 2300 }, (_, n) => BigInt(n + 1)));
  const latest = await statement(checking.id, 2);
  expect(latest.lines.map(({ balance }) => balance)).toEqual([2299n, 2300n]);
  expect(latest.broughtForward).toBe(2298n);
});

async function bulkDeposit({ id }: Account, count: number): Promise<void> {
  const { db } = bankUnderTest;
  await db.transaction(async () => {
    await sql`
      with made as (insert into movements (kind) select 'deposit' from generate_series(1, ${count}::int) returning id)
      insert into entries (movement_id, account_id, amount)
      select made.id, account, amount from made,
        (values (${id}::bigint, 1), ((select id from accounts where kind = 'cash' and currency = 'EUR'), -1)) as pair (account, amount)
    `.execute(db.kysely());
    await Account.where({ id }).increment({ balance: BigInt(count) });
  });
}

test('a statement tells who paid', async () => {
  const [payer, payee] = [await createHolder({ checking: 100n }), await createHolder()];
  await bank.transfer({ fromId: payer.checking.id, toId: payee.checking.id, amount: 60n, memo: 'lunch' });
  const { lines } = await statement(payee.checking.id);
  expect(lines).toMatchObject([{ kind: 'transfer', memo: 'lunch', balance: 60n, other: { id: payer.checking.id } }]);
});

test('two processes that seed an empty bank at once fill it once', async () => {
  const bank = await createTestBank(4);
  try {
    const seeded = await bank.db.use(() => Promise.all([seedIfEmpty(), seedIfEmpty(), seedIfEmpty()]));
    expect(seeded.filter(Boolean)).toHaveLength(1);
    expect(await bank.db.use(() => Customer.count())).toBe(3);
    expect(allHold(await audit(bank.db))).toBe(true);
  } finally {
    await bank.close();
  }
});

/** Each breach, made by hand, and the rule that must tell of it. Undone at the end. */
const BREACHES: readonly (readonly [rule: string, breach: string])[] = [
  ['entries of each movement sum to zero', 'update entries set amount = amount + 1 where amount > 0'],
  ['each balance is the sum of its entries', 'update accounts set balance = balance + 1 where customer_id is not null'],
  ['money is conserved', 'update accounts set balance = balance + 1 where customer_id is not null'],
  [
    'no account with a cover of its own is below zero',
    'update accounts set balance = -1 where customer_id is not null',
  ],
  [
    'no customer with joint cover is below zero in sum',
    "update accounts set cover = 'joint', balance = -1 where customer_id is not null",
  ],
  ['both ends of a movement are of one currency', "update accounts set currency = 'XXX' where customer_id is not null"],
  ['one open account of each kind a customer', "update accounts set kind = 'checking' where customer_id is not null"],
  ['closed accounts are at zero', 'update accounts set closed_at = now(), last_entry_id = 1000000 where balance > 0'],
  ['nothing lands on a closed account', 'update accounts set closed_at = now(), last_entry_id = 0'],
  [
    'accounts are covered as their customers are',
    "update customers set cover = case cover when 'own' then 'joint' else 'own' end",
  ],
  ['stock is never below zero', 'update products set stock = -1'],
  ['what was stocked is in stock or sold', 'update products set stocked = stocked + 1'],
  ['each purchase was paid at the price', 'update purchases set quantity = quantity + 1'],
];

test('the cases below are one for each rule of the audit', () => {
  expect([...BREACHES.map(([rule]) => rule)].sort()).toEqual([...RULE_NAMES].sort());
});

test.each(BREACHES)('the audit tells when it is not so that %s', async (rule, breach) => {
  const { db } = bankUnderTest;
  const unguard = `
    alter table accounts drop constraint accounts_balance_check, drop constraint accounts_kind_check;
    alter table products drop constraint products_stock_check;
    drop index accounts_customer_id_kind_idx, accounts_currency_kind_idx;`;
  const undone = new Error('undone');
  const tried = db.transaction({ isolation: 'repeatable read' }, async () => {
    for (const statement of [...unguard.trim().split(';'), breach].filter((text) => text.trim() !== '')) {
      await sql.raw(statement).execute(db.kysely());
    }
    const broken = (await checkRules(db)).filter(({ violations }) => violations > 0);
    expect(broken.map((finding) => finding.rule)).toContain(rule);
    throw undone;
  });
  await expect(tried).rejects.toBe(undone);
});
