import { audit } from '../../../apps/microblog/audit';
import { feed } from '../../../apps/microblog/feed';
import { seed } from '../../../apps/microblog/seed';
import { allHold } from '../../../apps/web/findings';
import { Micropost } from '../../../models/microblog/micropost';
import { Relationship } from '../../../models/microblog/relationship';
import { User } from '../../../models/microblog/user';
import { createTestMicroblog } from './microblog-database';
import type { TestMicroblog } from './microblog-database';

let microblog: TestMicroblog;
beforeAll(async () => (microblog = await createTestMicroblog()));
afterAll(() => microblog.close());

test('a large world keeps every rule, tells how far it is, and can be added to', async () => {
  const heard: (readonly [done: number, total: number])[] = [];
  await seed({ users: 600, onProgress: (...progress) => heard.push(progress) });
  expect(await User.count()).toBe(600);
  const { rows } = await microblog.database.pool.query<{ all: string; most: string }>(
    'select sum(n) as all, max(n) as most from (select count(*) as n from relationships group by followed_id) as followed',
  );
  // A few have a great many followers: more than ten times as many as there would be for each.
  expect(Number(rows[0]!.most)).toBeGreaterThan((10 * Number(rows[0]!.all)) / 600);
  const replies = await Micropost.where('inReplyToId', 'is not', null).count();
  const done = (await User.count()) + (await Relationship.count()) + (await Micropost.count());
  expect(heard.at(-1)).toEqual([done, done]);
  expect(heard.every(([so, total]) => so <= total)).toBe(true);
  await seed({ users: 20 });
  expect([await User.count(), replies > 0]).toEqual([620, true]);
  expect(allHold(await audit(microblog.db))).toBe(true);
  expect((await feed({ userId: (await User.order('id').firstOrFail()).id, size: 20 })).records.length).toBeGreaterThan(
    0,
  );
});
