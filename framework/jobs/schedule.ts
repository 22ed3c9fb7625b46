import { parseCronItem } from 'graphile-worker';
import type { ParsedCronItem } from 'graphile-worker';
import { InvalidJobError } from './errors';
import type { AnyJob, Job } from './job';
import { checkWhole } from './job';
import type { NoPayload } from './payload';
import { assertJsonObject } from './payload';

export interface ScheduleOptions {
  /**
   * How far back times are made up for that passed while no worker ran, in milliseconds; never from before the schedule
   * was first known to a worker. Default 0: they are skipped.
   */
  readonly backfillMs?: number;
}

/** A declared schedule. Made by {@link schedule}. */
export interface Schedule {
  readonly name: string;
  readonly cron: string;
  readonly job: AnyJob;
  /** @internal */
  readonly item: ParsedCronItem;
}

const declared = new Map<string, Schedule>();

/** Every schedule that the modules loaded so far declare. */
export function declaredSchedules(): readonly Schedule[] {
  return [...declared.values()];
}

/**
 * Enqueues the job again and again, at the minutes that `cron` says, in UTC: minute, hour, day of the month, month, day
 * of the week. Each time gives one job, however many workers run.
 *
 * @param name stays in the database, so that a time that was served once is never served again; declared once
 * @throws InvalidJobError naming the schedule and what is wrong with it
 */
export function schedule(
  name: string,
  cron: string,
  job: Job,
  payload?: NoPayload,
  options?: ScheduleOptions,
): Schedule;
export function schedule<P>(
  name: string,
  cron: string,
  job: Job<P>,
  payload: NoInfer<P>,
  options?: ScheduleOptions,
): Schedule;
export function schedule<P>(
  name: string,
  cron: string,
  job: Job<P>,
  payload: P | NoPayload = {},
  { backfillMs = 0 }: ScheduleOptions = {},
): Schedule {
  if (declared.has(name)) throw invalid(name, 'is declared twice');
  checkWhole('backfillMs', backfillMs, 0, Number.MAX_SAFE_INTEGER);
  assertJsonObject(job.name, payload);
  if ('_cron' in payload) throw invalid(name, 'has a payload with _cron, which the scheduler uses itself');
  const { attempts, priority } = job.options;
  let item: ParsedCronItem;
  try {
    item = parseCronItem({
      task: job.name,
      match: cron,
      identifier: name,
      payload: payload,
      options: {
        backfillPeriod: backfillMs,
        ...(attempts !== undefined && { maxAttempts: attempts }),
        ...(priority !== undefined && { priority }),
      },
    });
  } catch (error) {
    throw invalid(name, `cannot be read (${cron}): ${(error as Error).message}`, error);
  }
  const made: Schedule = Object.freeze({ name, cron, job, item });
  declared.set(name, made);
  return made;
}

function invalid(name: string, problem: string, cause?: unknown): InvalidJobError {
  return new InvalidJobError({
    what: `The schedule ${name} ${problem}.`,
    remedy: 'Write it as cron does: "0 4 * * *" is four in the morning of each day, in UTC.',
    details: { schedule: name },
    cause,
  });
}
