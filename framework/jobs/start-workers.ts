import type { Database } from '../client/database';
import { InvalidOptionError } from '../core/invalid-option-error';
import { runOutside } from '../transaction/context';
import { currentSession } from '../transaction/current';
import type { Session } from '../transaction/session';
import { JobsStillRunningError } from './errors';
import { installQueue } from './install';
import type { AnyJob } from './job';
import { checkWhole, declaredJobs } from './job';
import type { Schedule } from './schedule';
import { declaredSchedules } from './schedule';
import type { WorkerRunOptions } from './worker-run';
import { WorkerRun } from './worker-run';

export interface WorkersOptions {
  /** Default: every job that the modules loaded so far declare, and every schedule of those. */
  readonly jobs?: readonly AnyJob[];
  /** Most jobs at once in this process. Default 4. Handlers share the database's pool. */
  readonly concurrency?: number;
  /** How often the queue is looked at for jobs whose time has come, in milliseconds; new ones are heard of. Default 2,000. */
  readonly pollIntervalMs?: number;
  /**
   * How long a worker process must be gone before another takes its jobs, in milliseconds. A process that the database
   * has lost sight of has this long to come back. Default 5,000, at least 100.
   */
  readonly takeOverAfterMs?: number;
  /** When stopping: how long jobs may run before their `signal` is aborted, in milliseconds. Default 10,000. */
  readonly abortAfterMs?: number;
  /** When stopping: how long to wait for jobs in all, in milliseconds. Default 25,000. */
  readonly stopTimeoutMs?: number;
}

/** Workers under way. */
export interface Workers {
  /**
   * Takes no more jobs, and waits for those under way. A job that heeds its signal by failing goes back to the queue
   * and loses no attempt. Before the database is closed. May be called twice.
   *
   * @throws JobsStillRunningError when some have not ended in time; nobody else runs them while this process lives
   */
  stop(): Promise<void>;
}

/** Pauses between two tries to start anew, in milliseconds. */
const RESTART_PAUSE_MS = [100, 500, 1_000, 5_000] as const;

/**
 * Runs jobs in this process, until told to stop: connections that are lost are made again. Installs the queue where it
 * is missing. Beside the pool of `database` it uses `concurrency` connections and two.
 *
 * Sessions of its own listen and hold locks, so it needs the server itself, not a pooler in transaction mode.
 *
 * @throws JobsInstallError when the queue is missing and this user may not make it
 */
export async function startWorkers(database: Database, options: WorkersOptions = {}): Promise<Workers> {
  const session = database.use(currentSession);
  const resolved = resolve(options);
  return runOutside(async () => {
    await installQueue(session);
    return new RunningWorkers(session, resolved, await WorkerRun.begin(session, resolved));
  });
}

interface ResolvedOptions extends WorkerRunOptions {
  readonly stopTimeoutMs: number;
}

function resolve(options: WorkersOptions): ResolvedOptions {
  const { jobs = declaredJobs(), concurrency = 4, pollIntervalMs = 2_000, takeOverAfterMs = 5_000 } = options;
  const { abortAfterMs = 10_000, stopTimeoutMs = 25_000 } = options;
  checkWhole('concurrency', concurrency, 1, 1_000);
  checkWhole('pollIntervalMs', pollIntervalMs, 10, 3_600_000);
  checkWhole('takeOverAfterMs', takeOverAfterMs, 100, 3_600_000);
  checkWhole('abortAfterMs', abortAfterMs, 0, 2 ** 31 - 1);
  checkWhole('stopTimeoutMs', stopTimeoutMs, 1, 2 ** 31 - 1);
  if (jobs.length === 0) throw new InvalidOptionError('jobs', 'a list with a job in it, or some are declared', 'empty');
  const schedules: readonly Schedule[] = declaredSchedules().filter(({ job }) => jobs.includes(job));
  return { jobs, schedules, concurrency, pollIntervalMs, takeOverAfterMs, abortAfterMs, stopTimeoutMs };
}

class RunningWorkers implements Workers {
  readonly #session: Session;
  readonly #options: ResolvedOptions;
  readonly #stopAsked: Promise<void>;
  readonly #loop: Promise<void>;
  #run: WorkerRun;
  #isStopping = false;
  #askStop!: () => void;
  #stopped: Promise<void> | undefined;

  constructor(session: Session, options: ResolvedOptions, run: WorkerRun) {
    this.#session = session;
    this.#options = options;
    this.#run = run;
    this.#stopAsked = new Promise((resolve) => {
      this.#askStop = () => {
        this.#isStopping = true;
        resolve();
      };
    });
    this.#loop = this.#supervise();
  }

  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  async #stop(): Promise<void> {
    const { stopTimeoutMs } = this.#options;
    this.#askStop();
    if (await within(stopTimeoutMs, this.#loop)) return;
    const names = this.#run.performer.running.map(({ facts }) => `${facts.job} (${facts.jobId})`);
    throw new JobsStillRunningError(names, stopTimeoutMs);
  }

  async #supervise(): Promise<void> {
    for (;;) {
      const error = await Promise.race([this.#run.broken, this.#stopAsked]);
      const ended = this.#run.end().catch((failure: unknown) => this.#tell(failure));
      if (this.#isStopping) return ended;
      this.#tell(error);
      await within(this.#options.stopTimeoutMs, ended);
      if (!(await this.#startAnew())) return ended;
    }
  }

  /** @returns false when it was told to stop in the meantime */
  async #startAnew(): Promise<boolean> {
    for (let attempt = 0; !this.#isStopping; attempt++) {
      try {
        this.#run = await WorkerRun.begin(this.#session, this.#options);
        return true;
      } catch (error) {
        this.#tell(error);
        const pauseMs = RESTART_PAUSE_MS[Math.min(attempt, RESTART_PAUSE_MS.length - 1)]!;
        await within(pauseMs, this.#stopAsked);
      }
    }
    return false;
  }

  #tell(error: unknown): void {
    this.#session.bus.emit('worker:error', { error });
  }
}

/** @returns whether `promise` was fulfilled in time */
async function within(ms: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([promise.then(() => true), tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
