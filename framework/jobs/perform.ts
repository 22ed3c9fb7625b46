import { BellwetherError } from '../core/errors';
import type { Statement, StatementResult } from '../database/statement';
import type { JobFacts } from '../telemetry/events';
import { runOutside } from '../transaction/context';
import { runWithSession } from '../transaction/current';
import { AfterCommitError } from '../transaction/errors';
import type { Session } from '../transaction/session';
import { GiveUpError, JobTakenOverError } from './errors';
import type { AnyJob, RunningJob } from './job';

/** The columns of graphile's row that are read here. */
export interface JobRow {
  readonly id: string;
  readonly attempts: number;
  readonly max_attempts: number;
  readonly created_at: Date;
  /** The worker's id: the job is this worker's for as long as the row says so. */
  readonly locked_by: string | null;
}

/** What graphile's scheduler adds to a payload. */
interface Scheduled {
  readonly _cron?: { readonly ts: string };
}

type Outcome = 'done' | 'not due';

const FINISH = 'select bellwether_jobs.finish(job_id := $1, worker_id := $2)';
const FAIL =
  'select is_dead, next_run_at from bellwether_jobs.fail(job_id := $1, worker_id := $2, error := $3, verdict := $4)';

/** Runs handlers, and writes in the queue what became of their jobs. */
export class Performer {
  readonly #session: Session;
  readonly #signal: AbortSignal;
  readonly #running = new Map<string, { readonly facts: JobFacts; readonly begunAt: number }>();

  constructor(session: Session, signal: AbortSignal) {
    this.#session = session;
    this.#signal = signal;
  }

  get running(): readonly { readonly facts: JobFacts; readonly begunAt: number }[] {
    return [...this.#running.values()];
  }

  /** Rejects when the attempt failed; the queue knows it by then. */
  async perform(job: AnyJob, payload: Scheduled, row: JobRow): Promise<void> {
    const { bus } = this.#session;
    if (this.#signal.aborted) return this.#refuse(row);
    const facts: JobFacts = { job: job.name, jobId: BigInt(row.id), attempt: row.attempts };
    const begunAt = performance.now();
    this.#running.set(row.id, { facts, begunAt });
    bus.emit('job:start', facts);
    try {
      const outcome = await runOutside(() => runWithSession(this.#session, () => this.#run(job, payload, row)));
      bus.emit('job:end', { ...facts, outcome, durationMs: performance.now() - begunAt });
    } catch (error) {
      await this.#failed(facts, row, error, begunAt);
      throw error;
    } finally {
      this.#running.delete(row.id);
    }
  }

  async #run(job: AnyJob, { _cron, ...payload }: Scheduled, row: JobRow): Promise<Outcome> {
    const { stillDue, inTransaction = false } = job.options;
    const running: RunningJob = {
      id: BigInt(row.id),
      name: job.name,
      attempt: row.attempts,
      attempts: row.max_attempts,
      enqueuedAt: row.created_at,
      scheduledFor: _cron && new Date(_cron.ts),
    };
    const act = async (): Promise<Outcome> => {
      if (stillDue && !(await stillDue(payload as never))) return 'not due';
      await job.handler(payload as never, { job: running, signal: this.#signal });
      return 'done';
    };
    if (inTransaction !== false) {
      return this.#inTransaction(inTransaction === true ? {} : inTransaction, act, running, row);
    }
    const outcome = await act();
    await this.#tell({ name: 'bw_finish', text: FINISH, values: [row.id, row.locked_by] });
    return outcome;
  }

  /** The end of the job is the last of the transaction's writes, so that others are held up by it for no time. */
  async #inTransaction(
    options: object,
    act: () => Promise<Outcome>,
    { id, name }: RunningJob,
    row: JobRow,
  ): Promise<Outcome> {
    let outcome: Outcome = 'done';
    try {
      await this.#session.transaction({ name, ...options }, async () => {
        outcome = await act();
        const finish = { name: 'bw_finish', text: FINISH, values: [row.id, row.locked_by] };
        const { rows } = await this.#session.execute(finish);
        if (rows[0]![0] !== true) throw new JobTakenOverError(name, id);
      });
    } catch (error) {
      if (!(error instanceof AfterCommitError)) throw error; // it is committed; its failed effects are events
    }
    return outcome;
  }

  async #failed(facts: JobFacts, row: JobRow, error: unknown, begunAt: number): Promise<void> {
    const { bus } = this.#session;
    const verdict = error instanceof GiveUpError ? 'give up' : this.#signal.aborted ? 'interrupted' : 'retry';
    const message = (error instanceof Error && error.message) || String(error);
    const durationMs = performance.now() - begunAt;
    let told: StatementResult | undefined;
    try {
      told = await this.#tell({ text: FAIL, values: [row.id, row.locked_by, message.slice(0, 4000), verdict] });
    } catch (failure) {
      bus.emit('worker:error', { error: failure }); // the worker ends, and lets go of the job when it can
    }
    const [isDead = false, nextRunAt] = (told?.rows[0] ?? []) as [boolean?, Date?];
    bus.emit('job:failed', { ...facts, error, durationMs, retryAt: isDead ? undefined : nextRunAt });
    if (isDead) bus.emit('job:dead', { ...facts, error });
  }

  /** A worker that was just asking for a job when it was told to stop gets one all the same. */
  async #refuse(row: JobRow): Promise<never> {
    await this.#tell({ text: FAIL, values: [row.id, row.locked_by, null, 'interrupted'] });
    throw this.#signal.reason as Error;
  }

  /** Both statements may be sent twice, so a lost connection is no reason not to try again. */
  async #tell(statement: Statement): Promise<StatementResult> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await runOutside(() => this.#session.execute(statement));
      } catch (error) {
        const mayPass = error instanceof BellwetherError && error.code.startsWith('E_CONNECTION_');
        if (!mayPass || attempt >= MOST_TRIES) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50 * 2 ** attempt));
      }
    }
  }
}

/** The last pause is 3.2 seconds, all of them 6.3. */
const MOST_TRIES = 7;
