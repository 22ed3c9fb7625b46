import { audit } from '../../../apps/bank/audit';
import { allHold } from '../../../apps/web/findings';
import { mix } from '../../../apps/bank/mix';
import type { Stage } from '../../../apps/bank/mix';
import { runClients } from '../../../apps/load/clients';
import * as bank from '../../../apps/bank/operations';
import { statement, totalBalance } from '../../../apps/bank/reading';
import * as unsafe from '../../../apps/bank/unsafe';
import { Account } from '../../../models/bank/account';
import { Product } from '../../../models/bank/product';
import { createHolder, createTestBank } from './bank-database';
import type { Holder, TestBank } from './bank-database';

// Each rule is raced: the declared operation keeps it in every round, and its unsafe twin, where there is one, breaks it
// in some round; so that a race that never meets does not pass for a rule that holds.

const ROUNDS = 25;
/** The twin gets as many rounds as it takes, within reason. */
const MOST_ROUNDS = 400;

let bankUnderTest: TestBank;
beforeAll(async () => (bankUnderTest = await createTestBank()));
afterAll(() => bankUnderTest.close());

interface Settled {
  readonly done: number;
  readonly codes: readonly string[];
}

async function race(...operations: readonly Promise<unknown>[]): Promise<Settled> {
  const settled = await Promise.allSettled(operations);
  const errors = settled.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as { code?: string }] : [],
  );
  return { done: settled.length - errors.length, codes: errors.map(({ code }) => code ?? 'a bug') };
}

async function everyRound(round: () => Promise<void>): Promise<void> {
  for (let n = 0; n < ROUNDS; n++) await round();
}

async function someRound(breaks: () => Promise<boolean>): Promise<void> {
  for (let n = 0; n < MOST_ROUNDS; n++) if (await breaks()) return;
  throw new Error(`the unsafe twin kept the rule in all of ${MOST_ROUNDS} rounds`);
}

const idsOf = ({ checking, savings }: Holder) => [checking.id, savings.id];
const auditOf = async (...holders: readonly Holder[]) => allHold(await audit(bankUnderTest.db, holders.flatMap(idsOf)));
const sumOf = ({ customer }: Holder) => Account.where({ customerId: customer.id }).sum('balance');

describe('deposits', () => {
  const twenty = (deposit: typeof bank.deposit, { checking }: Holder) =>
    race(...Array.from({ length: 20 }, () => deposit({ accountId: checking.id, amount: 7n })));

  test('none is lost', async () => {
    const holder = await createHolder();
    expect(await twenty(bank.deposit, holder)).toEqual({ done: 20, codes: [] });
    expect(await sumOf(holder)).toBe(140n);
    expect(await auditOf(holder)).toBe(true);
  });

  test('the unsafe twin loses some', () =>
    someRound(async () => {
      const holder = await createHolder();
      await twenty(unsafe.unsafeDeposit, holder);
      return (await sumOf(holder)) < 140n;
    }));
});

test('transfers that cross conserve the money, with no error but the lack of it', async () => {
  const holders = [await createHolder({ checking: 500n }), await createHolder({ checking: 500n })];
  const [a, b] = holders.map(({ checking }) => checking.id) as [bigint, bigint];
  let retries = 0;
  const off = bankUnderTest.db.on('transaction:retry', () => retries++);
  const all = Array.from({ length: 200 }, (_, n) => {
    const [fromId, toId] = n % 2 === 0 ? [a, b] : [b, a];
    return bank.transfer({ fromId, toId, amount: BigInt(1 + (n % 50)) });
  });
  const { done, codes } = await race(...all);
  off();
  expect(done + codes.length).toBe(200);
  expect([...new Set(codes)].filter((code) => code !== 'E_INSUFFICIENT_FUNDS')).toEqual([]);
  expect(retries).toBe(0); // the order of the updates leaves nothing to deadlock
  expect((await sumOf(holders[0]!)) + (await sumOf(holders[1]!))).toBe(1000n);
  expect(await auditOf(...holders)).toBe(true);
});

describe('withdrawals under the joint rule', () => {
  const bothAtOnce = async (withdraw: typeof bank.withdrawJointly) => {
    const holder = await createHolder({ checking: 60n, savings: 40n }, { cover: 'joint' });
    const outcome = await race(...idsOf(holder).map((accountId) => withdraw({ accountId, amount: 80n })));
    return { holder, outcome };
  };

  test('of two that each would be covered, one is refused, in every round', () =>
    everyRound(async () => {
      const { holder, outcome } = await bothAtOnce(bank.withdrawJointly);
      expect(outcome).toEqual({ done: 1, codes: ['E_INSUFFICIENT_FUNDS'] });
      expect(await sumOf(holder)).toBe(20n);
    }));

  test('the unsafe twin pays both (write skew)', () =>
    someRound(async () => (await sumOf((await bothAtOnce(unsafe.unsafeWithdrawJointly)).holder)) < 0n));
});

describe('the total while a save runs', () => {
  const watch = async (total: typeof totalBalance) => {
    const holder = await createHolder({ checking: 1000n });
    let isSaving = true;
    const save = () => bank.save({ customerId: holder.customer.id, amount: 100n });
    const saves = Promise.all(Array.from({ length: 10 }, save)).finally(() => (isSaving = false));
    const totals: bigint[] = [];
    const look = async () => {
      while (isSaving) totals.push((await total(holder.customer.id)).total);
    };
    await Promise.all([saves, ...Array.from({ length: 4 }, look)]);
    return totals;
  };

  test('never flickers', () =>
    everyRound(async () => expect(new Set(await watch(totalBalance))).toEqual(new Set([1000n]))));

  test('flickers in the unsafe twin (read skew)', () =>
    someRound(async () => (await watch(unsafe.unsafeTotalBalance)).some((total) => total !== 1000n)));
});

test('a statement agrees with itself while entries are booked', async () => {
  const holder = await createHolder({ checking: 1000n });
  const { id: accountId } = holder.checking;
  const saves = race(...Array.from({ length: 60 }, () => bank.save({ customerId: holder.customer.id, amount: 1n })));
  const statements = await Promise.all(Array.from({ length: 30 }, () => statement(accountId)));
  await saves;
  for (const { account, lines, broughtForward } of statements) {
    expect([broughtForward, lines.at(-1)?.balance]).toEqual([0n, account.balance]);
  }
});

describe('closing against a deposit', () => {
  const round = async (close: typeof bank.closeAccount, deposit: typeof bank.deposit) => {
    const holder = await createHolder();
    const accountId = holder.checking.id;
    const outcome = await race(close({ accountId }), deposit({ accountId, amount: 5n }));
    return { outcome, account: await holder.checking.reload(), isRight: await auditOf(holder) };
  };

  test('one of the two is refused, in every round, whichever comes first', () =>
    everyRound(async () => {
      const { outcome, account, isRight } = await round(bank.closeAccount, bank.deposit);
      const isClosed = account.closedAt !== null;
      expect(outcome).toEqual({ done: 1, codes: [isClosed ? 'E_ACCOUNT_CLOSED' : 'E_ACCOUNT_NOT_EMPTY'] });
      expect([account.balance, isRight]).toEqual([isClosed ? 0n : 5n, true]);
    }));

  test('the unsafe twins let money land on a closed account', () =>
    someRound(async () => {
      const { account } = await round(unsafe.unsafeCloseAccount, unsafe.unsafeDeposit);
      return account.closedAt !== null && account.balance !== 0n;
    }));
});

describe('the last of a product', () => {
  const round = async (buy: typeof bank.buy) => {
    const buyers = await Promise.all(Array.from({ length: 6 }, () => createHolder({ checking: 10n })));
    const product = await Product.create({ name: 'The last', price: 10n, currency: 'EUR', stocked: 2, stock: 2 });
    const outcome = await race(...buyers.map(({ checking }) => buy({ productId: product.id, accountId: checking.id })));
    return { outcome, product: await product.reload() };
  };

  test('as many are sold as there are', () =>
    everyRound(async () => {
      const { outcome, product } = await round(bank.buy);
      expect(outcome).toEqual({ done: 2, codes: Array.from({ length: 4 }, () => 'E_OUT_OF_STOCK') });
      expect(product.stock).toBe(0);
    }));

  test('the unsafe twin sells more', () => someRound(async () => (await round(unsafe.unsafeBuy)).outcome.done > 2));
});

test('of many who open the same account at once, one does; the others are told on the attribute', () =>
  everyRound(async () => {
    const { customer } = await createHolder();
    await bank.closeAccount({
      accountId: (await Account.where({ customerId: customer.id, kind: 'savings' }).firstOrFail()).id,
    });
    const opening = () => bank.openAccount({ customerId: customer.id, kind: 'savings', currency: 'EUR' });
    expect(await race(opening(), opening(), opening(), opening())).toEqual({
      done: 1,
      codes: ['E_VALIDATION', 'E_VALIDATION', 'E_VALIDATION'],
    });
  }));

test('all operations at once: nothing but refusals, no flicker, and the books balance', async () => {
  const { db } = bankUnderTest;
  const stage = (await mix.prepare()) as Stage;
  const { actions } = await runClients(db, mix, stage, { clients: 16, durationMs: 3000, seed: 1 });
  expect(Object.keys(actions)).toHaveLength(9);
  for (const { tookMs, failed } of Object.values(actions)) {
    expect([tookMs.length > 0, failed]).toEqual([true, {}]);
  }
  const findings = await mix.audit(db, stage);
  // The unsafe twins above have oversold products of their own.
  expect(findings.filter(({ violations, detail }) => violations > 0 && !detail.startsWith('product'))).toEqual([]);
  expect(await Product.find(BigInt(stage.productId))).toMatchObject({ stocked: 50 });
});
