import { audit } from '../../../apps/microblog/audit';
import { allHold } from '../../../apps/web/findings';
import { drill } from '../../../apps/microblog/drill';
import { User } from '../../../models/microblog/user';
import { UnsafeBlock, UnsafeRelationship, UnsafeUser } from '../../../models/microblog/unsafe-tables';
import { createTestMicroblog } from './microblog-database';
import type { TestMicroblog } from './microblog-database';
import { someRound } from './racing';

let microblog: TestMicroblog;
beforeAll(async () => (microblog = await createTestMicroblog()));
afterAll(() => microblog.close());

test('every rule is broken by its unsafe twin, sooner or later, and by the declared operation never', async () => {
  const broken = new Set<string>();
  let rules: readonly string[] = [];
  await someRound(20, async () => {
    const rows = await drill(microblog.db, { tries: 20 });
    rules = rows.map(({ rule }) => rule);
    for (const { rule, outcomes } of rows) {
      expect(outcomes.declared).toEqual({ tries: 20, broken: 0, failed: {} });
      expect(outcomes.unsafe.failed).toEqual({});
      if (outcomes.unsafe.broken > 0) broken.add(rule);
    }
    return broken.size === rules.length;
  });
  expect(rules).toHaveLength(4);
  const left = [User.count(), UnsafeUser.count(), UnsafeRelationship.count(), UnsafeBlock.count()];
  expect(await Promise.all(left)).toEqual([0, 0, 0, 0]);
  expect(allHold(await audit(microblog.db))).toBe(true);
});
