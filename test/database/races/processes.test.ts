import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { setUp } from '../transaction/support';
import type { Report } from './race-process';
import { startProcess } from './typescript-process';

const { database } = setUp(`
  create table counters (id int primary key, value int not null);
  insert into counters values (1, 0);
  create table members (id bigint generated always as identity primary key, email text not null unique);
`);

const PROCESSES = 3;

/** The next message of a child process; its end without one is an error. */
function message(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`The process ended with ${code} and said nothing.`)));
  });
}

test('three processes: no update lost, no e-mail twice, nothing but the framework’s two answers', async () => {
  const children = Array.from({ length: PROCESSES }, () =>
    startProcess(join(__dirname, 'race-process.ts'), [database().url]),
  );
  await Promise.all(children.map(message));
  const reports = children.map((child) => message(child) as Promise<Report>);
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
