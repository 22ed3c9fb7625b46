import { InvalidOptionError } from '../core/invalid-option-error';
import type { TransactionOptions } from '../transaction/options';
import { checkTransactionOptions } from '../transaction/options';
import { InvalidJobError } from './errors';
import type { JsonObject, NoPayload } from './payload';

/** The job that a handler was called for. */
export interface RunningJob {
  readonly id: bigint;
  readonly name: string;
  /** Counts from 1. */
  readonly attempt: number;
  /** Most attempts that it gets. */
  readonly attempts: number;
  readonly enqueuedAt: Date;
  /** Of a job that a schedule made: the minute that it was made for. */
  readonly scheduledFor: Date | undefined;
}

export interface JobContext {
  readonly job: RunningJob;
  /** Aborted when the worker must stop and cannot wait much longer, or has lost the job to another. */
  readonly signal: AbortSignal;
}

export type JobHandler<P> = (payload: P, context: JobContext) => Promise<unknown>;

export interface JobOptions<P = NoPayload> {
  /** Most attempts, the first included. After attempt n the next waits e^min(n, 10) seconds. Default 25: 3.8 days. */
  readonly attempts?: number;
  /** Lower numbers run first. Default 0. */
  readonly priority?: number;
  /**
   * How long a `key` is remembered from when it was first enqueued, in milliseconds: so long it gives no second job,
   * even when the first has run. Default: for good.
   */
  readonly keepKeyForMs?: number;
  /**
   * Runs the handler in one transaction that ends the job too, so that what it does in the database happens exactly
   * once, whoever crashes when. Costs one round trip more. Without it a handler whose worker died runs again: at least once.
   */
  readonly inTransaction?: boolean | TransactionOptions;
  /** Asked when the job's time has come, in the handler's transaction if it has one: false ends it, and nothing is done. */
  readonly stillDue?: (payload: P) => Promise<boolean> | boolean;
}

/** A declared job. Made by {@link job}. */
export class Job<P = NoPayload> {
  readonly name: string;
  readonly options: JobOptions<P>;
  readonly handler: JobHandler<P>;

  /** @internal */
  constructor(name: string, options: JobOptions<P>, handler: JobHandler<P>) {
    this.name = name;
    this.options = Object.freeze({ ...options });
    this.handler = handler;
  }
}

/** A job of whatever payload, for lists of them. */
// The handler's parameter makes Job<P> contravariant, so that Job<never> is what every job is.
export type AnyJob = Job<never>;

/** Refuses, at compile time, a handler whose payload JSON cannot carry: a constraint on `P` would only narrow it. */
type OfJson<P> = P extends JsonObject<P> ? unknown : { readonly 'the payload holds what JSON cannot carry': never };

const declared = new Map<string, AnyJob>();

/** Every job that the modules loaded so far declare. */
export function declaredJobs(): readonly AnyJob[] {
  return [...declared.values()];
}

/**
 * Declares a job: work to be done after a commit, by a worker, again until it succeeds.
 *
 * The handler's model calls go to the worker's database. A payload is a JSON object; give ids, not records.
 *
 * @param name stays in the database with each job: 1 to 128 characters, declared once
 */
export function job<P = NoPayload>(name: string, handler: JobHandler<P> & OfJson<P>): Job<P>;
export function job<P = NoPayload>(name: string, options: JobOptions<P>, handler: JobHandler<P> & OfJson<P>): Job<P>;
export function job<P>(name: string, first: JobOptions<P> | JobHandler<P>, second?: JobHandler<P>): Job<P> {
  const [options, handler] = typeof first === 'function' ? [{}, first] : [first, second!];
  checkName(name);
  checkOptions(options);
  const made = new Job(name, options, handler);
  declared.set(name, made);
  return made;
}

function checkName(name: string): void {
  if (name.length < 1 || name.length > 128) throw new InvalidOptionError('name', 'from 1 to 128 characters long', name);
  if (declared.has(name)) {
    throw new InvalidJobError({
      what: `The job ${name} is declared twice.`,
      remedy: 'Give each job a name of its own; the name finds the handler.',
      details: { job: name },
    });
  }
}

function checkOptions<P>({ attempts, priority, keepKeyForMs, inTransaction }: JobOptions<P>): void {
  checkWhole('attempts', attempts, 1, 32_767);
  checkWhole('priority', priority, -32_768, 32_767);
  checkWhole('keepKeyForMs', keepKeyForMs, 1, Number.MAX_SAFE_INTEGER);
  if (typeof inTransaction === 'object') checkTransactionOptions(inTransaction);
}

/** @throws InvalidOptionError */
export function checkWhole(option: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined) return;
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new InvalidOptionError(option, `a whole number from ${least} to ${most}`, value);
  }
}
