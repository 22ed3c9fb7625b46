import type { Connection } from '../database/connection';
import type { ResolvedPoolOptions } from '../database/options';
import { Pool } from '../database/pool';
import { translateDatabaseError } from '../database/sqlstate';
import { EventBus } from '../telemetry/events';
import { LeaseLostError } from './errors';
import { LEASE_LOCKS } from './queue-schema';

/** A job that a dead worker had. */
export interface FreedJob {
  readonly jobId: bigint;
  readonly job: string;
  readonly attempt: number;
  readonly isDead: boolean;
}

export interface LeaseOptions {
  /** How long a lease that nobody holds is left alone, in milliseconds. */
  readonly takeOverAfterMs: number;
  readonly onFreed: (job: FreedJob) => void;
  readonly onTrouble: (error: unknown) => void;
}

/** Longest pause between two looks at the other workers, in milliseconds. */
const PULSE_MS = 1_000;
/** Bound of each statement of a lease, in milliseconds. */
const STATEMENT_MS = 10_000;

// So that the server notices within half a minute that this machine is gone, if it does not say so itself.
const NOTICE_A_DEAD_MACHINE = `set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3`;
const LOCK = `select pg_advisory_lock(${LEASE_LOCKS}, $1)`;
const COUNT = 'select count(*)::int from bellwether_jobs.workers where lease = $1';
const TAKE_OVER = 'select job_id, name, attempts, is_dead from bellwether_jobs.take_over(own := $1, after_ms := $2)';
const RETIRE = 'select job_id, name, attempts, is_dead from bellwether_jobs.retire(lease := $1)';

/**
 * The sign of life of one process's workers: an advisory lock that a session of its own holds.
 *
 * The server lets go of it as soon as the session ends, so the death of a process is known at once, and neither a
 * blocked event loop nor a stopped process looks like one. Since a session may be lost while its process lives, the
 * lock must have been free for `takeOverAfterMs` before another worker takes the jobs; in that time the process takes
 * it again, or knows itself that it has lost the lease.
 */
export class Lease {
  readonly number: number;
  /** Resolves, with the reason, when others may have taken over. */
  readonly lost: Promise<unknown>;
  readonly #pool: Pool;
  readonly #options: LeaseOptions;
  readonly #held: Promise<void>;
  #connection: Connection | undefined;
  #registered = 0;
  #hasBegun = false;
  #isReleased = false;
  #isRetired = false;
  #heardAt = performance.now();
  #wake = () => {};

  private constructor(pool: Pool, number: number, options: LeaseOptions, first: (error?: Error) => void) {
    this.#pool = pool;
    this.number = number;
    this.#options = options;
    let lose!: (reason: unknown) => void;
    this.lost = new Promise((resolve) => (lose = resolve));
    this.#held = this.#holdOn(first, lose);
  }

  static async take(defaults: ResolvedPoolOptions, options: LeaseOptions): Promise<Lease> {
    const pool = new Pool(
      {
        ...defaults,
        poolSize: 1,
        isolation: 'read committed',
        statementTimeoutMs: STATEMENT_MS,
        applicationName: `${defaults.applicationName} worker`,
      },
      new EventBus(),
    );
    try {
      const number = await pool.borrow(async (connection) => {
        const { rows } = await connection.run({ text: `select nextval('bellwether_jobs.lease')::int` });
        return rows[0]![0] as number;
      });
      let lease!: Lease;
      await new Promise<void>((resolve, reject) => {
        lease = new Lease(pool, number, options, (error) => (error === undefined ? resolve() : reject(error)));
      });
      return lease;
    } catch (error) {
      await pool.close();
      throw translateDatabaseError(error);
    }
  }

  /** Says that what this worker locks is locked under this lease. Before it locks anything. */
  async register(workerId: string): Promise<void> {
    if (!this.#connection) throw new LeaseLostError();
    await this.#connection.run({
      text: 'insert into bellwether_jobs.workers (worker_id, lease) values ($1, $2)',
      values: [workerId, this.number],
    });
    this.#registered += 1;
  }

  /** Keeps graphile from freeing jobs that have run for hours. */
  async prolong(jobIds: readonly bigint[]): Promise<void> {
    await this.#connection?.run({
      text: `update graphile_worker._private_jobs j set locked_at = now() from bellwether_jobs.workers w
        where j.id = any ($1::bigint[]) and j.locked_by = w.worker_id and w.lease = $2`,
      values: [jobIds.map(String), this.number],
    });
  }

  /** When no handler runs any more: lets go of whatever is still locked, and of the lease. */
  async release(): Promise<void> {
    this.#isReleased = true;
    this.#wake();
    await this.#held;
    // Without its session just now: what it leaves behind would be taken over, but later.
    if (!this.#isRetired)
      await this.#pool.borrow((connection) => this.#retire(connection)).catch(this.#options.onTrouble);
    await this.#pool.close();
  }

  async #holdOn(first: (error?: Error) => void, lose: (reason: unknown) => void): Promise<void> {
    while (!this.#isReleased) {
      try {
        await this.#pool.borrow((connection) => this.#holdWith(connection, first));
      } catch (error) {
        const reason = translateDatabaseError(error);
        if (!this.#hasBegun) return first(reason as Error);
        if (this.#isReleased) return;
        if (reason instanceof LeaseLostError) return lose(reason);
        this.#options.onTrouble(reason);
        if (performance.now() - this.#heardAt > this.#options.takeOverAfterMs) return lose(new LeaseLostError(reason));
        await this.#pause();
      } finally {
        this.#connection = undefined;
      }
    }
  }

  async #holdWith(connection: Connection, first: () => void): Promise<void> {
    try {
      await connection.run({ text: NOTICE_A_DEAD_MACHINE });
      await connection.run({ text: LOCK, values: [this.number] });
      const { rows } = await connection.run({ text: COUNT, values: [this.number] });
      if ((rows[0]![0] as number) < this.#registered) throw new LeaseLostError();
      this.#connection = connection;
      this.#heardAt = performance.now();
      this.#hasBegun = true;
      first();
      while (!this.#isReleased) {
        this.#report(await connection.run({ text: TAKE_OVER, values: [this.number, this.#options.takeOverAfterMs] }));
        this.#heardAt = performance.now();
        if (!this.#isReleased) await this.#pause();
      }
      await this.#retire(connection);
    } finally {
      connection.discard(new Error('It held a lease.')); // closing the session is what unlocks
    }
  }

  async #retire(connection: Connection): Promise<void> {
    this.#report(await connection.run({ text: RETIRE, values: [this.number] }));
    this.#isRetired = true;
  }

  #report({ rows }: { readonly rows: unknown[][] }): void {
    for (const [jobId, job, attempt, isDead] of rows as [bigint, string, number, boolean][]) {
      this.#options.onFreed({ jobId, job, attempt, isDead });
    }
  }

  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.min(PULSE_MS, this.#options.takeOverAfterMs / 3));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
