import { installJobs, job, schedule, startWorkers } from 'bellwether';
import type { JobContext } from 'bellwether';
import { setUp } from '../transaction/support';
import { thrownBy } from '../../support/thrown';
import { listen } from './support';

const { database, db } = setUp('');
const runs: { payload: unknown; at: Date | undefined }[] = [];
const tick = job('tick', { attempts: 7 }, (payload: { shop: string }, { job: { scheduledFor } }: JobContext) =>
  Promise.resolve(void runs.push({ payload, at: scheduledFor })),
);
const idle = job('idle', () => Promise.resolve());

schedule('each-minute', '* * * * *', tick, { shop: 'north' }, { backfillMs: 300_000 });

test('times that passed while no worker ran are made up for, once each, by three workers that start at once', async () => {
  await installJobs(db());
  await database().pool.query(`insert into graphile_worker._private_known_crontabs (identifier, known_since)
    values ('each-minute', now() - interval '1 hour')`);
  const ended = listen(db(), 'job:end');
  const workers = await Promise.all([1, 2, 3].map(() => startWorkers(db(), { jobs: [tick] })));
  await ended.times(5);
  await Promise.all(workers.map((each) => each.stop()));
  const times = runs.map(({ at }) => at!.toISOString());
  expect(new Set(times).size).toBe(times.length);
  expect(times.every((time) => time.endsWith(':00.000Z'))).toBe(true);
  expect(new Set(runs.map(({ payload }) => JSON.stringify(payload)))).toEqual(new Set(['{"shop":"north"}']));
});

test('what is wrong with a schedule is said where it is declared', () => {
  const refused = (declare: () => unknown) => thrownBy(declare) as Error & { code: string };
  const unreadable = refused(() => schedule('nightly', '0 25 * * *', idle));
  expect(unreadable).toMatchObject({
    code: 'E_INVALID_JOB',
    recovery: 'fix-the-code',
    details: { schedule: 'nightly' },
  });
  expect(unreadable.message).toContain('nightly cannot be read (0 25 * * *)');
  expect(refused(() => schedule('nonsense', 'at noon', idle)).code).toBe('E_INVALID_JOB');
  expect(refused(() => schedule('each-minute', '* * * * *', idle)).message).toContain('declared twice');
  expect(refused(() => schedule('back', '* * * * *', idle, {}, { backfillMs: -1 })).code).toBe('E_INVALID_OPTION');
  expect(refused(() => schedule('at', '* * * * *', tick, { shop: 1n } as never)).code).toBe('E_INVALID_PAYLOAD');
});
