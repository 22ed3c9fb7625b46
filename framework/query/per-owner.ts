import type { RawBuilder } from 'kysely';
import { sql } from 'kysely';
import type { Column, ModelSchema } from '../schema/model-schema';
import type { Binder } from './compiler';

/**
 * That a query's limit counts for each of several owners by itself. How many rows another owner has costs nothing: each
 * is looked for by itself, in one statement (LATERAL).
 */
export interface PerOwner {
  readonly owner: ModelSchema;
  /** The owner's column that its rows are known by. */
  readonly ownerColumn: Column;
  /** The values of that in the owners, as the driver sends them. */
  readonly keys: readonly unknown[];
  /** The column of the query's table that equals it, or another table's that it is in. */
  readonly column: string;
  readonly through?: Through;
}

/** The table in between: its column that equals the owner's, and its column that the query's one equals. */
export interface Through {
  readonly table: string;
  readonly ownerColumn: string;
  readonly column: string;
  /** The column that says of which model the rows are, and what it says; where several may be meant. */
  readonly type?: { readonly column: string; readonly value: string };
}

/** A record with the value that its owner is known by. */
export interface Owned<R> {
  readonly key: unknown;
  readonly record: R;
}

export function perOwnerShape({ owner, ownerColumn, column, through }: PerOwner): string {
  const between = through ? [through.table, through.ownerColumn, through.column, through.type?.column ?? ''] : [];
  return [owner.table, ownerColumn.name, column, ...between].join(' ');
}

/** The values that {@link isTheirs} and {@link eachOwner} bind, in that order. */
export function perOwnerValues({ keys, through }: PerOwner): unknown[] {
  return [...(through?.type ? [through.type.value] : []), keys];
}

/** That a row of `table` is of the owner at hand. */
export function isTheirs(
  table: string,
  { ownerColumn, column, through }: PerOwner,
  binder: Binder,
): RawBuilder<boolean> {
  const own = sql.ref(`${table}.${column}`);
  const owner = sql.ref(`bw_owner.${ownerColumn.name}`);
  if (!through) return sql<boolean>`${own} = ${owner}`;
  const { type } = through;
  const isOfType = type ? sql` and ${sql.ref(`bw_between.${type.column}`)} = ${binder.bind(type.value)}` : sql``;
  return sql<boolean>`${own} in (select ${sql.ref(`bw_between.${through.column}`)} from ${sql.table(through.table)} as bw_between
    where ${sql.ref(`bw_between.${through.ownerColumn}`)} = ${owner}${isOfType})`;
}

/** The rows of each owner, with what it is known by behind them. */
export function eachOwner(rows: RawBuilder<unknown>, { owner, ownerColumn, keys }: PerOwner, binder: Binder) {
  const known = sql.ref(`bw_owner.${ownerColumn.name}`);
  return sql`select bw_row.*, ${known} as bw_key from ${sql.table(owner.table)} as bw_owner
    cross join lateral (${rows}) as bw_row where ${known} = any(${binder.bind(keys)})`;
}
