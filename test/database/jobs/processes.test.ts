import { enqueue, installJobs } from 'bellwether';
import { setUp, until } from '../transaction/support';
import { isHolding, isReady, startWorker, tookOver } from './worker-children';
import { once } from './worker-process';
import type { Strike } from './worker-process';

const { database, db } = setUp(`
  create table strikes (sale_id text not null, pid int not null);
`);
beforeAll(() => installJobs(db()));

test('four processes and 200 jobs, and one process is killed at work: each job’s writes happen exactly once', async () => {
  const workers = Array.from({ length: 4 }, () => startWorker(database().url, 'work'));
  await Promise.all(workers.map(({ says }) => says(isReady)));
  const jobs = Array.from({ length: 200 }, (_, id): Strike => ({ saleId: String(1000 + id) }));
  const held = { saleId: 'held', fate: 'hold' } as const;
  await Promise.all([...jobs.slice(0, 100), held, ...jobs.slice(100)].map((strike) => enqueue(once, strike)));
  const victim = await Promise.any(workers.map(async (worker) => (await worker.says(isHolding), worker)));
  victim.child.kill('SIGKILL');
  const others = workers.filter((worker) => worker !== victim);
  await Promise.any(others.map(({ says }) => says(tookOver)));
  await until(database(), 'select true where not exists (select from graphile_worker._private_jobs)');
  const { rows } = await database().pool.query<{ id: string }>('select sale_id as id from strikes order by 1');
  expect(rows.map(({ id }) => id)).toEqual([...jobs.map(({ saleId }) => saleId), 'held'].sort());
  expect(await database().pool.query('select from bellwether_jobs.workers')).toMatchObject({ rowCount: 12 });
  for (const { child } of others) child.send('stop');
  expect(await Promise.all(others.map(({ ended }) => ended))).toEqual([0, 0, 0]);
  expect(await database().pool.query('select from bellwether_jobs.workers')).toMatchObject({ rowCount: 0 });
});
