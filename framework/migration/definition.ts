import type { Kysely } from 'kysely';
import { InvalidMigrationError } from './errors';

/** A migration sees tables as they were at its time, not as today's models describe them: any name, unknown values. */
export type MigrationTables = Record<string, Record<string, unknown>>;

/** Kysely over the migration's transaction: `db.schema`, `db.insertInto(…)`, and `` sql`…`.execute(db) ``. */
export type MigrationDatabase = Kysely<MigrationTables>;

export interface MigrationDefinition {
  /** Makes the change. May run again from the start after a deadlock, so it touches nothing but the database. */
  readonly up: (db: MigrationDatabase) => Promise<unknown>;
  /** Takes the change back. Without it, the migration cannot be rolled back. */
  readonly down?: (db: MigrationDatabase) => Promise<unknown>;
  /**
   * Default true: the change and its record are one transaction, all or nothing. Say false for what PostgreSQL
   * refuses in a transaction, as `create index concurrently`; each statement then stands alone, and one that fails
   * leaves those before it in place.
   */
  readonly transaction?: boolean;
  /** Whether processes of the previous release keep working once this is applied. Shown by every command. */
  readonly safeForOldCode?: boolean;
}

const KNOWN: readonly string[] = [
  'up',
  'down',
  'transaction',
  'safeForOldCode',
] satisfies (keyof MigrationDefinition)[];

/**
 * Declares a migration; the default export of its file.
 *
 * @throws InvalidMigrationError for an option that does not exist, which without types would go unnoticed
 */
export function migration(definition: MigrationDefinition): MigrationDefinition {
  checkDefinition(definition, 'A migration');
  return Object.freeze({ ...definition });
}

/** By shape, since a file may have got its `migration` from another copy of the package. */
export function checkDefinition(value: unknown, whose: string): asserts value is MigrationDefinition {
  const refuse = (found: string) => {
    throw new InvalidMigrationError({
      what: `${whose} ${found}.`,
      remedy: 'Write: export default migration({ up: async (db) => { … }, down: async (db) => { … } }).',
    });
  };
  if (typeof value !== 'object' || value === null) return refuse('is not made by migration({ up, down })');
  const given = value as Record<string, unknown>;
  if (typeof given.up !== 'function') refuse('has no function up');
  for (const key of Object.keys(given)) if (!KNOWN.includes(key)) refuse(`has an unknown option "${key}"`);
  if (given.down !== undefined && typeof given.down !== 'function') refuse('has a down that is no function');
  for (const key of ['transaction', 'safeForOldCode']) {
    if (given[key] !== undefined && typeof given[key] !== 'boolean')
      refuse(`has a ${key} that is neither true nor false`);
  }
}
