import { quotedName } from '../database/quoted-name';
import type { Statement } from '../database/statement';
import { statementName } from '../database/statement-name';
import type { IsolationLevel } from '../theory/isolation';
import { takeGuards } from './guards';

/** A row by its primary key, as the driver sends it. */
export interface KeyedRow {
  readonly table: string;
  readonly keyColumn: string;
  readonly key: unknown;
}

/** What a transaction needs before anything else, and found out only when it was under way. */
export interface Precaution {
  /** Tables that nobody else may write to. */
  readonly tables?: readonly string[];
  /** See {@link guardOf}. */
  readonly guards?: readonly number[];
  /** Whether the table of guards has to be made, between two attempts. */
  readonly needGuards?: boolean;
  /** Rows that nobody else may change. Two transactions that lock the same ones hold a guard for them first. */
  readonly rows?: readonly KeyedRow[];
}

/**
 * The precautions that the attempts of one transaction have asked for, all of them. They travel with BEGIN, each kind
 * in one fixed order, so that those who take precautions only ever wait for one another in a line.
 *
 * LOCK TABLE takes no snapshot: what is read behind it is current, at every level. The other two do; under repeatable
 * read and serializable they come after it, and are refused (40001) when somebody has changed the row while they waited.
 */
export class Precautions {
  readonly #tables = new Set<string>();
  readonly #guards = new Set<number>();
  readonly #rows = new Map<string, KeyedRow>();
  #needGuards = false;

  get isEmpty(): boolean {
    return this.#tables.size === 0 && this.#guards.size === 0 && this.#rows.size === 0;
  }

  get guards(): ReadonlySet<number> {
    return this.#guards;
  }

  /** Whether the table of guards was found missing, and not yet made: asked once. */
  takeNeedOfGuards(): boolean {
    const isNeeded = this.#needGuards;
    this.#needGuards = false;
    return isNeeded;
  }

  addAll(others: Precautions): void {
    this.add({ tables: [...others.#tables], guards: [...others.#guards], rows: [...others.#rows.values()] });
  }

  add({ tables = [], guards = [], rows = [], needGuards = false }: Precaution): void {
    this.#needGuards ||= needGuards;
    for (const table of tables) this.#tables.add(table);
    for (const guard of guards) this.#guards.add(guard);
    for (const row of rows) this.#rows.set(rowName(row), row);
  }

  /** Whether the attempt locked the whole table before its snapshot. */
  hasTable(table: string): boolean {
    return this.#tables.has(table);
  }

  /** What takes them, to be sent right behind BEGIN. */
  statements(isolation: IsolationLevel): Statement[] {
    const isCurrent = isolation === 'read committed';
    const tables = this.#tables.size > 0 ? [lockTables(this.#tables)] : [];
    // Whoever holds a guard goes on to write: nobody may keep them from a table while waiting for the guard.
    const nowait = !isCurrent && tables.length > 0;
    const guards = this.#guards.size > 0 ? [takeGuards(this.#guards, { nowait })] : [];
    const rows = [...this.#rows].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, row]) => lockRow(row));
    return [...(isCurrent ? [guards, tables] : [tables, guards]), rows].flat();
  }
}

/**
 * Keeps all others from writing to tables: every write takes a lock of its own that this one waits for, and keeps out.
 * It conflicts with itself too, so that of those who hold it none can wait for another's write.
 */
export function lockTables(tables: Iterable<string>, { nowait = false } = {}): Statement {
  const names = [...tables].sort().map(quotedName).join(', ');
  const text = `lock table ${names} in share row exclusive mode${nowait ? ' nowait' : ''}`;
  return { text, writes: false, locks: true, takesSnapshot: false };
}

/** Locks a row as a write to it that leaves its key alone would; no row comes back when it is not there. */
export function lockRow({ table, keyColumn, key }: KeyedRow, columns: readonly string[] = []): Statement {
  const selected = columns.length === 0 ? '1' : columns.map(quotedName).join(', ');
  const text = `select ${selected} from ${quotedName(table)} where ${quotedName(keyColumn)} = $1 for no key update`;
  return { text, name: statementName(text), values: [key], valuesAs: 'text', writes: false, about: { table, key } };
}

function rowName({ table, keyColumn, key }: KeyedRow): string {
  return `${table}\0${keyColumn}\0${String(key)}`;
}
