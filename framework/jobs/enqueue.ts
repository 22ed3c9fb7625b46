import { InvalidOptionError } from '../core/invalid-option-error';
import { StatementError } from '../database/errors';
import { currentSession } from '../transaction/current';
import { JobsNotInstalledError } from './errors';
import type { Job } from './job';
import { checkWhole } from './job';
import type { NoPayload } from './payload';
import { assertJsonObject } from './payload';

export interface EnqueueOptions {
  /**
   * Names the occasion: the same job with the same key is enqueued once, even when the first has run already, for as
   * long as the job's `keepKeyForMs` says. Up to 500 characters.
   */
  readonly key?: string;
  /** Not before this time. Default: at once. */
  readonly runAt?: Date;
  /** Not before this long after now, in milliseconds. Not with `runAt`. */
  readonly delayMs?: number;
  /** Lower numbers run first. Default: the job's. */
  readonly priority?: number;
  /**
   * Takes the place, and with it the payload and the time, of the job that was enqueued under the same word and has
   * not begun: with `delayMs`, a debounce. Up to 300 characters. Not with `key`.
   */
  readonly replacePending?: string;
  /** With `replacePending`: at the time that the one replaced had: a throttle. Default false. */
  readonly keepRunAt?: boolean;
}

export interface Enqueued {
  readonly id: bigint;
  /** False when there was one already: of the same `key`, which is left as it is, or pending, which is replaced. */
  readonly isNew: boolean;
}

const ENQUEUE = `select * from bellwether_jobs.enqueue(name := $1, payload := $2, run_at := $3, delay_ms := $4,
  max_attempts := $5, priority := $6, key := $7, keep_ms := $8, pending_key := $9, keep_run_at := $10)`;

/**
 * Has a worker run the job. Inside a transaction it is part of it: one job for a commit, none for a rollback, an
 * undone savepoint or an attempt that is run again; outside of any it is a transaction by itself. One round trip.
 *
 * @throws InvalidPayloadError where the payload holds what JSON cannot carry
 * @throws JobsNotInstalledError where the database has no queue
 */
export function enqueue(job: Job, payload?: NoPayload, options?: EnqueueOptions): Promise<Enqueued>;
export function enqueue<P>(job: Job<P>, payload: NoInfer<P>, options?: EnqueueOptions): Promise<Enqueued>;
export async function enqueue<P>(
  { name, options: declared }: Job<P>,
  payload: P | NoPayload = {},
  options: EnqueueOptions = {},
): Promise<Enqueued> {
  assertJsonObject(name, payload);
  checkEnqueueOptions(options);
  const { key, runAt, delayMs, priority = declared.priority, replacePending, keepRunAt = false } = options;
  const values = [
    name,
    JSON.stringify(payload),
    runAt?.toISOString(),
    delayMs,
    declared.attempts,
    priority,
    key,
    declared.keepKeyForMs,
    replacePending && `${name}:${replacePending}`,
    keepRunAt,
  ].map((value) => value ?? null);
  try {
    const { rows } = await currentSession().execute({ name: 'bw_enqueue', text: ENQUEUE, values });
    const [id, isNew] = rows[0] as [bigint, boolean];
    return { id, isNew };
  } catch (error) {
    throw explainMissingQueue(error);
  }
}

/** 3F000, 42883, 42P01: the schema, the function or the table is not there. */
export function explainMissingQueue(error: unknown): unknown {
  const isMissing = error instanceof StatementError && ['3F000', '42883', '42P01'].includes(error.details.sqlState);
  return isMissing ? new JobsNotInstalledError(error) : error;
}

function checkEnqueueOptions({ key, runAt, delayMs, priority, replacePending, keepRunAt }: EnqueueOptions): void {
  checkWhole('delayMs', delayMs, 0, Number.MAX_SAFE_INTEGER);
  checkWhole('priority', priority, -32_768, 32_767);
  if (runAt !== undefined && Number.isNaN(runAt.getTime())) throw new InvalidOptionError('runAt', 'a time', runAt);
  if (runAt !== undefined && delayMs !== undefined) {
    throw new InvalidOptionError('delayMs', 'given instead of runAt', 'given with it');
  }
  if (key !== undefined && replacePending !== undefined) {
    throw new InvalidOptionError('replacePending', 'given instead of key', 'given with it');
  }
  if (keepRunAt === true && replacePending === undefined) {
    throw new InvalidOptionError('keepRunAt', 'given with replacePending', 'given alone');
  }
  checkLength('key', key, 500);
  checkLength('replacePending', replacePending, 300);
}

function checkLength(option: string, value: string | undefined, most: number): void {
  if (value !== undefined && (value.length < 1 || value.length > most)) {
    throw new InvalidOptionError(option, `a text of 1 to ${most} characters`, `one of ${value.length}`);
  }
}
