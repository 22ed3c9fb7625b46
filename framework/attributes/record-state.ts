import { isDeepStrictEqual } from 'node:util';

export type Values = Readonly<Record<string, unknown>>;

/**
 * Which version of its row a record was read from: PostgreSQL's own identity of it. Every update writes a new
 * version with another pair, even twice in one transaction, where `xmin` alone stays the same.
 *
 * @see PostgreSQL manual, section 5.6, "System Columns"
 */
export interface RowVersion {
  readonly xmin: string;
  readonly ctid: string;
  /** When it was read, on the clock of {@link tick}. */
  readonly readAt: number;
}

let now = 0;

/**
 * The present, on a clock that moves only when it is read: what is read from now on is at or after it. So a
 * transaction can tell what was read since it began, and reading a row costs no more than copying a number.
 */
export function tick(): number {
  return ++now;
}

export type Persistence = 'new' | 'stored' | 'destroyed';

export interface Change<T = unknown> {
  readonly before: T;
  readonly after: T;
}

const NOTHING: Values = Object.freeze(Object.create(null) as Record<string, unknown>);

/**
 * Everything that a record knows of its row: what the database is known to hold (`stored`), what was assigned
 * since, and which version of the row that was.
 *
 * Immutable, so that a snapshot for rollback is a reference and not a copy.
 * Invariant: no name in `assigned` has the same value as in `stored`; assigning the stored value back makes
 * the attribute clean again.
 */
export class RecordState {
  constructor(
    readonly stored: Values,
    readonly assigned: Values,
    readonly persistence: Persistence,
    readonly version: RowVersion | undefined,
  ) {}

  static fresh(initial: Values = NOTHING): RecordState {
    return new RecordState(NOTHING, initial, 'new', undefined);
  }

  get(name: string): unknown {
    return name in this.assigned ? this.assigned[name] : this.stored[name];
  }

  with(name: string, value: unknown): RecordState {
    if (name in this.stored && isSame(this.stored[name], value)) {
      if (!(name in this.assigned)) return this;
      const { [name]: _, ...others } = this.assigned;
      return new RecordState(this.stored, others, this.persistence, this.version);
    }
    return new RecordState(this.stored, { ...this.assigned, [name]: value }, this.persistence, this.version);
  }

  get isChanged(): boolean {
    for (const _ in this.assigned) return true;
    return false;
  }

  /** Name to value before and after, of what was assigned since the record was read or saved. */
  get changes(): Readonly<Record<string, Change>> {
    return Object.fromEntries(
      Object.entries(this.assigned).map(([name, after]) => [name, { before: this.stored[name] ?? null, after }]),
    );
  }

  /** After a write. `returned` is the whole row; assigned names that no column holds are kept in `extra`. */
  saved(returned: RecordState, extra: Values = NOTHING): RecordState {
    return new RecordState({ ...returned.stored, ...extra }, NOTHING, 'stored', returned.version);
  }

  /** Of a row that is the same as before at another place. */
  movedTo(version: RowVersion): RecordState {
    return new RecordState(this.stored, this.assigned, this.persistence, version);
  }

  destroyed(): RecordState {
    return new RecordState(this.stored, this.assigned, 'destroyed', this.version);
  }
}

/** Compares objects by what they hold; the rest at once, since that is most of what is assigned. */
export function isSame(left: unknown, right: unknown): boolean {
  return typeof left === 'object' && left !== null ? isDeepStrictEqual(left, right) : Object.is(left, right);
}

/** Where a record keeps its state. A symbol, so that no attribute can have the same name. */
export const STATE = Symbol('state');

export interface Stateful {
  [STATE]: RecordState;
}

/** For hydrators: the state of a row just read. */
export function stateOfRow(stored: Values, xmin: string, ctid: string): RecordState {
  return new RecordState(stored, NOTHING, 'stored', { xmin, ctid, readAt: now });
}
