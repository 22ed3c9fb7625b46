import { currentTransaction, enqueue, GiveUpError, job, sql, startWorkers } from 'bellwether';
import type { JobContext, Workers, WorkersOptions } from 'bellwether';
import { barrier, errorOf, reasonOf, setUp, signal, until } from '../transaction/support';
import { hurry, inQueue, listen } from './support';

const { database, db } = setUp(`create table strikes (sale_id text not null, job_id bigint not null)`);

type Sale = { saleId: string };
/** What the handlers do, test by test. */
let handler: (payload: Sale, context: JobContext) => Promise<void>;
let isDue: (payload: Sale) => Promise<boolean> | boolean = () => true;
const strike = ({ saleId }: Sale, { job: { id } }: JobContext) =>
  sql`insert into strikes values (${saleId}, ${id})`.execute(db().kysely());
const run = (payload: Sale, context: JobContext) => handler(payload, context);
const bell = job('bell', { attempts: 3, stillDue: (payload: Sale) => isDue(payload) }, run);
const bellOnce = job(
  'bell-once',
  { attempts: 3, inTransaction: true, stillDue: (payload: Sale) => isDue(payload) },
  run,
);
const struck = async () =>
  (await database().pool.query<{ sale_id: string }>('select sale_id from strikes order by 1')).rows.map(
    (r) => r.sale_id,
  );

let running: Workers[] = [];
async function start(options: WorkersOptions = {}): Promise<Workers> {
  const workers = await startWorkers(db(), { jobs: [bell, bellOnce], pollIntervalMs: 100, ...options });
  running.push(workers);
  return workers;
}

let offs: (() => void)[] = [];
function hears<N extends Parameters<typeof listen>[1]>(name: N) {
  const listener = listen(db(), name);
  offs.push(listener.off);
  return listener;
}

beforeEach(() => {
  isDue = () => true;
  handler = async (payload, context) => void (await strike(payload, context));
});
afterEach(async () => {
  for (const off of offs) off();
  offs = [];
  const stopping = running;
  running = [];
  await Promise.all(stopping.map((workers) => workers.stop()));
  await database().pool.query('truncate strikes, bellwether_jobs.keys; delete from graphile_worker._private_jobs');
});

test('a worker installs the queue, hears of jobs, runs them at the database’s own, and tells of it', async () => {
  const begun = hears('job:start');
  const ended = hears('job:end');
  await start();
  const { id } = await enqueue(bell, { saleId: '17' });
  await ended.times(1);
  expect(begun.heard).toEqual([{ job: 'bell', jobId: id, attempt: 1 }]);
  expect(ended.heard).toEqual([
    { job: 'bell', jobId: id, attempt: 1, outcome: 'done', durationMs: expect.any(Number) },
  ]);
  expect(await struck()).toEqual(['17']);
  await until(database(), 'select true where not exists (select from graphile_worker._private_jobs)');
});

test('what the handler is told of its job', async () => {
  const told: JobContext['job'][] = [];
  const ended = hears('job:end');
  handler = (_payload, { job: one }) => Promise.resolve(void told.push(one));
  await start();
  const { id } = await enqueue(bell, { saleId: '1' });
  await ended.times(1);
  expect(told).toEqual([
    { id, name: 'bell', attempt: 1, attempts: 3, enqueuedAt: expect.any(Date), scheduledFor: undefined },
  ]);
});

test('a job that fails is tried again, later each time; after the last attempt it is dead', async () => {
  const failed = hears('job:failed');
  const dead = hears('job:dead');
  const noBell = new Error('no bell');
  handler = () => Promise.reject(noBell);
  await start();
  await enqueue(bell, { saleId: '1' });
  for (const attempt of [1, 2]) {
    const { retryAt, ...event } = (await failed.times(attempt))[attempt - 1]!;
    expect(event).toEqual({
      job: 'bell',
      jobId: expect.any(BigInt),
      attempt,
      error: noBell,
      durationMs: expect.any(Number),
    });
    const { rows } = await database().pool.query<{ wait: number }>(
      `select extract(epoch from run_at - updated_at)::float as wait from graphile_worker._private_jobs`,
    );
    expect(rows[0]!.wait).toBeCloseTo(Math.exp(attempt), 3);
    expect(retryAt).toBeInstanceOf(Date);
    await hurry(database());
  }
  await dead.times(1);
  expect(failed.heard.map(({ retryAt }) => retryAt === undefined)).toEqual([false, false, true]);
  expect(dead.heard).toEqual([{ job: 'bell', jobId: expect.any(BigInt), attempt: 3, error: noBell }]);
  expect(await inQueue(database())).toBe(1);
});

test('a handler that gives up is not tried again', async () => {
  const dead = hears('job:dead');
  handler = () => Promise.reject(new GiveUpError('There is no such sale.'));
  await start();
  await enqueue(bell, { saleId: '1' });
  expect(await dead.times(1)).toMatchObject([{ attempt: 1, error: { code: 'E_GIVE_UP' } }]);
});

test.each([bell, bellOnce])(
  '$name: no longer due when its time has come: nothing is done, and it is counted as such',
  async (one) => {
    const ended = hears('job:end');
    const asked: unknown[] = [];
    isDue = (payload) => {
      asked.push([payload, currentTransaction() !== undefined]);
      return false;
    };
    await start();
    await enqueue(one, { saleId: '1' });
    expect(await ended.times(1)).toMatchObject([{ outcome: 'not due' }]);
    expect(asked).toEqual([[{ saleId: '1' }, one === bellOnce]]);
    expect(await struck()).toEqual([]);
    expect(await inQueue(database())).toBe(0);
  },
);

test('inTransaction: the handler’s writes are undone when it fails, and happen once in the end', async () => {
  const ended = hears('job:end');
  const failed = hears('job:failed');
  handler = async (payload, context) => {
    await strike(payload, context);
    if (context.job.attempt < 3) throw new Error('after the write');
  };
  await start();
  await enqueue(bellOnce, { saleId: '1' });
  for (const attempt of [1, 2]) {
    await failed.times(attempt);
    await hurry(database());
  }
  await ended.times(1);
  expect(await struck()).toEqual(['1']);
  expect(await inQueue(database())).toBe(0); // it ended in the handler’s own transaction
});

test('inTransaction: of a job that another worker has by now, nothing is committed', async () => {
  const failed = hears('job:failed');
  const taken = { isTaken: false };
  handler = async (payload, context) => {
    await strike(payload, context);
    if (taken.isTaken) return;
    taken.isTaken = true;
    await database().pool.query(`update graphile_worker._private_jobs set locked_by = 'another'`);
  };
  await start();
  await enqueue(bellOnce, { saleId: '1' });
  expect(await failed.times(1)).toMatchObject([{ error: { code: 'E_JOB_TAKEN_OVER' }, retryAt: undefined }]);
  expect(await struck()).toEqual([]);
  expect(await inQueue(database())).toBe(1); // the other's still
});

test('inTransaction: failed effects after the commit do not make the job run again', async () => {
  const ended = hears('job:end');
  const effects = hears('effect:failed');
  handler = async (payload, context) => {
    currentTransaction()!.afterCommit(() => Promise.reject(new Error('no mail')));
    await strike(payload, context);
  };
  await start();
  await enqueue(bellOnce, { saleId: '1' });
  await ended.times(1);
  expect([effects.heard.length, await struck(), await inQueue(database())]).toEqual([1, ['1'], 0]);
});

test('stop waits for the job that runs, and takes no other', async () => {
  const begun = signal();
  const go = signal();
  const ended = hears('job:end');
  handler = async (payload, context) => {
    begun.give();
    await go.promise;
    await strike(payload, context);
  };
  const workers = await start({ concurrency: 1 });
  await enqueue(bell, { saleId: 'first' });
  await begun.promise;
  const stopping = workers.stop();
  await enqueue(bell, { saleId: 'second' });
  go.give();
  await stopping;
  expect(await struck()).toEqual(['first']);
  expect([ended.heard.length, await inQueue(database())]).toEqual([1, 1]);
  expect(await database().pool.query('select from bellwether_jobs.workers')).toMatchObject({ rowCount: 0 });
});

test('a job that heeds the signal of a stop goes back to the queue, and loses no attempt', async () => {
  const begun = signal();
  const failed = hears('job:failed');
  handler = (_payload, { signal: stop }) => {
    begun.give();
    return new Promise((_resolve, reject) => stop.addEventListener('abort', () => reject(new Error('interrupted'))));
  };
  const workers = await start({ abortAfterMs: 0 });
  await enqueue(bell, { saleId: '1' });
  await begun.promise;
  await workers.stop();
  expect(failed.heard).toMatchObject([{ attempt: 1, retryAt: expect.any(Date) }]);
  const { rows } = await database().pool.query(
    'select attempts, run_at <= now() as due, locked_by from graphile_worker._private_jobs',
  );
  expect(rows).toEqual([{ attempts: 0, due: true, locked_by: null }]);
});

test('a job that heeds nothing: stop says which, and nobody else runs it while it lives', async () => {
  const begun = signal();
  const go = signal();
  handler = async () => {
    begun.give();
    await go.promise;
  };
  const workers = await start({ abortAfterMs: 0, stopTimeoutMs: 50 });
  running = [];
  const { id } = await enqueue(bell, { saleId: '1' });
  await begun.promise;
  const error = await errorOf(workers.stop());
  expect(error).toMatchObject({ code: 'E_JOBS_STILL_RUNNING', details: { jobs: [`bell (${id})`] } });
  const locked = await database().pool.query('select from graphile_worker._private_jobs where locked_by is not null');
  expect(locked.rowCount).toBe(1);
  go.give();
  await until(database(), 'select true where not exists (select from bellwether_jobs.workers)');
  expect(await inQueue(database())).toBe(0);
});

test('all sessions of the workers are cut while a job runs: it ends once, and the workers go on', async () => {
  const begun = signal();
  const go = signal();
  const ended = hears('job:end');
  const troubles = hears('worker:error');
  let runs = 0;
  handler = async (payload, context) => {
    runs += 1;
    begun.give();
    await go.promise;
    await strike(payload, context);
  };
  await start({ concurrency: 2, takeOverAfterMs: 5_000 });
  await enqueue(bell, { saleId: '1' });
  await begun.promise;
  await database().pool.query(`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and application_name = 'bellwether worker'`);
  await troubles.times(1);
  go.give();
  await ended.times(1);
  await enqueue(bell, { saleId: '2' });
  await ended.times(2);
  expect([runs, await struck()]).toEqual([2, ['1', '2']]);
  await Promise.all(running.map((workers) => workers.stop()));
  expect(await database().pool.query('select from bellwether_jobs.workers')).toMatchObject({ rowCount: 0 });
});

test('thought dead by the others: the signal says so at once, and the workers start anew under another lease', async () => {
  const begun = signal();
  const ended = hears('job:end');
  const reasons: unknown[] = [];
  handler = (_payload, { job: { attempt }, signal: stop }) => {
    begun.give();
    if (attempt > 1) return Promise.resolve();
    return new Promise((_resolve, reject) =>
      stop.addEventListener('abort', () => {
        reasons.push(stop.reason);
        reject(new Error('interrupted'));
      }),
    );
  };
  await start({ concurrency: 1 });
  await enqueue(bell, { saleId: '1' });
  await begun.promise;
  const { rows } = await database().pool.query<{ lease: number }>(
    'delete from bellwether_jobs.workers returning lease',
  );
  await database().pool.query(`update graphile_worker._private_jobs set locked_by = 'another'`);
  await database().pool.query(
    `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database()) and objid = $1 and granted
      and database = (select oid from pg_database where datname = current_database())`,
    [rows[0]!.lease],
  );
  await until(database(), 'select true from bellwether_jobs.workers where lease > $1', [rows[0]!.lease]);
  expect(reasons).toEqual([expect.objectContaining({ code: 'E_LEASE_LOST' })]);
  await database().pool.query('update graphile_worker._private_jobs set locked_by = null, locked_at = null');
  await ended.times(1);
});

test('keys that have expired are swept away, others are kept', async () => {
  await database().pool.query(`insert into bellwether_jobs.keys values ('bell', 'old', 1, now() - interval '1 second'),
    ('bell', 'young', 2, now() + interval '1 day'), ('bell', 'eternal', 3, null)`);
  await start();
  await until(database(), `select true from bellwether_jobs.keys having count(*) = 2 and min(job_id) = 2`);
});

test('concurrency: as many jobs at once as declared', async () => {
  const arrive = barrier(3);
  const ended = hears('job:end');
  handler = () => arrive();
  await start({ concurrency: 3 });
  await Promise.all(['1', '2', '3'].map((saleId) => enqueue(bell, { saleId })));
  await ended.times(3);
});

test('only the jobs that it is given', async () => {
  const ended = hears('job:end');
  await start({ jobs: [bellOnce] });
  await enqueue(bell, { saleId: 'other' });
  await enqueue(bellOnce, { saleId: 'this' });
  await ended.times(1);
  expect(await struck()).toEqual(['this']);
  expect(await inQueue(database())).toBe(1);
});

test.each([{ concurrency: 0 }, { takeOverAfterMs: 1 }, { stopTimeoutMs: 0 }, { jobs: [] }])(
  'options that cannot work are refused: %j',
  async (options) => {
    expect(await reasonOf(startWorkers(db(), options))).toMatchObject({ code: 'E_INVALID_OPTION' });
  },
);
