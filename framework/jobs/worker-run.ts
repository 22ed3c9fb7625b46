import { run } from 'graphile-worker';
import type { Runner, TaskList } from 'graphile-worker';
import { driverPool } from '../database/driver-pool';
import type { ResolvedPoolOptions } from '../database/options';
import type { Session } from '../transaction/session';
import { SILENT } from './install';
import type { AnyJob } from './job';
import type { FreedJob } from './lease';
import { Lease } from './lease';
import type { JobRow } from './perform';
import { Performer } from './perform';
import type { Schedule } from './schedule';

export interface WorkerRunOptions {
  readonly jobs: readonly AnyJob[];
  readonly schedules: readonly Schedule[];
  readonly concurrency: number;
  readonly pollIntervalMs: number;
  readonly takeOverAfterMs: number;
  readonly abortAfterMs: number;
}

/** graphile frees what has been locked for four hours: long jobs are locked anew before that. */
const PROLONG_AFTER_MS = 3_600_000;

interface Parts {
  readonly lease: Lease;
  readonly runner: Runner;
  readonly pool: ReturnType<typeof queuePool>;
  readonly performer: Performer;
  readonly controller: AbortController;
  readonly abortAfterMs: number;
  readonly onTrouble: (error: unknown) => void;
}

/** graphile's workers under one lease, from their start until they end or break. */
export class WorkerRun {
  /** Resolves, with the reason, when the workers cannot go on and must be started anew. */
  readonly broken: Promise<unknown>;
  readonly performer: Performer;
  readonly #parts: Parts;
  readonly #prolonging: NodeJS.Timeout;

  private constructor(parts: Parts) {
    const { lease, runner, performer, controller, onTrouble } = parts;
    this.#parts = parts;
    this.performer = performer;
    void lease.lost.then((reason) => controller.abort(reason));
    this.broken = Promise.race([
      lease.lost,
      new Promise((resolve) => runner.events.on('worker:fatalError', ({ error }) => resolve(error))),
      runner.promise.then(
        () => new Error('The runner of jobs ended by itself.'),
        (error: unknown) => error,
      ),
    ]);
    this.#prolonging = setInterval(() => {
      lease.prolong(performer.running.map(({ facts }) => facts.jobId)).catch(onTrouble);
    }, PROLONG_AFTER_MS).unref();
  }

  static async begin(session: Session, options: WorkerRunOptions): Promise<WorkerRun> {
    const { bus } = session;
    const onTrouble = (error: unknown) => bus.emit('worker:error', { error });
    const onFreed = ({ isDead, ...facts }: FreedJob) => {
      bus.emit('job:taken-over', facts);
      if (isDead) bus.emit('job:dead', { ...facts, error: new Error('The worker that ran it died.') });
    };
    const { takeOverAfterMs } = options;
    const lease = await Lease.take(session.pool.options, { takeOverAfterMs, onFreed, onTrouble });
    const pool = queuePool(session.pool.options, options.concurrency, onTrouble);
    try {
      const controller = new AbortController();
      const performer = new Performer(session, controller.signal);
      const runner = await run({
        pgPool: pool,
        noPreparedStatements: !session.pool.preparesStatements,
        concurrency: options.concurrency,
        pollInterval: options.pollIntervalMs,
        noHandleSignals: true,
        logger: SILENT,
        taskList: tasksOf(options.jobs, performer),
        parsedCronItems: options.schedules.map(({ item }) => item),
        preset: { plugins: [registering(lease)] },
      });
      runner.events.on('worker:getJob:error', ({ error }) => onTrouble(error));
      runner.events.on('pool:listen:error', ({ error }) => onTrouble(error));
      const { abortAfterMs } = options;
      return new WorkerRun({ lease, runner, pool, performer, controller, abortAfterMs, onTrouble });
    } catch (error) {
      await Promise.all([pool.end(), lease.release()]);
      throw error;
    }
  }

  /**
   * Takes no more jobs, and waits for those under way; lets go of the lease when they have ended. After `abortAfterMs`
   * the handlers' signal is aborted.
   */
  async end(): Promise<void> {
    const { lease, runner, pool, controller, abortAfterMs } = this.#parts;
    const timer = setTimeout(() => controller.abort(new Error('The workers are told to stop.')), abortAfterMs);
    clearInterval(this.#prolonging);
    try {
      await runner.stop();
    } catch (error) {
      if (!/already stopped/.test(String(error))) throw error;
      await runner.promise.catch(() => undefined); // what broke it is known
    } finally {
      clearTimeout(timer);
      await Promise.all([pool.end(), lease.release()]);
    }
  }
}

function tasksOf(jobs: readonly AnyJob[], performer: Performer): TaskList {
  return Object.fromEntries(
    jobs.map((job) => [
      job.name,
      (payload: unknown, { job: row }: { readonly job: unknown }) =>
        performer.perform(job, payload as object, row as JobRow),
    ]),
  );
}

/** Before a worker looks for its first job, it stands under the lease. */
function registering(lease: Lease): GraphileConfig.Plugin {
  return {
    name: 'BellwetherLease',
    version: '1',
    worker: { hooks: { startWorker: (_context, { worker }) => lease.register(worker.workerId) } },
  };
}

/**
 * Sessions for graphile, which takes and ends jobs at `read committed`, as `skip locked` is made for, and expects of a
 * client that one statement is answered before the next is sent. One more than workers, to listen.
 */
function queuePool(options: ResolvedPoolOptions, concurrency: number, onLost: (error: unknown) => void) {
  const sessions = {
    ...options,
    poolSize: concurrency + 1,
    isolation: 'read committed',
    applicationName: `${options.applicationName} worker`,
  } as const;
  return driverPool(sessions, { pipeline: false, sendsDefaults: true, onLost });
}
