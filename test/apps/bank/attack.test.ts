import { AMOUNT, clearDrill, COVERED, fire, FUNDS, judge, prepareDrill } from '../../../apps/bank/drill';
import type { Variant } from '../../../apps/bank/drill';
import { audit } from '../../../apps/bank/audit';
import { allHold } from '../../../apps/web/findings';
import { Account } from '../../../models/bank/account';
import { createTestBank } from './bank-database';
import type { TestBank } from './bank-database';

const TRANSFERS = 400;

let bank: TestBank;
beforeAll(async () => (bank = await createTestBank()));
afterAll(() => bank.close());

async function attack(variant: Variant) {
  const drill = await prepareDrill();
  const tally = await fire(drill, variant, TRANSFERS);
  return { drill, verdict: await judge(bank.db, drill, { variant, transfers: TRANSFERS, tally, elapsedMs: 0 }) };
}

test('the declared transfer pays what is covered, refuses the rest, and the books balance', async () => {
  const { verdict } = await attack('declared');
  expect(verdict.tally).toEqual({ paid: COVERED, refused: TRANSFERS - COVERED, failed: {} });
  expect(verdict).toMatchObject({ lost: 0n, fromBalance: 0n, toBalance: FUNDS, booksBalance: true, isRight: true });
});

test('its unsafe twin pays out money that is not there, and the books say so', async () => {
  const { drill, verdict } = await attack('unsafe');
  expect(verdict.tally.paid).toBeGreaterThan(COVERED);
  expect(verdict.lost).toBe(BigInt(verdict.tally.paid) * AMOUNT - (FUNDS - verdict.fromBalance));
  expect(verdict.lost).toBeGreaterThan(0n);
  expect(verdict).toMatchObject({ booksBalance: false, isRight: false });
  const broken = verdict.findings.filter(({ violations }) => violations > 0).map(({ rule }) => rule);
  expect(broken).toContain('each balance is the sum of its entries');
  expect(allHold(await audit(bank.db))).toBe(true); // an exercise is no part of the bank's books
  await clearDrill(drill);
  expect(await Account.where({ id: [drill.fromId, drill.toId] }).exists()).toBe(false);
});
