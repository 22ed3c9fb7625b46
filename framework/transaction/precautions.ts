import type { Statement } from '../database/statement';
import type { IsolationLevel } from '../theory/isolation';
import { takeGuards } from './guards';
import { joinWriters, lockTables } from './lock-tables';
import type { TriedTable } from './tried-table';

/** What a transaction needs before anything else, and found out only when it was under way. */
export interface Precaution {
  /** Tables that nobody else may write to. */
  readonly tables?: readonly string[];
  /** Tables that it is going to write to. */
  readonly written?: readonly string[];
  /** See {@link guardOf}. */
  readonly guards?: readonly number[];
  /** Whether the table of guards has to be made, between two attempts. */
  readonly needGuards?: boolean;
  /** Whether rules are to hold what they read by locks, whatever the level. */
  readonly holdsReads?: boolean;
}

/**
 * The precautions that the attempts of one transaction have asked for, all of them. They travel with BEGIN, each kind
 * in one fixed order, so that those who take precautions only ever wait for one another in a line.
 *
 * LOCK TABLE takes no snapshot: what is read behind it is current, at every level. Taking guards does take one; under
 * repeatable read and serializable it comes last, and is refused (40001) when somebody has taken one while it waited.
 */
export class Precautions {
  readonly #tables = new Set<string>();
  readonly #written = new Set<string>();
  readonly #guards = new Set<number>();
  #needGuards = false;
  #holdsReads = false;
  #tried: TriedTable | 'never' | undefined;

  get isEmpty(): boolean {
    return (
      this.#tables.size === 0 && this.#written.size === 0 && this.#guards.size === 0 && typeof this.#tried !== 'object'
    );
  }

  get guards(): ReadonlySet<number> {
    return this.#guards;
  }

  get holdsReads(): boolean {
    return this.#holdsReads;
  }

  /** Whether the table of guards was found missing, and not yet made: asked once. */
  takeNeedOfGuards(): boolean {
    const isNeeded = this.#needGuards;
    this.#needGuards = false;
    return isNeeded;
  }

  addAll(others: Precautions): void {
    this.add({ tables: [...others.#tables], written: [...others.#written], guards: [...others.#guards] });
  }

  add({ tables = [], written = [], guards = [], needGuards = false, holdsReads = false }: Precaution): void {
    this.#needGuards ||= needGuards;
    this.#holdsReads ||= holdsReads;
    for (const table of tables) this.#tables.add(table);
    for (const table of written) this.#written.add(table);
    for (const guard of guards) this.#guards.add(guard);
  }

  /** Has the next attempt, and that one alone, try for a table. */
  try(tried: TriedTable): void {
    if (this.#tried !== 'never') this.#tried = tried;
  }

  /** Says that trying is vain: the table cannot be locked. */
  tryNoMore(): void {
    this.#tried = 'never';
  }

  takeTried(): TriedTable | undefined {
    if (typeof this.#tried !== 'object') return undefined;
    const tried = this.#tried;
    this.#tried = undefined;
    return tried;
  }

  /** Whether the attempt locked the whole table before its snapshot. */
  hasTable(table: string): boolean {
    return this.#tables.has(table);
  }

  /** Whether the attempt took, first of all, the lock that a write to the table takes, or a stronger one. */
  hasWritten(table: string): boolean {
    return this.#written.has(table) || this.#tables.has(table);
  }

  /**
   * What takes them, to be sent right behind BEGIN.
   *
   * @param hasTable whether a table is locked by then
   */
  statements(isolation: IsolationLevel, hasTable: boolean): Statement[] {
    const isCurrent = isolation === 'read committed';
    const tables = this.#tableLocks();
    // Whoever holds a guard goes on to write: nobody may keep them from a table while waiting for the guard.
    const nowait = hasTable || (!isCurrent && tables.length > 0);
    const guards = this.#guards.size > 0 ? [takeGuards(this.#guards, { nowait })] : [];
    return (isCurrent ? [guards, tables] : [tables, guards]).flat();
  }

  /** In the order of their names, however they are locked. */
  #tableLocks(): Statement[] {
    if (this.#written.size === 0) return this.#tables.size > 0 ? [lockTables(this.#tables)] : [];
    const names = [...new Set([...this.#tables, ...this.#written])].sort();
    return names.map((name) => (this.#tables.has(name) ? lockTables([name]) : joinWriters([name])));
  }
}
