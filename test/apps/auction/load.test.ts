import { BellwetherError } from 'bellwether';
import { audit } from '../../../apps/auction/audit';
import { mix } from '../../../apps/auction/mix';
import { seed } from '../../../apps/auction/seed';
import { seeded } from '../../../apps/load/mix';
import { allHold } from '../../../apps/web/findings';
import { Item } from '../../../models/auction/item';
import type { TestAuction } from './auction-database';
import { createTestAuction } from './auction-database';
import { times } from './racing';

let auction: TestAuction;
beforeAll(async () => (auction = await createTestAuction(16)));
afterAll(() => auction.close());

test('all actions of the load at once: nothing but refusals, and all rules hold', async () => {
  const stage = await mix.prepare();
  const failures: string[] = [];
  const did = new Set<string>();
  const client = async (number: number) => {
    const random = seeded(number);
    for (const action of times(mix.actions.length, (n) => mix.actions[(n + number) % mix.actions.length]!)) {
      try {
        await action.run(stage, random);
        did.add(action.name);
      } catch (error) {
        const isRefusal = error instanceof BellwetherError && error.recovery === 'fix-the-input';
        if (!isRefusal) failures.push(`${action.name}: ${String(error)}`);
      }
    }
  };
  await Promise.all(times(24, client));
  expect(failures).toEqual([]);
  const idle = mix.actions.map(({ name }) => name).filter((name) => !did.has(name));
  expect(idle).toEqual([]);
  expect(allHold(await mix.audit(auction.db, stage))).toBe(true);
});

test('a large world keeps all rules', async () => {
  const told: number[] = [];
  await seed({ users: 700, onProgress: (done) => told.push(done) });
  expect(told).toEqual([500, 700]);
  expect(await Item.where('name', 'ilike', '% no. %').count()).toBe(1_400);
  expect(await Item.where('name', 'ilike', '% no. %').where({ bidCount: 3 }).count()).toBe(350);
  const findings = await audit(auction.db);
  expect(findings.filter(({ violations }) => violations > 0)).toEqual([]);
});
