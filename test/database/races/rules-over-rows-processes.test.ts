import { join } from 'node:path';
import { setUp } from '../transaction/support';
import type { Report } from './rules-over-rows-process';
import { messageOf, startProcess } from './typescript-process';

const { database } = setUp(`
  create table accounts (id int primary key, customer_id int not null, balance int not null);
  insert into accounts select n, n % 2, 10 from generate_series(0, 3) n;
  create table auctions (id int primary key);
  insert into auctions values (1), (2);
  create table bids (id bigint generated always as identity primary key, auction_id int not null, amount int not null);
`);

const PROCESSES = 3;
const OPERATIONS = PROCESSES * 8 * 3;

test('three processes, each at every level by turns: no rule broken, nothing refused that was legal, no deadlock', async () => {
  const children = Array.from({ length: PROCESSES }, () =>
    startProcess(join(__dirname, 'rules-over-rows-process.ts'), [database().url]),
  );
  await Promise.all(children.map(messageOf));
  const reports = children.map((child) => messageOf(child) as Promise<Report>);
  for (const child of children) child.send('start');
  const all = await Promise.all(reports);
  const sum = (name: 'done' | 'refused' | 'bids') => all.reduce((total, report) => total + report[name], 0);
  expect(all.flatMap(({ other }) => other)).toEqual([]);
  expect({ done: sum('done'), refused: sum('refused') }).toEqual({ done: 40, refused: OPERATIONS - 40 });
  const rows = async (query: string) => (await database().pool.query(query)).rows as unknown[];
  expect(await rows('select customer_id, sum(balance)::int as sum from accounts group by 1 order by 1')).toEqual([
    { customer_id: 0, sum: 0 },
    { customer_id: 1, sum: 0 },
  ]);
  expect(
    await rows('select auction_id, count(distinct amount)::int as n, max(amount) from bids group by 1 order by 1'),
  ).toEqual([1, 2].map((auction_id) => ({ auction_id, n: OPERATIONS, max: OPERATIONS })));
  expect(sum('bids')).toBe(2 * OPERATIONS);
  expect(await rows('select deadlocks::int from pg_stat_database where datname = current_database()')).toEqual([
    { deadlocks: 0 },
  ]);
});
