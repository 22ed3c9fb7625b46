import { join } from 'node:path';
import { setUp } from '../transaction/support';
import type { Report } from './race-process';
import { messageOf, startProcess } from './typescript-process';

const { database } = setUp(`
  create table counters (id int primary key, value int not null);
  insert into counters values (1, 0);
  create table members (id bigint generated always as identity primary key, email text not null unique);
`);

const PROCESSES = 3;

test('three processes: no update lost, no e-mail twice, nothing but the framework’s two answers', async () => {
  const children = Array.from({ length: PROCESSES }, () =>
    startProcess(join(__dirname, 'race-process.ts'), [database().url]),
  );
  await Promise.all(children.map(messageOf));
  const reports = children.map((child) => messageOf(child) as Promise<Report>);
  for (const child of children) child.send('start');
  const all = await Promise.all(reports);
  const sum = (name: 'acknowledged' | 'stale' | 'created' | 'taken') =>
    all.reduce((total, report) => total + report[name], 0);
  expect(all.flatMap(({ other }) => other)).toEqual([]);
  expect(sum('acknowledged') + sum('stale')).toBe(PROCESSES * 8 * 15);
  expect(sum('stale')).toBeGreaterThan(0); // they did meet
  expect((await database().pool.query('select value from counters')).rows).toEqual([{ value: sum('acknowledged') }]);
  expect(sum('created')).toBe(15);
  expect(sum('taken')).toBe(PROCESSES * 8 * 15 - 15);
  expect((await database().pool.query('select from members')).rowCount).toBe(15);
});
