import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import type { RecordState } from '../attributes/record-state';
import type { Association } from '../associations/association';
import type { RowNames, Statement } from '../database/statement';
import type { Binder } from '../query/compiler';
import { offline, statementFor } from '../query/compiler';
import { selectList } from '../query/reading';
import type { ModelSchema } from '../schema/model-schema';

/** The properties, of those assigned, that columns hold. */
export function writtenProperties(schema: ModelSchema, state: RecordState): string[] {
  return Object.keys(state.assigned).filter((property) => schema.column(property));
}

/**
 * INSERT, giving back the whole row. The parents are locked `for key share` in the same statement: none is
 * inserted, and no row comes back, when one of them is not there.
 */
export function insertStatement(schema: ModelSchema, state: RecordState, parents: readonly Association[]): Statement {
  // A key that is there but undefined is left to the database, like one that is not there.
  const properties = writtenProperties(schema, state).filter((property) => state.assigned[property] !== undefined);
  const values = [...encodedValues(schema, state, properties), ...parentKeys(state, parents)];
  const shape = `insert ${schema.id}|${properties.join(',')}|${parentShape(parents)}`;
  const build = (binder: Binder) => {
    const table = sql.table(schema.table);
    const returning = returned(schema);
    if (properties.length === 0 && parents.length === 0) {
      return compilable(sql`insert into ${table} default values ${returning}`);
    }
    const bound = properties.map(() => sql`${binder.bind(undefined)}`);
    const names = sql.join(properties.map((property) => sql.ref(schema.column(property)!.name)));
    const source =
      parents.length === 0
        ? sql`values (${sql.join(bound)})`
        : sql`select ${sql.join(bound)} from ${lockedParents(parents, binder)}`;
    return compilable(sql`insert into ${table} (${names}) ${source} ${returning}`);
  };
  return { ...statementFor(shape, values, true, build), xminAt: schema.columns.length };
}

/** UPDATE of the version that was read, giving back the whole row; no row comes back when it is another by now. */
export function updateStatement(
  schema: ModelSchema,
  state: RecordState,
  properties: readonly string[],
  parents: readonly Association[],
): Statement {
  const values = [
    ...encodedValues(schema, state, properties),
    ...parentKeys(state, parents),
    ...versionedKey(schema, state),
  ];
  const shape = `update ${schema.id}|${properties.join(',')}|${parentShape(parents)}`;
  const build = (binder: Binder) => {
    const sets = properties.map((property) => {
      return sql`${sql.ref(schema.column(property)!.name)} = ${binder.bind(undefined)}`;
    });
    if (schema.versionColumn) {
      const version = sql.ref(schema.versionColumn.name);
      sets.push(sql`${version} = ${version} + 1`);
    }
    const from = parents.length === 0 ? sql`` : sql`from ${lockedParents(parents, binder)}`;
    return compilable(
      sql`update ${sql.table(schema.table)} set ${sql.join(sets)} ${from} where ${versionMatches(schema, binder)} ${returned(schema)}`,
    );
  };
  return { ...statementFor(shape, values, true, build, rowOf(schema, state)), xminAt: schema.columns.length };
}

/** DELETE of the version that was read. */
export function deleteVersionStatement(schema: ModelSchema, state: RecordState): Statement {
  const build = (binder: Binder) =>
    compilable(sql`delete from ${sql.table(schema.table)} where ${versionMatches(schema, binder)}`);
  return statementFor(`delete version ${schema.id}`, versionedKey(schema, state), true, build, rowOf(schema, state));
}

/** DELETE by key, of a row that is locked already. */
export function deleteStatement(schema: ModelSchema, state: RecordState): Statement {
  const build = (binder: Binder) =>
    compilable(
      sql`delete from ${sql.table(schema.table)} where ${sql.ref(schema.primaryKey.name)} = ${binder.bind(undefined)}`,
    );
  return statementFor(`delete key ${schema.id}`, [encodedKey(schema, state)], true, build, rowOf(schema, state));
}

function returned(schema: ModelSchema): RawBuilder<unknown> {
  return sql`returning ${sql.join(selectList(schema))}`;
}

function lockedParents(parents: readonly Association[], binder: Binder): RawBuilder<unknown> {
  const each = parents.map(({ target }, index) => {
    const { table, primaryKey } = target;
    const key = binder.bind(undefined);
    return sql`(select 1 from ${sql.table(table)} where ${sql.ref(primaryKey.name)} = ${key} for key share) as ${sql.ref(`parent_${index}`)}`;
  });
  return sql.join(each);
}

function parentShape(parents: readonly Association[]): string {
  return parents.map(({ property, typeKey }) => `${property} ${typeKey?.value ?? ''}`).join(',');
}

function parentKeys(state: RecordState, parents: readonly Association[]): unknown[] {
  return parents.map(({ foreignKey }) => foreignKey.type.encode(state.get(foreignKey.property)));
}

function versionedKey(schema: ModelSchema, state: RecordState): unknown[] {
  return [encodedKey(schema, state), state.version?.xmin, state.version?.ctid];
}

function versionMatches(schema: ModelSchema, binder: Binder): RawBuilder<unknown> {
  const key = sql`${sql.ref(schema.primaryKey.name)} = ${binder.bind(undefined)}`;
  return sql`${key} and xmin = ${binder.bind(undefined)}::xid and ctid = ${binder.bind(undefined)}::tid`;
}

function rowOf({ table, primaryKey }: ModelSchema, state: RecordState): RowNames {
  return { table, key: state.stored[primaryKey.property] };
}

function encodedKey({ primaryKey }: ModelSchema, state: RecordState): unknown {
  return primaryKey.type.encode(state.stored[primaryKey.property]);
}

function encodedValues(schema: ModelSchema, state: RecordState, properties: readonly string[]): unknown[] {
  return properties.map((property) => {
    const value = state.assigned[property];
    return value === null || value === undefined ? null : schema.column(property)!.type.encode(value);
  });
}

function compilable(statement: RawBuilder<unknown>) {
  return { compile: () => statement.compile(offline) };
}
