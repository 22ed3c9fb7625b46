import { connect, enqueue, installJobs, job, sql, startWorkers } from 'bellwether';
import type { Database } from 'bellwether';
import { LEASE_LOCKS } from '../../../framework/jobs/queue-schema';
import { Replication } from '../../support/replication';
import type { TestServer } from '../../support/replication';
import { listen } from './support';

let servers: Replication;
let server: TestServer;
let db: Database;
beforeAll(async () => {
  servers = await Replication.start(
    0,
    'create table done (number int not null); alter database postgres set synchronous_commit = on;',
  );
  server = servers.primary;
  db = await connect({ url: server.url, poolSize: 6 });
  await installJobs(db);
});
afterAll(async () => {
  await db.close();
  await servers.stop();
});

// graphile-worker tells what went wrong with its sessions, and prints it as well.
beforeAll(() => jest.spyOn(console, 'trace').mockImplementation());
afterAll(() => jest.restoreAllMocks());

const mark = job('mark', { inTransaction: true, attempts: 25 }, ({ number }: { number: number }) =>
  sql`insert into done values (${number})`.execute(db.kysely()),
);

const JOBS = 300;

test.each(['fast', 'immediate'] as const)(
  'workers go on after a restart (%s): no job lost, none done twice',
  async (mode) => {
    await server.query('truncate done');
    const ended = listen(db, 'job:end');
    const workers = await startWorkers(db, { jobs: [mark], concurrency: 4, pollIntervalMs: 100 });
    await db.transaction(async () => {
      for (let number = 0; number < JOBS; number++) await enqueue(mark, { number });
    });
    for (const goal of [20, 100]) {
      await ended.times(goal);
      await server.restart(mode);
    }
    await untilQueueIsEmpty();
    await workers.stop();
    ended.off();
    const done = await server.query('select number from done order by 1');
    expect(done.map(({ number }) => number)).toEqual(Array.from({ length: JOBS }, (_, number) => number));
    await untilNextWorkersTookOver();
    expect(await server.query('select from bellwether_jobs.workers')).toEqual([]);
  },
);

/** A lease that was lost over a restart leaves its rows to the next workers, who take them away. */
async function untilNextWorkersTookOver(): Promise<void> {
  const next = await startWorkers(db, { jobs: [mark], takeOverAfterMs: 100 });
  const deadline = Date.now() + 30_000;
  for (;;) {
    const left = await server.query(`select from bellwether_jobs.workers where not exists
      (select from pg_locks where locktype = 'advisory' and classid = ${LEASE_LOCKS} and objid = lease)`);
    if (left.length === 0) break;
    if (Date.now() > deadline) throw new Error(`${left.length} workers of no lease are left after half a minute.`);
  }
  await next.stop();
}

/** Jobs that were refused by a server on its way down wait for their next attempt: their time is brought forward. */
async function untilQueueIsEmpty(): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const [left] = await server.query(
      `with hurried as (update graphile_worker._private_jobs set run_at = now() where locked_at is null and run_at > now())
      select count(*)::int as jobs from graphile_worker._private_jobs`,
    );
    if (left!.jobs === 0) return;
    if (Date.now() > deadline) throw new Error(`${String(left!.jobs)} jobs are left after half a minute.`);
  }
}
