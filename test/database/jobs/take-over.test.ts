import { enqueue, installJobs, job } from 'bellwether';
import { setUp } from '../transaction/support';

const { database, db } = setUp('');
const greet = job('greet', { attempts: 2 }, () => Promise.resolve());

/** The lock of a lease is (ASCII "bwjb", lease). */
const LOCK = [0x62776a62, 999] as const;

beforeAll(() => installJobs(db()));
beforeEach(async () => {
  await database().pool.query('truncate bellwether_jobs.workers; delete from graphile_worker._private_jobs');
  await enqueue(greet);
  await database().pool.query(
    `update graphile_worker._private_jobs set locked_by = 'w', locked_at = now(), attempts = 1`,
  );
  await database().pool.query(`insert into bellwether_jobs.workers values ('w', ${LOCK[1]})`);
});

/** What another worker's look finds, and whether it misses the first one. */
async function look() {
  const { rows } = await database().pool.query(
    'select name, attempts, is_dead from bellwether_jobs.take_over(1, 60000)',
  );
  const missed = await database().pool.query<{ is: boolean }>(
    'select missed_at is not null as is from bellwether_jobs.workers',
  );
  return { taken: rows, isMissed: missed.rows[0]?.is };
}
const oneMinute = () =>
  database().pool.query(`update bellwether_jobs.workers set missed_at = missed_at - interval '60 seconds'`);

test('a worker is not dead before it has been missed for the time agreed, and not while its lock is held', async () => {
  expect(await look()).toEqual({ taken: [], isMissed: true });
  expect(await look()).toEqual({ taken: [], isMissed: true });
  await oneMinute();
  const worker = await database().pool.connect();
  await worker.query('select pg_advisory_lock($1, $2)', [...LOCK]);
  expect(await look()).toEqual({ taken: [], isMissed: false }); // it is back
  await worker.query('select pg_advisory_unlock($1, $2)', [...LOCK]);
  worker.release();
  expect(await look()).toEqual({ taken: [], isMissed: true }); // from now on
  await oneMinute();
  expect(await look()).toEqual({ taken: [{ name: 'greet', attempts: 1, is_dead: false }], isMissed: undefined });
  expect(await look()).toEqual({ taken: [], isMissed: undefined });
});

test('a job that is just being ended by its transaction is left alone, and its worker remembered', async () => {
  await look();
  await oneMinute();
  const ending = await database().pool.connect();
  await ending.query('begin; select from graphile_worker._private_jobs for update');
  expect(await look()).toEqual({ taken: [], isMissed: true });
  await ending.query('delete from graphile_worker._private_jobs; commit');
  ending.release();
  expect(await look()).toEqual({ taken: [], isMissed: undefined });
});

test('of two that look at once, one takes over', async () => {
  await look();
  await oneMinute();
  const looks = await Promise.all(Array.from({ length: 8 }, look));
  expect(looks.flatMap(({ taken }) => taken as unknown[])).toHaveLength(1);
});

test('a job whose last attempt killed its worker is dead, and says so', async () => {
  await database().pool.query('update graphile_worker._private_jobs set attempts = max_attempts');
  await look();
  await oneMinute();
  expect((await look()).taken).toEqual([{ name: 'greet', attempts: 2, is_dead: true }]);
  const { rows } = await database().pool.query('select last_error from graphile_worker._private_jobs');
  expect(rows).toEqual([{ last_error: 'The worker that ran it died.' }]);
});
