import { InvalidOptionError } from '../core/invalid-option-error';
import type { Database } from '../client/database';
import { IrreversibleMigrationError } from './errors';
import { readMigrationFiles } from './files';
import type { MigrationFile } from './files';
import { loadMigration } from './load';
import type { LoadedMigration } from './load';
import { describeHistory, planDown, planUp } from './plan';
import type { AppliedMigration, MigrationStatus, PlanOptions } from './plan';
import { MigrationRun } from './run';

export interface MigrationOptions {
  /** Where the migrations are. */
  readonly folder: string;
  /** Hears a line for each step: what is applied, and whom it waits for. */
  readonly onProgress?: (step: string) => void;
  /**
   * How long a migration may wait for a lock on a table, in milliseconds; 0 for no bound. Default 5,000. While it waits,
   * whatever else wants the table waits behind it. Does not count for migrations outside a transaction, where a
   * wait cut short leaves an invalid index behind.
   */
  readonly lockTimeoutMs?: number;
}

export interface MigrateOptions extends MigrationOptions, PlanOptions {}

export interface RollbackOptions extends MigrationOptions {
  /** How many to take back. Default 1. */
  readonly steps?: number;
}

/** What a command would do, in order. */
export interface PlannedMigration {
  readonly name: string;
  readonly direction: 'up' | 'down';
  /** Whether it and its record are one transaction. */
  readonly transaction: boolean;
  /** As the migration declares it. */
  readonly safeForOldCode: boolean | undefined;
}

const DEFAULT_LOCK_TIMEOUT_MS = 5_000;

/**
 * Applies the migrations of the folder that the database does not have yet, oldest first, each once: any number of
 * processes may call this at the same time, and all return when everything is applied. Costs one query when there is
 * nothing to do.
 *
 * @returns the names of those that this call applied
 * @throws MigrationFailedError with the database's error as its cause; those before it stay applied
 * @throws MigrationChangedError, MigrationFileMissingError, MigrationOrderError when folder and database part
 * @throws MigrationUnfinishedError when one outside a transaction began once and did not end
 */
export async function migrate(database: Database, options: MigrateOptions): Promise<{ readonly applied: string[] }> {
  const files = await readMigrationFiles(options.folder);
  const load = loader();
  return inRun(database, options, async (run) => {
    const applied: string[] = [];
    const seen = await run.peek();
    const pending = planUp(files, seen, options);
    if (pending.length === 0 && seen.every(({ unfinished }) => unfinished === null)) return { applied };
    for (const file of pending) await load(file); // one that cannot be loaded stops all, not half
    await run.prepare();
    for (;;) {
      const name = await run.step('up', (now) => loadFirst(planUp(files, now, options), load));
      if (name === undefined) return { applied };
      applied.push(name);
    }
  });
}

/**
 * Takes back the migrations that were applied last, each in a transaction of its own, last first.
 *
 * @returns the names of those that this call took back
 * @throws IrreversibleMigrationError before anything is done, when one of them has no `down`
 */
export async function rollback(
  database: Database,
  options: RollbackOptions,
): Promise<{ readonly rolledBack: string[] }> {
  const steps = stepsOf(options);
  const files = await readMigrationFiles(options.folder);
  const load = loader();
  return inRun(database, options, async (run) => {
    const rolledBack: string[] = [];
    await assertAllReversible(run, (seen) => planDown(files, seen, steps), load);
    while (rolledBack.length < steps) {
      const name = await run.step('down', (now) => loadFirst(planDown(files, now, 1), load));
      if (name === undefined) break;
      rolledBack.push(name);
    }
    return { rolledBack };
  });
}

/**
 * Takes back the migration that was applied last, and applies it as its file now says: both in one transaction, so that
 * it is there all the time for everybody else.
 *
 * @returns its name, or undefined when none is applied
 */
export async function redo(database: Database, options: MigrationOptions): Promise<{ readonly redone?: string }> {
  const files = await readMigrationFiles(options.folder);
  const load = loader();
  return inRun(database, options, async (run) => {
    await assertAllReversible(run, (seen) => planDown(files, seen, 1), load);
    const redone = await run.step('redo', (now) => loadFirst(planDown(files, now, 1), load));
    return redone === undefined ? {} : { redone };
  });
}

/** Every migration of the folder or the database, oldest first. Takes no lock and changes nothing. */
export async function migrationStatus(
  database: Database,
  options: MigrationOptions,
): Promise<readonly MigrationStatus[]> {
  const files = await readMigrationFiles(options.folder);
  return inRun(database, options, async (run) => describeHistory(files, await run.peek()));
}

/** What {@link migrate}, {@link rollback} or {@link redo} would do now. Takes no lock and changes nothing. */
export async function plannedMigrations(
  database: Database,
  command: 'up' | 'down' | 'redo',
  options: MigrateOptions & RollbackOptions,
): Promise<readonly PlannedMigration[]> {
  const steps = command === 'redo' ? 1 : stepsOf(options);
  const files = await readMigrationFiles(options.folder);
  return inRun(database, options, async (run) => {
    const applied: readonly AppliedMigration[] = await run.peek();
    const chosen = command === 'up' ? planUp(files, applied, options) : planDown(files, applied, steps);
    const loaded = await Promise.all(chosen.map(loadMigration));
    if (command !== 'up') loaded.forEach(assertReversible);
    return loaded.flatMap((migration) => DIRECTIONS[command].map((direction) => planned(migration, direction)));
  });
}

const DIRECTIONS = { up: ['up'], down: ['down'], redo: ['down', 'up'] } as const;

function planned({ file, transaction = true, safeForOldCode }: LoadedMigration, direction: 'up' | 'down') {
  return { name: file.name, direction, transaction, safeForOldCode };
}

function inRun<T>(
  database: Database,
  { lockTimeoutMs = DEFAULT_LOCK_TIMEOUT_MS, onProgress = () => undefined }: MigrationOptions,
  body: (run: MigrationRun) => Promise<T>,
): Promise<T> {
  if (!Number.isInteger(lockTimeoutMs) || lockTimeoutMs < 0) {
    throw new InvalidOptionError('lockTimeoutMs', 'a whole number from 0 upwards', lockTimeoutMs);
  }
  return MigrationRun.on(database, { lockTimeoutMs, onProgress }, body);
}

function stepsOf({ steps = 1 }: RollbackOptions): number {
  if (!Number.isInteger(steps) || steps < 1) {
    throw new InvalidOptionError('steps', 'a whole number from 1 upwards', steps);
  }
  return steps;
}

type Load = (file: MigrationFile) => Promise<LoadedMigration>;

/** Evaluates each file once a run. */
function loader(): Load {
  const loaded = new Map<string, Promise<LoadedMigration>>();
  return (file) => {
    let migration = loaded.get(file.name);
    if (!migration) loaded.set(file.name, (migration = loadMigration(file)));
    return migration;
  };
}

async function loadFirst(files: readonly MigrationFile[], load: Load): Promise<LoadedMigration | undefined> {
  return files[0] && load(files[0]);
}

/** Before the first is taken back. One that is unfinished is the first thing to hear of, and is said later. */
async function assertAllReversible(
  run: MigrationRun,
  choose: (seen: readonly AppliedMigration[]) => readonly MigrationFile[],
  load: Load,
): Promise<void> {
  const seen = await run.peek();
  if (seen.some(({ unfinished }) => unfinished !== null)) return;
  for (const file of choose(seen)) assertReversible(await load(file));
}

function assertReversible({ file, down }: LoadedMigration): void {
  if (!down) throw new IrreversibleMigrationError(file.name);
}
