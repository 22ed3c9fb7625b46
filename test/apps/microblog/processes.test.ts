import { join } from 'node:path';
import { audit } from '../../../apps/microblog/audit';
import { mix } from '../../../apps/microblog/mix';
import { User } from '../../../models/microblog/user';
import { messageOf, startProcess } from '../../database/races/typescript-process';
import type { Report } from './busy-process';
import { createTestMicroblog } from './microblog-database';
import type { TestMicroblog } from './microblog-database';

let microblog: TestMicroblog;
beforeAll(async () => (microblog = await createTestMicroblog()));
afterAll(() => microblog.close());

test('all operations against one another from two processes: nothing but refusals, and every rule holds', async () => {
  const stage = (await mix.prepare()) as { readonly usernames: readonly string[] };
  const few = { usernames: stage.usernames.slice(0, 6) }; // so that they meet
  const children = [1, 2].map((seed) =>
    startProcess(join(__dirname, 'busy-process.ts'), [microblog.database.url, JSON.stringify(few), String(seed)]),
  );
  await Promise.all(children.map(messageOf));
  const reports = children.map((child) => messageOf(child) as Promise<Report>);
  for (const child of children) child.send('start');
  const all = await Promise.all(reports);
  expect(all.flatMap(({ failed }) => failed)).toEqual([]);
  const done = new Set(all.flatMap((report) => Object.keys(report.done)));
  expect([...done].sort()).toEqual(mix.actions.map(({ name }) => name).sort());
  expect(all.every(({ refused }) => refused > 0)).toBe(true); // they did meet
  expect((await audit(microblog.db)).filter(({ violations }) => violations > 0)).toEqual([]);
  await mix.tidy!(stage);
  expect(await User.count()).toBe(0);
});
