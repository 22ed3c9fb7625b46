import {
  deadJobs,
  discardJobs,
  enqueue,
  GiveUpError,
  installJobs,
  job,
  jobCounts,
  replayJobs,
  startWorkers,
} from 'bellwether';
import type { Workers } from 'bellwether';
import { countingTrips, setUp } from '../transaction/support';
import { inQueue, listen } from './support';

const { database, db } = setUp('');
let isMended = false;
const attempt = (): Promise<void> =>
  isMended ? Promise.resolve() : Promise.reject(new GiveUpError('The printer is gone.'));
const print = job('print', (_payload: { page: number }) => attempt());
const fold = job('fold', attempt);

let workers: Workers;
let ids: bigint[];
beforeAll(() => installJobs(db()));
beforeEach(async () => {
  isMended = false;
  await database().pool.query('truncate bellwether_jobs.keys; delete from graphile_worker._private_jobs');
  const dead = listen(db(), 'job:dead');
  workers = await startWorkers(db(), { concurrency: 1 });
  ids = [
    (await enqueue(print, { page: 1 }, { key: 'page-1' })).id,
    (await enqueue(print, { page: 2 })).id,
    (await enqueue(fold)).id,
  ];
  await dead.times(3);
  dead.off();
});
afterEach(() => workers.stop());

test('dead jobs are listed with what is needed to judge them', async () => {
  expect(await deadJobs()).toEqual([
    {
      id: ids[0],
      job: 'print',
      key: 'page-1',
      attempts: 25,
      error: expect.stringContaining('The printer is gone.'),
      payload: { page: 1 },
      enqueuedAt: expect.any(Date),
    },
    expect.objectContaining({ id: ids[1], key: undefined, payload: { page: 2 } }),
    expect.objectContaining({ id: ids[2], job: 'fold', payload: {} }),
  ]);
  expect((await deadJobs({ job: fold })).map(({ id }) => id)).toEqual([ids[2]]);
  expect((await deadJobs({ job: 'print', limit: 1 })).map(({ id }) => id)).toEqual([ids[0]]);
});

test.each([
  ['by id', () => ({ ids: [ids[1]!] }), [1]],
  ['by job', () => ({ job: print }), [0, 1]],
  ['by name', () => ({ job: 'fold' }), [2]],
  ['all', () => 'all' as const, [0, 1, 2]],
])('replayed %s, they run at once; the others stay', async (_how, filter, expected) => {
  isMended = true;
  const ended = listen(db(), 'job:end');
  expect(await replayJobs(filter())).toBe(expected.length);
  const events = await ended.times(expected.length);
  expect(events.map(({ jobId, attempt: count }) => [jobId, count])).toEqual(expected.map((index) => [ids[index], 1]));
  ended.off();
  expect(await inQueue(database())).toBe(3 - expected.length);
});

test('discarded, they are gone; their keys stay taken', async () => {
  expect(await discardJobs({ job: 'print' })).toBe(2);
  expect((await deadJobs()).map(({ id }) => id)).toEqual([ids[2]]);
  expect((await enqueue(print, { page: 1 }, { key: 'page-1' })).isNew).toBe(false);
});

test('only dead jobs are replayed or discarded', async () => {
  await enqueue(print, { page: 3 }, { delayMs: 60_000 });
  expect([await replayJobs({ job: print }), await discardJobs('all')]).toEqual([2, 1]);
  expect(await jobCounts()).toEqual([expect.objectContaining({ job: 'print', later: 1 })]);
});

test('the queue, counted by job', async () => {
  await enqueue(print, { page: 3 }, { delayMs: 60_000 });
  await workers.stop();
  await enqueue(fold);
  expect(await jobCounts()).toEqual([
    { job: 'fold', due: 1, later: 0, running: 0, dead: 1 },
    { job: 'print', due: 0, later: 1, running: 0, dead: 2 },
  ]);
});

test('a look costs two round trips: it is no serializable transaction, whatever the connection’s default', () =>
  countingTrips(database(), async (tripsOf) => {
    await deadJobs();
    expect(await tripsOf(() => deadJobs())).toBe(2);
  }));
