import type { AssociationName, AttributeName, OwningName } from '../attributes/types';
import { modelRegistry } from '../schema/registry';
import type { InvariantFact } from './facts';

type ClassOf<T extends object> = abstract new (...args: never[]) => T;
type OneOrMore<N> = N | readonly N[];

interface Touched<T extends object> {
  /**
   * Associations whose records count as part of the group, so that writing one of them has the rule checked: `entries`
   * for a rule over an account's `id`. `over` must be the attribute that joins them to this model.
   */
  readonly touchedBy?: OneOrMore<AssociationName<T>>;
}

/** The rule in SQL. It is broken where it is false; like a CHECK, not where it is null. */
interface InSql {
  /** What every group must satisfy: an expression over aggregates, such as `sum(balance) >= 0`. */
  readonly having: string;
  /** Only rows of which this is true count. */
  readonly where?: string;
  /**
   * Whether a group that has lost its last row is asked too; its `count(*)` is 0, its `sum(…)` null. Default false: no
   * rows, no group. The whole table is always asked, as in SQL.
   */
  readonly evenEmpty?: boolean;
  readonly brokenBy?: never;
  readonly holds?: never;
}

/** The rule in TypeScript. It is run inside the transaction, with the guards of these groups held; it only reads. */
interface InCode<G> {
  /** Gives those of the groups that break the rule. */
  readonly brokenBy: (groups: readonly G[]) => Promise<readonly G[]>;
  readonly having?: never;
  readonly holds?: never;
}

type ValueOf<T extends object, K extends keyof T> = NonNullable<T[K]>;

type OverOne<T extends object> = {
  [K in AttributeName<T>]: { readonly over: K } & Touched<T> & (InSql | InCode<ValueOf<T, K>>);
}[AttributeName<T>];

type OverMany<T extends object> = { readonly over: readonly AttributeName<T>[] } & (
  InSql | InCode<{ readonly [K in AttributeName<T>]: ValueOf<T, K> }>
);

type OverAll = { readonly over?: never } & (
  InSql | { readonly holds: () => Promise<boolean>; readonly having?: never; readonly brokenBy?: never }
);

/**
 * Which rows a rule is over, and the rule. Rows that agree in the attributes of `over` are a group, as in SQL's `group
 * by`; without it the whole table is one. A row with a null in them is in no group.
 */
export type InvariantOptions<T extends object> = OverOne<T> | OverMany<T> | OverAll;

/**
 * A rule over several rows: never false after a commit, at any isolation level and any mix of them.
 *
 * It is checked before the commit of every transaction that wrote a row of the group, by a record or by `updateAll`,
 * `deleteAll` and their like: once for all groups, in one statement. Those who write to one group commit one after the
 * other. What raw SQL writes cannot be seen: say so with `checkInvariants`.
 *
 * @param name says what is kept, and names the rule in errors: `joint cover`
 */
export function Invariant<T extends object>(name: string, options: OverOne<T>): (model: ClassOf<T>) => void;
export function Invariant<T extends object>(name: string, options: OverMany<T>): (model: ClassOf<T>) => void;
export function Invariant<T extends object>(name: string, options: OverAll): (model: ClassOf<T>) => void;
export function Invariant<T extends object>(name: string, options: InvariantOptions<T>) {
  return (model: ClassOf<T>): void => modelRegistry.declare(model, { kind: 'invariant', ...factOf(name, options) });
}

function factOf<T extends object>(name: string, options: InvariantOptions<T>): InvariantFact {
  const { over, having, where, evenEmpty, brokenBy, holds, touchedBy } = options as Partial<
    InSql & InCode<unknown> & { over: OneOrMore<string>; holds: () => Promise<boolean>; touchedBy: OneOrMore<string> }
  >;
  const whole = holds as (() => Promise<boolean>) | undefined;
  return {
    name,
    over: over === undefined ? [] : listOf(over),
    isListed: typeof over === 'object',
    where,
    having,
    evenEmpty: evenEmpty ?? false,
    brokenBy: whole ? async () => ((await whole()) ? [] : [undefined]) : brokenBy,
    touchedBy: touchedBy === undefined ? [] : listOf(touchedBy),
  };
}

function listOf<N>(one: OneOrMore<N>): readonly N[] {
  return Array.isArray(one) ? (one as readonly N[]) : [one as N];
}

/**
 * Operations on one aggregate run one at a time: to create, save or destroy a record of this model, or the root itself,
 * locks the root first, before validations and callbacks, and until the transaction ends. What they read of the
 * aggregate stays true, at every isolation level. Several roots never deadlock.
 *
 * @param association the belongsTo at whose other end the root is
 */
export function LockedBy<T extends object>(association: OwningName<T>) {
  return (model: ClassOf<T>): void => modelRegistry.declare(model, { kind: 'lockedBy', association: association });
}
