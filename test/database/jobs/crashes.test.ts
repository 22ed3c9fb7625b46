import { enqueue, installJobs, job, sql, startWorkers } from 'bellwether';
import { setUp, until } from '../transaction/support';
import { inQueue, listen } from './support';
import { startWorker } from './worker-children';
import { atLeastOnce, once, TAKE_OVER_AFTER_MS, workOn } from './worker-process';

const { database, db } = setUp(`
  create table sales (id text primary key);
  create table strikes (sale_id text not null, pid int not null);
`);
const here = job('here', { inTransaction: true }, ({ saleId }: { saleId: string }) =>
  sql`insert into strikes values (${saleId}, 0)`.execute(db().kysely()),
);

beforeAll(() => installJobs(db()));
beforeEach(async () => {
  await database().pool.query('truncate sales, strikes; delete from graphile_worker._private_jobs');
});

const struck = async (): Promise<string[]> =>
  (await database().pool.query<{ id: string }>('select sale_id as id from strikes order by 1')).rows.map(
    ({ id }) => id,
  );

test('a process dies right after the commit: the job is there, and another runs it', async () => {
  expect(await startWorker(database().url, 'sell and die').ended).toBe('SIGKILL');
  expect(await inQueue(database())).toBe(1);
  workOn(db());
  const ended = listen(db(), 'job:end');
  const workers = await startWorkers(db(), { jobs: [once] });
  await ended.times(1);
  await workers.stop();
  ended.off();
  expect(await struck()).toEqual(['17']);
});

test('a worker dies between the commit of the handler’s writes and the end of the job: in one transaction, there is no between', async () => {
  await enqueue(once, { saleId: 'once', fate: 'crash after commit' });
  await enqueue(atLeastOnce, { saleId: 'at least once', fate: 'crash after commit' });
  const victims = [once, atLeastOnce].map(({ name }) => startWorker(database().url, 'work', name));
  expect(await Promise.all(victims.map(({ ended }) => ended))).toEqual(['SIGKILL', 'SIGKILL']);
  workOn(db());
  const taken = listen(db(), 'job:taken-over');
  const workers = await startWorkers(db(), { jobs: [once, atLeastOnce], takeOverAfterMs: TAKE_OVER_AFTER_MS });
  await until(
    database(),
    `select true where not exists (select from graphile_worker._private_jobs)
    and not exists (select from bellwether_jobs.workers where missed_at is not null)`,
  );
  await workers.stop();
  taken.off();
  expect(taken.heard).toMatchObject([{ job: 'at-least-once', attempt: 1 }]);
  expect(await struck()).toEqual(['at least once', 'at least once', 'once']);
});

test('the session that shows that a process lives is cut: it comes back, and keeps its job', async () => {
  const ended = listen(db(), 'job:end');
  const taken = listen(db(), 'job:taken-over');
  const options = { jobs: [here], concurrency: 1, takeOverAfterMs: 60_000 };
  const both = await Promise.all([startWorkers(db(), options), startWorkers(db(), options)]);
  const held = await database().pool.connect();
  await held.query('begin; lock table strikes in access exclusive mode');
  await enqueue(here, { saleId: '1' });
  await until(database(), `select true from pg_locks where relation = 'strikes'::regclass and not granted`);
  const leases = `select a.pid from pg_stat_activity a join pg_locks l on l.pid = a.pid and l.locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())
    where a.datname = current_database() and l.granted and l.objid > 0`;
  const { rows } = await database().pool.query<{ pid: number }>(leases);
  expect(rows).toHaveLength(2);
  for (const { pid } of rows) await database().pool.query('select pg_terminate_backend($1)', [pid]);
  await until(database(), `select true from (${leases}) l where pid <> all ($1) having count(*) = 2`, [
    rows.map(({ pid }) => pid),
  ]);
  await held.query('commit');
  held.release();
  await ended.times(1);
  await Promise.all(both.map((workers) => workers.stop()));
  expect([ended.heard.length, taken.heard.length, await struck()]).toEqual([1, 0, ['1']]);
});

test('a process that was thought dead: nothing of it is committed, and another has the job', async () => {
  const ended = listen(db(), 'job:end');
  const failed = listen(db(), 'job:failed');
  const workers = await startWorkers(db(), { jobs: [here], concurrency: 1, pollIntervalMs: 100 });
  const held = await database().pool.connect();
  await held.query('begin; lock table strikes in access exclusive mode');
  await enqueue(here, { saleId: '1' });
  await until(database(), `select true from pg_locks where relation = 'strikes'::regclass and not granted`);
  // What another worker would do, in the time that this one has no session.
  await database().pool
    .query(`select pg_terminate_backend(l.pid) from pg_locks l join pg_database d on d.oid = l.database
    where l.locktype = 'advisory' and database = (select oid from pg_database where datname = current_database()) and d.datname = current_database() and l.granted and l.objid > 0;
    update graphile_worker._private_jobs set locked_at = null, locked_by = null;
    delete from bellwether_jobs.workers`);
  await held.query('commit');
  held.release();
  await failed.times(1);
  await ended.times(1);
  expect(failed.heard).toMatchObject([{ attempt: 1, error: { code: 'E_JOB_TAKEN_OVER' } }]);
  expect(ended.heard).toMatchObject([{ attempt: 2 }]);
  expect(await struck()).toEqual(['1']);
  await workers.stop();
});
