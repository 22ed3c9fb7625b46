import type { BellwetherError } from '../core/errors';
import { LockNotAvailableError } from '../database/errors';
import type { Database } from '../client/database';
import { kyselyOf } from '../query/kysely-driver';
import { currentSession, runWithSession } from '../transaction/current';
import type { MigrationDatabase } from './definition';
import {
  InvalidMigrationError,
  IrreversibleMigrationError,
  MigrationFailedError,
  MigrationLockTimeoutError,
  MigrationUnfinishedError,
} from './errors';
import type { FailureFacts } from './errors';
import { History } from './history';
import type { LoadedMigration } from './load';
import { withMigrationLock } from './lock';
import { MigrationSession } from './migration-session';
import type { AppliedMigration } from './plan';
import { GUARDS_TABLE } from '../transaction/guards';
import { WEAKER_COMMITS } from '../transaction/weaker-commits';
import { MAKE_GUARDS } from '../transaction/make-guards';

export type Direction = 'up' | 'down';

export interface RunOptions {
  readonly lockTimeoutMs: number;
  readonly onProgress: (step: string) => void;
}

/** One command's work: migrations one after the other, each under the lock. */
export class MigrationRun {
  readonly session: MigrationSession;
  readonly #options: RunOptions;
  readonly #finished: string[] = [];
  #underWay: Omit<FailureFacts, 'finished'> | undefined;

  private constructor(session: MigrationSession, options: RunOptions) {
    this.session = session;
    this.#options = options;
  }

  /** Runs `body` with sessions of its own to where `database` is. */
  static async on<T>(database: Database, options: RunOptions, body: (run: MigrationRun) => Promise<T>): Promise<T> {
    const session = new MigrationSession(database.use(currentSession).pool.options);
    try {
      return await runWithSession(session, () => body(new MigrationRun(session, options)));
    } finally {
      await session.pool.close();
    }
  }

  /** What is applied, as it looks without the lock. */
  async peek(): Promise<readonly AppliedMigration[]> {
    const history = await History.find(this.session);
    return history ? history.read() : [];
  }

  /** Makes the table of records, and that of guards. In a transaction of its own, for other sessions must see it. */
  async prepare(): Promise<void> {
    const text = `select to_regclass('${GUARDS_TABLE}') is not null and to_regclass('${WEAKER_COMMITS}') is not null`;
    const { rows } = await this.session.execute({ text, writes: false });
    if (rows[0]![0] === true && (await History.find(this.session))) return;
    await this.#locked(async () => {
      await History.findOrCreate(this.session);
      await this.session.execute({ text: MAKE_GUARDS });
    });
  }

  /**
   * Under the lock, has `decide` choose from what is applied, and carries that out in the order given. Several in one
   * step are one transaction, unless one of them is to run outside of transactions.
   *
   * @returns the names, or undefined when there was nothing left to choose
   */
  async step(
    direction: Direction | 'redo',
    decide: (applied: readonly AppliedMigration[]) => Promise<LoadedMigration | undefined>,
  ): Promise<string | undefined> {
    const work: readonly Direction[] = direction === 'redo' ? ['down', 'up'] : [direction];
    let chosen: string | undefined;
    let isOver = false;
    try {
      await this.#locked(async () => {
        if (isOver) return; // only the transaction that held the lock was lost, and is run again
        chosen = this.#underWay = undefined; // PostgreSQL may have asked to run all this again
        const history = await History.findOrCreate(this.session);
        const applied = await history.read();
        assertFinished(applied, history.table);
        const migration = await decide(applied);
        if (!migration) return;
        if (migration.transaction === false) {
          for (const way of work) await this.#bare(history, migration, way);
          isOver = true;
        } else {
          for (const way of work) await this.#within(history, migration, way);
          // What it may have set, such as the search path, would be the next one's.
          await this.session.execute({ text: 'reset all', writes: false });
        }
        chosen = migration.file.name;
      });
    } catch (error) {
      throw this.#explain(error);
    }
    if (chosen !== undefined) this.#finished.push(chosen);
    return chosen;
  }

  /** Change and record in the transaction that holds the lock. */
  async #within(history: History, migration: LoadedMigration, direction: Direction): Promise<void> {
    const { file } = migration;
    const act = actOf(migration, direction);
    this.#underWay = { name: file.name, direction };
    this.#options.onProgress(`${file.name}: ${direction}`);
    const transactionId = await history.transactionId();
    const begunAt = performance.now();
    await act(this.#kysely);
    const durationMs = performance.now() - begunAt;
    const isRecorded = await (direction === 'up'
      ? history.add(file, durationMs, transactionId)
      : history.remove(file, transactionId));
    if (!isRecorded) throw endedItsTransaction(file.name);
    this.#options.onProgress(`${file.name}: ${direction} done (${Math.round(durationMs)} ms)`);
  }

  /** The transaction under way only holds the lock; the change runs on another session, between two records. */
  async #bare(history: History, migration: LoadedMigration, direction: Direction): Promise<void> {
    const { file } = migration;
    const act = actOf(migration, direction);
    this.#options.onProgress(`${file.name}: ${direction}, outside a transaction`);
    await this.session.bare(async () => {
      await history.begin(file, direction);
      this.#underWay = { name: file.name, direction, unfinishedIn: history.table };
      const begunAt = performance.now();
      await act(this.#kysely);
      const durationMs = performance.now() - begunAt;
      await history.end(file, direction, durationMs);
      this.#options.onProgress(`${file.name}: ${direction} done (${Math.round(durationMs)} ms)`);
    });
    this.#underWay = undefined;
  }

  get #kysely(): MigrationDatabase {
    return kyselyOf(this.session) as unknown as MigrationDatabase;
  }

  #locked<T>(body: () => Promise<T>): Promise<T> {
    return withMigrationLock(this.session, this.#options, body);
  }

  #explain(error: unknown): unknown {
    if (this.#underWay === undefined || error instanceof InvalidMigrationError) return error;
    const facts = { ...this.#underWay, finished: [...this.#finished] };
    if (error instanceof LockNotAvailableError && facts.unfinishedIn === undefined) {
      return new MigrationLockTimeoutError(facts, this.#options.lockTimeoutMs, error);
    }
    return new MigrationFailedError(facts, error);
  }
}

function actOf(migration: LoadedMigration, direction: Direction): NonNullable<LoadedMigration['down']> {
  const act = migration[direction];
  if (!act) throw new IrreversibleMigrationError(migration.file.name);
  return act;
}

function assertFinished(applied: readonly AppliedMigration[], table: string): void {
  const open = applied.find(({ unfinished }) => unfinished !== null);
  if (open) throw new MigrationUnfinishedError(open.name, open.unfinished!, table);
}

function endedItsTransaction(name: string): BellwetherError {
  return new InvalidMigrationError({
    what: `${name} ended the transaction that it runs in; what it did is in the database, and not recorded.`,
    remedy: 'Undo it by hand, and take out its COMMIT or ROLLBACK; or declare that it needs no transaction.',
    details: { name },
  });
}
