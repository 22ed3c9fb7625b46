import { audit } from '../../../apps/auction/audit';
import { drill } from '../../../apps/auction/drill';
import { seedIfEmpty } from '../../../apps/auction/seed';
import { allHold } from '../../../apps/web/findings';
import { User } from '../../../models/auction/user';
import type { TestAuction } from './auction-database';
import { createTestAuction } from './auction-database';

let auction: TestAuction;
beforeAll(async () => (auction = await createTestAuction(16)));
afterAll(() => auction.close());

test('the declared operations break nothing where their twins do, and nothing is left of either', async () => {
  const { outcomes } = await drill(auction.db);
  expect(outcomes.declared).toMatchObject({ failed: {}, oversold: 0, breaches: {} });
  expect(Object.keys(outcomes.unsafe.breaches).length).toBeGreaterThan(2);
  expect(await User.count()).toBe(0);
});

test('of two processes that find it empty one fills the auction; all rules hold in it', async () => {
  const filled = await Promise.all([seedIfEmpty(), seedIfEmpty()]);
  expect(filled.filter(Boolean)).toHaveLength(1);
  expect(await User.count()).toBe(6);
  expect(allHold(await audit(auction.db))).toBe(true);
  expect(await seedIfEmpty()).toBe(false);
});
