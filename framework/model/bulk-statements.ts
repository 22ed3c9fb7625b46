import { sql } from 'kysely';
import type { AliasedRawBuilder, RawBuilder } from 'kysely';
import type { Association } from '../associations/association';
import type { Statement } from '../database/statement';
import type { Binder } from '../query/compiler';
import { offline, statementFor } from '../query/compiler';
import type { Column, ModelSchema } from '../schema/model-schema';
import { tableName } from '../validation/constraints';
import type { UniqueFact } from '../validation/facts';
import type { Batch } from './bulk-rows';
import { attributesOf, isFolded } from './unique-rule';

/** What becomes of rows that are there already, by a rule that makes them unique. */
export interface OnTaken {
  readonly rule: UniqueFact;
  /** The attributes that such a row gets; undefined to leave it as it is. */
  readonly update: readonly string[] | undefined;
}

/** What is given back of each row: named, since a statement is known by these names. */
export interface Returned {
  readonly name: string;
  readonly list: readonly (RawBuilder<unknown> | AliasedRawBuilder<unknown, string>)[];
}

/**
 * INSERT of a batch. The rows travel as one JSON value, typed by the table itself, so the text is the same for any
 * number of them. All parents are locked `for key share` in the same statement, in the order of their keys; nothing is
 * inserted when one of them is not there.
 *
 * Rows come back in the order in which they were given (src/backend/executor/nodeModifyTable.c works row by row), those
 * that were left as they are not at all.
 */
export function insertBatch(
  schema: ModelSchema,
  { json, properties, parents }: Batch,
  onTaken: OnTaken | undefined,
  returned: Returned,
): Statement {
  const types = parents.flatMap(({ typeKey }) => (typeKey ? [typeKey.value] : []));
  const referred = parents.map(({ property, typeKey }) => `${property} ${typeKey?.value ?? ''}`).join();
  const shape = `bulk ${schema.id}|${properties.join()}|${referred}|${shapeOf(onTaken)}|${returned.name}`;
  const build = (binder: Binder) => {
    const names = sql.join(properties.map((property) => sql.ref(schema.column(property)!.name)));
    const given = givenRows(schema, binder.bind(undefined));
    const locked = parents.map((parent, index) => lockedParents(parent, index));
    const missing = parents.map((parent, index) => isMissing(parent, index, binder));
    const unless = missing.length === 0 ? sql`` : sql`where not exists (select from given where ${or(missing)})`;
    return compilable(sql`with ${sql.join([sql`given as materialized (${given})`, ...locked])}
      insert into ${sql.table(schema.table)} (${names}) select ${names} from given ${unless} order by bw_row
      ${conflictClause(schema, onTaken)} returning ${sql.join([...returned.list])}`);
  };
  return statementFor(shape, [json, ...types], true, build);
}

/** The rows that an upsert will change, locked in the order of its rule: these columns of them. */
export function lookAtTaken(
  schema: ModelSchema,
  { json }: Batch,
  rule: UniqueFact,
  columns: readonly Column[],
): Statement {
  const shape = `taken ${schema.id}|${columns.map(({ property }) => property).join()}|${attributesOf(rule).join()}`;
  const build = (binder: Binder) => {
    const own = keysOf(schema, rule, tableName(schema));
    const same = keysOf(schema, rule, 'given').map((value, index) => {
      return rule.nulls === 'distinct'
        ? sql`${value} = ${own[index]}`
        : sql`${value} is not distinct from ${own[index]}`;
    });
    return compilable(sql`with given as materialized (${givenRows(schema, binder.bind(undefined))})
      select ${sql.join(columns.map(({ name }) => sql.ref(name)))} from ${sql.table(schema.table)}
      where ${sql.raw(rule.where === undefined ? 'true' : `(${rule.where})`)}
        and exists (select from given where ${and(same)}) order by ${sql.join(own)} for no key update`);
  };
  const statement = statementFor(shape, [json], false, build);
  return { ...statement, locks: true };
}

/** The rows of a batch as rows of the table, numbered. */
export function givenRows(schema: ModelSchema, json: unknown): RawBuilder<unknown> {
  const table = sql.table(schema.table);
  return sql`select row_number() over () - 1 as bw_row, item.* from json_populate_recordset(null::${table}, ${json}::json) as item`;
}

/** Of a polymorphic parent, for those of the rows that refer to its model. */
export function refersTo({ foreignKey, typeKey }: Association, value: RawBuilder<unknown>): RawBuilder<unknown> {
  const isThere = sql`${sql.ref(foreignKey.name)} is not null`;
  return typeKey ? sql`${isThere} and ${sql.ref(typeKey.column.name)} = ${value}` : isThere;
}

function lockedParents({ target, foreignKey }: Association, index: number): RawBuilder<unknown> {
  const key = sql.ref(target.primaryKey.name);
  const wanted = sql`select given.${sql.ref(foreignKey.name)} from given`;
  return sql`${sql.ref(`parent_${index}`)} as materialized (
    select ${key} as key from ${sql.table(target.table)} where ${key} in (${wanted}) order by ${key} for key share)`;
}

function isMissing(parent: Association, index: number, binder: Binder): RawBuilder<unknown> {
  const isIts = parent.typeKey ? refersTo(parent, sql`${binder.bind(undefined)}`) : refersTo(parent, sql``);
  return sql`(${isIts} and ${sql.ref(parent.foreignKey.name)} not in (select key from ${sql.ref(`parent_${index}`)}))`;
}

function conflictClause(schema: ModelSchema, onTaken: OnTaken | undefined): RawBuilder<unknown> {
  if (!onTaken) return sql``;
  const { rule, update } = onTaken;
  const where = sql.raw(rule.where === undefined ? '' : ` where ${rule.where}`);
  const arbiter = sql`on conflict (${sql.join(keysOf(schema, rule))})${where}`;
  if (!update) return sql`${arbiter} do nothing`;
  const sets = update.map((property) => {
    const name = sql.ref(schema.column(property)!.name);
    return sql`${name} = excluded.${name}`;
  });
  const { versionColumn } = schema;
  if (versionColumn) {
    sets.push(sql`${sql.ref(versionColumn.name)} = ${sql.ref(`${tableName(schema)}.${versionColumn.name}`)} + 1`);
  }
  return sql`${arbiter} do update set ${sql.join(sets)}`;
}

/** What the rule compares, as its index has it. */
export function keysOf(schema: ModelSchema, rule: UniqueFact, table?: string): RawBuilder<unknown>[] {
  return attributesOf(rule).map((property, position) => {
    const { name } = schema.column(property)!;
    const column = sql.ref(table === undefined ? name : `${table}.${name}`);
    return position === 0 && isFolded(schema, rule) ? sql`lower(${column}::text)` : column;
  });
}

function shapeOf(onTaken: OnTaken | undefined): string {
  if (!onTaken) return '';
  const { rule, update } = onTaken;
  return `${attributesOf(rule).join()} ${rule.where ?? ''} ${update ? `update ${update.join()}` : 'nothing'}`;
}

export function and(parts: readonly RawBuilder<unknown>[]): RawBuilder<unknown> {
  return sql.join([...parts], sql` and `);
}

function or(parts: readonly RawBuilder<unknown>[]): RawBuilder<unknown> {
  return sql.join([...parts], sql` or `);
}

function compilable(statement: RawBuilder<unknown>) {
  return { compile: () => statement.compile(offline) };
}
