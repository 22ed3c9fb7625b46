import { InvalidOptionError } from '../core/invalid-option-error';
import type { StatementResult } from '../database/statement';
import { currentSession } from '../transaction/current';
import { explainMissingQueue } from './enqueue';
import type { AnyJob } from './job';
import { checkWhole } from './job';

/** A job whose attempts are used up, or whose handler gave up. It is kept until it is replayed or discarded. */
export interface DeadJob {
  readonly id: bigint;
  readonly job: string;
  /** What it was enqueued under, if anything. */
  readonly key: string | undefined;
  readonly attempts: number;
  readonly error: string;
  readonly payload: unknown;
  readonly enqueuedAt: Date;
}

/** Which dead jobs are meant: by id, all of one name, or all. */
export type DeadJobFilter = { readonly ids: readonly bigint[] } | { readonly job: AnyJob | string } | 'all';

/** How many jobs of one name wait, are due, run, and are dead. */
export interface JobCounts {
  readonly job: string;
  /** To be run as soon as a worker is free. */
  readonly due: number;
  /** To be run later, for the first time or again. */
  readonly later: number;
  readonly running: number;
  readonly dead: number;
}

const IS_DEAD = 'j.attempts >= j.max_attempts and j.locked_at is null';
const CHOSEN = `(j.id = any ($1::bigint[]) or t.identifier = $2 or $3)`;

const LIST = `select j.id, t.identifier, k.key, j.attempts, coalesce(j.last_error, ''), j.payload, j.created_at
  from graphile_worker._private_jobs j
  join graphile_worker._private_tasks t on t.id = j.task_id
  left join lateral (select key from bellwether_jobs.keys k where k.job_id = j.id limit 1) k on true
  where ${IS_DEAD} and ($1::text is null or t.identifier = $1) order by j.id limit $2`;

const REPLAY = `with replayed as (
    update graphile_worker._private_jobs j set attempts = 0, run_at = now(), updated_at = now()
      from graphile_worker._private_tasks t where t.id = j.task_id and ${IS_DEAD} and ${CHOSEN} returning j.id
  ) select count(*)::int, pg_notify('jobs:insert', json_build_object('r', random(), 'count', count(*))::text) from replayed`;

const DISCARD = `with discarded as (
    delete from graphile_worker._private_jobs j
      using graphile_worker._private_tasks t where t.id = j.task_id and ${IS_DEAD} and ${CHOSEN} returning j.id
  ) select count(*)::int from discarded`;

const COUNT = `select t.identifier,
    count(*) filter (where j.is_available and j.run_at <= now())::int,
    count(*) filter (where j.is_available and j.run_at > now())::int,
    count(*) filter (where j.locked_at is not null)::int,
    count(*) filter (where ${IS_DEAD})::int
  from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id
  group by t.identifier order by t.identifier`;

/** The dead jobs, oldest first; the first 100 unless `limit` says otherwise. */
export async function deadJobs({
  job,
  limit = 100,
}: { readonly job?: AnyJob | string; readonly limit?: number } = {}): Promise<readonly DeadJob[]> {
  checkWhole('limit', limit, 1, 2 ** 31 - 1);
  const { rows } = await send(LIST, [nameOf(job) ?? null, limit], false);
  return (rows as [bigint, string, string | null, number, string, unknown, Date][]).map(
    ([id, name, key, attempts, error, payload, enqueuedAt]) => ({
      id,
      job: name,
      key: key ?? undefined,
      attempts,
      error,
      payload,
      enqueuedAt,
    }),
  );
}

/** Has dead jobs run again, at once and with all their attempts. @returns how many there were */
export async function replayJobs(filter: DeadJobFilter): Promise<number> {
  const { rows } = await send(REPLAY, chosen(filter), true);
  return rows[0]![0] as number;
}

/** Forgets dead jobs. Their keys stay taken. @returns how many there were */
export async function discardJobs(filter: DeadJobFilter): Promise<number> {
  const { rows } = await send(DISCARD, chosen(filter), true);
  return rows[0]![0] as number;
}

/** What the queue holds, by job. */
export async function jobCounts(): Promise<readonly JobCounts[]> {
  const { rows } = await send(COUNT, [], false);
  return (rows as [string, number, number, number, number][]).map(([job, due, later, running, dead]) => ({
    job,
    due,
    later,
    running,
    dead,
  }));
}

function chosen(filter: DeadJobFilter): unknown[] {
  if (filter === 'all') return [null, null, true];
  if ('ids' in filter) return [filter.ids.map(String), null, false];
  if (filter.job === undefined) throw new InvalidOptionError('filter', 'ids, a job, or all', filter);
  return [null, nameOf(filter.job), false];
}

function nameOf(job: AnyJob | string | undefined): string | undefined {
  return typeof job === 'object' ? job.name : job;
}

/** Scans the queue, which at a stronger level would be in the way of those who enqueue. */
async function send(text: string, values: unknown[], writes: boolean): Promise<StatementResult> {
  const session = currentSession();
  try {
    return await session.transaction({ isolation: 'read committed' }, () => session.execute({ text, values, writes }));
  } catch (error) {
    throw explainMissingQueue(error);
  }
}
