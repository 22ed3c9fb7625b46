import { MigrationChangedError, MigrationFileMissingError, MigrationOrderError } from './errors';
import { hasChanged } from './files';

/** What planning needs of a migration's file. */
export interface Candidate {
  /** Sorts in order of creation: `20261121083000_create_accounts`. */
  readonly name: string;
  readonly checksum: string;
}

/** A row of the table of records. */
export interface AppliedMigration {
  readonly name: string;
  readonly checksum: string;
  readonly appliedAt: Date;
  readonly durationMs: number;
  /** For one outside a transaction that began and did not end: where it was going. Else null. */
  readonly unfinished: 'up' | 'down' | null;
}

export interface PlanOptions {
  /** Applies pending migrations that are older than applied ones. Default false. */
  readonly allowOutOfOrder?: boolean;
  /** Accepts applied migrations without a file, as after a newer release. Default false. */
  readonly allowMissingFiles?: boolean;
}

/**
 * Decides what to apply. Pure, so that `--dry-run` and the tests need nothing but the list of what is applied.
 *
 * @returns the pending ones, oldest first
 * @throws MigrationFileMissingError, MigrationChangedError or MigrationOrderError when folder and database part
 */
export function planUp<C extends Candidate>(
  files: readonly C[],
  applied: readonly AppliedMigration[],
  { allowOutOfOrder = false, allowMissingFiles = false }: PlanOptions = {},
): readonly C[] {
  const ofName = new Map(files.map((file) => [file.name, file]));
  const missing = applied.filter(({ name }) => !ofName.has(name)).map(({ name }) => name);
  if (missing.length > 0 && !allowMissingFiles) throw new MigrationFileMissingError(missing);
  const changed = applied.filter(({ name, checksum }) => hasChanged(checksum, ofName.get(name)?.checksum ?? checksum));
  if (changed.length > 0) throw new MigrationChangedError(changed.map(({ name }) => name));
  const appliedNames = new Set(applied.map(({ name }) => name));
  const pending = files.filter(({ name }) => !appliedNames.has(name)).sort(byName);
  const newest = [...appliedNames].sort().at(-1);
  const late = newest === undefined ? [] : pending.filter(({ name }) => name < newest).map(({ name }) => name);
  if (late.length > 0 && !allowOutOfOrder) throw new MigrationOrderError(late, newest!);
  return pending;
}

/**
 * Decides what to take back: the last applied ones, whatever their files say today, since a change to the file is the
 * usual reason for taking it back.
 *
 * @param applied in the order in which they were applied
 * @returns the last `steps` of them, last first
 * @throws MigrationFileMissingError when one of these has no file, so that nobody knows how
 */
export function planDown<C extends Candidate>(
  files: readonly C[],
  applied: readonly AppliedMigration[],
  steps: number,
): readonly C[] {
  const last = applied.slice(Math.max(0, applied.length - steps)).reverse();
  const ofName = new Map(files.map((file) => [file.name, file]));
  const missing = last.filter(({ name }) => !ofName.has(name)).map(({ name }) => name);
  if (missing.length > 0) throw new MigrationFileMissingError(missing);
  return last.map(({ name }) => ofName.get(name)!);
}

export type MigrationState = 'applied' | 'pending' | 'late' | 'changed' | 'missing' | 'unfinished';

export interface MigrationStatus {
  readonly name: string;
  /**
   * `late`: pending, and older than an applied one; `missing`: applied, without a file; `unfinished`: outside a
   * transaction, and under way or failed half way.
   */
  readonly state: MigrationState;
  readonly appliedAt?: Date;
  readonly durationMs?: number;
}

/** Every migration of the folder or the database, oldest first, and what is the matter with it. Never throws. */
export function describeHistory(
  files: readonly Candidate[],
  applied: readonly AppliedMigration[],
): readonly MigrationStatus[] {
  const newest =
    applied
      .map(({ name }) => name)
      .sort()
      .at(-1) ?? '';
  const recordOf = new Map(applied.map((record) => [record.name, record]));
  const fileOf = new Map(files.map((file) => [file.name, file]));
  const names = [...new Set([...fileOf.keys(), ...recordOf.keys()])].sort();
  return names.map((name) => {
    const record = recordOf.get(name);
    if (!record) return { name, state: name < newest ? 'late' : 'pending' };
    const { appliedAt, durationMs } = record;
    return { name, state: stateOf(record, fileOf.get(name)), appliedAt, durationMs };
  });
}

function stateOf(record: AppliedMigration, file: Candidate | undefined): MigrationState {
  if (record.unfinished !== null) return 'unfinished';
  if (!file) return 'missing';
  return hasChanged(record.checksum, file.checksum) ? 'changed' : 'applied';
}

const byName = (one: Candidate, other: Candidate) => (one.name < other.name ? -1 : 1);
