import { BellwetherError } from '../core/errors';
import type { Recovery } from '../core/errors';

/** A migration's file cannot be understood: its name, its sections or what it exports. */
export class InvalidMigrationError extends BellwetherError {
  override readonly code = 'E_INVALID_MIGRATION';
  override readonly recovery = 'fix-the-code';
}

/** The folder of the migrations is not there, or is no folder. */
export class MigrationFolderError extends BellwetherError {
  override readonly code = 'E_MIGRATION_FOLDER';
  override readonly recovery = 'fix-the-setup';

  constructor(folder: string, cause: unknown) {
    super({
      what: `The migrations' folder ${folder} cannot be read.`,
      remedy: 'Name the folder with --folder (or { folder }), or make it with `bellwether migrate new <name>`.',
      details: { folder },
      cause,
    });
  }
}

/** A file is not what it was when it was applied. */
export class MigrationChangedError extends BellwetherError {
  override readonly code = 'E_MIGRATION_CHANGED';
  override readonly recovery = 'fix-the-setup';

  constructor(names: readonly string[]) {
    super({
      what: `Changed since applied here: ${names.join(', ')}. This database has what the file said before.`,
      remedy:
        'Restore the file, and put the change into a new migration; on a database of your own, apply it anew with `bellwether migrate redo`.',
      details: { names },
    });
  }
}

/** The database has a migration that the folder does not have. */
export class MigrationFileMissingError extends BellwetherError {
  override readonly code = 'E_MIGRATION_FILE_MISSING';
  override readonly recovery = 'fix-the-setup';

  constructor(names: readonly string[]) {
    super({
      what: `Applied to this database, but not in the folder: ${names.join(', ')}.`,
      remedy:
        'Bring the file back, or correct the folder; if a newer release applied it, pass --allow-missing-files ({ allowMissingFiles: true }).',
      details: { names },
    });
  }
}

/** A pending migration is older than one that is applied: this database would get them in an order of its own. */
export class MigrationOrderError extends BellwetherError {
  override readonly code = 'E_MIGRATION_ORDER';
  override readonly recovery = 'fix-the-setup';

  constructor(names: readonly string[], newestApplied: string) {
    super({
      what: `Older than ${newestApplied}, which is applied already: ${names.join(', ')}.`,
      remedy:
        'Give the file a timestamp of today, or, where the order does not matter, pass --allow-out-of-order ({ allowOutOfOrder: true }).',
      details: { names, newestApplied },
    });
  }
}

/** One that runs outside a transaction has begun and not ended, so nobody knows how much of it is there. */
export class MigrationUnfinishedError extends BellwetherError {
  override readonly code = 'E_MIGRATION_UNFINISHED';
  override readonly recovery = 'fix-the-setup';

  constructor(name: string, direction: 'up' | 'down', table: string) {
    super({
      what: `${name} began to go ${direction} outside a transaction and did not reach its end; part of it may be there.`,
      remedy: remedyForUnfinished(name, table),
      details: { name, direction },
    });
  }
}

/** It has no `down`. */
export class IrreversibleMigrationError extends BellwetherError {
  override readonly code = 'E_IRREVERSIBLE_MIGRATION';
  override readonly recovery = 'fix-the-code';

  constructor(name: string) {
    super({
      what: `${name} says nothing of how to take it back.`,
      remedy: 'Write its down, or undo the change with a new migration.',
      details: { name },
    });
  }
}

export interface FailureFacts {
  readonly name: string;
  readonly direction: 'up' | 'down';
  /** What the same command had finished before. */
  readonly finished: readonly string[];
  /** For one outside a transaction: the table with the record that now says so. */
  readonly unfinishedIn?: string;
}

/** The migration's own statements failed, or its code did. Inside a transaction nothing of it is left. */
export class MigrationFailedError extends BellwetherError {
  override readonly code = 'E_MIGRATION_FAILED';
  override readonly recovery: Recovery;

  constructor({ unfinishedIn, ...facts }: FailureFacts, cause: unknown) {
    const isLost = cause instanceof BellwetherError && ['try-later', 'ask-the-database'].includes(cause.recovery);
    const left = unfinishedIn === undefined ? 'nothing of it is left' : 'part of it may be there';
    super({
      what: `${facts.name} failed to go ${facts.direction}; ${left}: ${firstLine(cause)}`,
      remedy:
        unfinishedIn !== undefined
          ? remedyForUnfinished(facts.name, unfinishedIn)
          : isLost
            ? 'Run the command again; what is recorded as applied is never run twice.'
            : 'Correct it and run the command again; the cause holds the words of the server.',
      details: { ...facts, leftUnfinished: unfinishedIn !== undefined },
      cause,
    });
    this.recovery = unfinishedIn === undefined && isLost ? 'try-later' : 'fix-the-code';
  }
}

/** It waited for a table in use for as long as it may: behind a waiting migration, the application waits too. */
export class MigrationLockTimeoutError extends BellwetherError {
  override readonly code = 'E_MIGRATION_LOCK_TIMEOUT';
  override readonly recovery = 'try-later';

  constructor({ name, direction, finished }: FailureFacts, lockTimeoutMs: number, cause: unknown) {
    super({
      what: `${name} waited ${lockTimeoutMs} ms for a lock that others hold; nothing of it is left.`,
      remedy:
        'Run the command again when no long transaction uses its tables, or wait longer with --lock-timeout ({ lockTimeoutMs }).',
      details: { name, direction, finished, lockTimeoutMs },
      cause,
    });
  }
}

function remedyForUnfinished(name: string, table: string): string {
  return [
    'Wait if another migrator may still be at it; else look at the database and',
    `(a) remove what is there of it (an invalid index too), then: delete from ${table} where name = '${name}';`,
    `(b) or complete it by hand, then: update ${table} set unfinished = null where name = '${name}';`,
  ].join(' ');
}

function firstLine(cause: unknown): string {
  const message = cause instanceof Error || hasMessage(cause) ? cause.message : String(cause);
  return message.split('\n')[0]!;
}

// An error from another realm, such as a test runner's, is no instance of this one's Error.
function hasMessage(value: unknown): value is { message: string } {
  return typeof (value as { message?: unknown } | null | undefined)?.message === 'string';
}
