import type { Statement } from '../database/statement';
import { isPostgresError } from '../database/sqlstate';
import { lockTimeout } from './lock-timeout';
import { lockTables } from './lock-tables';

/**
 * How long a table is tried for, and writers of it are kept waiting meanwhile, in milliseconds; and how long any other
 * lock is waited for with the table in hand, since whoever holds that may be waiting for the table. Less than
 * `deadlock_timeout`, so that what would be a deadlock is none.
 */
const PATIENCE_MS = 200;

/** A table that is locked if that takes no more than a moment, so that nobody else writes to it during one attempt. */
export class TriedTable {
  readonly #table: string;
  /** What the attempt before failed for; it is what this one fails for, if a lock is not to be had in time. */
  readonly because: Error;

  constructor(table: string, because: Error) {
    this.#table = table;
    this.because = because;
  }

  /** How long its attempt waits for a lock, in milliseconds. */
  patienceWithin(lockTimeoutMs = 0): number {
    return Math.min(PATIENCE_MS, lockTimeoutMs || PATIENCE_MS);
  }

  /** To be sent before anything takes a snapshot. */
  statements(lockTimeoutMs: number | undefined): readonly Statement[] {
    return [lockTimeout(this.patienceWithin(lockTimeoutMs)), lockTables([this.#table])];
  }
}

/** Whether a lock was waited for until `lock_timeout`, and not refused at once. */
export function hasLockTimedOut(error: unknown): boolean {
  return isPostgresError(error) && error.code === '55P03' && error.file === 'postgres.c';
}
