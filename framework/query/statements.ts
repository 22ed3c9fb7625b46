import type { AliasedRawBuilder, Compilable, RawBuilder, SelectQueryBuilder } from 'kysely';
import { sql } from 'kysely';
import type { Kysely } from 'kysely';
import type { RowNames, Statement } from '../database/statement';
import type { Column, ModelSchema } from '../schema/model-schema';
import type { AnyTables, Binder } from './compiler';
import { direct, offline, statementFor } from './compiler';
import { columnOf, conditionShape, conditionSql } from './condition-sql';
import type { Condition } from './conditions';
import type { SelectPlan } from './plan';
import { eachOwner, isTheirs, perOwnerShape, perOwnerValues } from './per-owner';
import { lockClause } from './plan';
import { selected, selectList, valueOf } from './reading';

/** What a select gives: whole records, the values of some attributes, one aggregate, or only whether any is there. */
export type Selection =
  | { readonly kind: 'records' }
  | { readonly kind: 'attributes'; readonly properties: readonly string[] }
  | { readonly kind: 'count' | 'exists' }
  | { readonly kind: 'count by'; readonly property: string }
  | { readonly kind: 'aggregate'; readonly call: 'sum' | 'avg' | 'min' | 'max'; readonly property: string };

/** How an attribute changes in an atomic update: to a value, or by one. */
export interface Assignment {
  readonly property: string;
  readonly how: 'set' | 'add' | 'subtract';
  readonly value: unknown;
}

/** A row that must be there, and is to stay, for a write that refers to it. */
export interface RowReference {
  readonly table: string;
  readonly keyColumn: string;
  /** As the driver sends it. */
  readonly key: unknown;
}

type Select = SelectQueryBuilder<AnyTables, string, Record<string, unknown>>;
type Scoped = { where(expression: ReturnType<typeof conditionSql>): unknown };

export function selectStatement(plan: SelectPlan, selection: Selection): Statement {
  const build = (binder: Binder) => buildSelect(offline, plan, selection, binder);
  const locks = plan.lock !== undefined;
  if (plan.fragments.length > 0) return { ...compiledDirectly(build(direct)), locks };
  const values: unknown[] = [];
  const shape = `${planShape(plan, values)}|${selectionShape(selection)}`;
  return { ...statementFor(shape, values, false, build, rowsOf(plan)), locks };
}

function selectionShape(selection: Selection): string {
  switch (selection.kind) {
    case 'attributes':
      return `attributes ${selection.properties.join(',')}`;
    case 'aggregate':
      return `${selection.call} ${selection.property}`;
    case 'count by':
      return `count by ${selection.property}`;
    default:
      return selection.kind;
  }
}

export function buildSelect(db: Kysely<AnyTables>, plan: SelectPlan, selection: Selection, binder: Binder): Select {
  const { schema } = plan;
  let query = narrowed(db.selectFrom(schema.table) as unknown as Select, plan, binder);
  for (const { property, direction } of plan.order) {
    query = query.orderBy(valueOf(schema, columnOf(schema, property)), direction);
  }
  if (plan.limit !== undefined) query = query.limit(sql<number>`${binder.bind(plan.limit)}`);
  if (plan.offset !== undefined) query = query.offset(sql<number>`${binder.bind(plan.offset)}`);
  if (plan.lock) query = query.modifyEnd(sql.raw(lockClause(plan.lock)));
  const { perOwner } = plan;
  if (!perOwner) return selecting(query, plan, selection, db);
  const theirs = query.where(isTheirs(schema.table, perOwner, binder));
  const rows = selecting(theirs, plan, selection, db) as unknown as RawBuilder<unknown>;
  const each = eachOwner(rows, perOwner, binder);
  return { compile: () => each.compile(offline) } as unknown as Select;
}

function selecting(query: Select, plan: SelectPlan, selection: Selection, db: Kysely<AnyTables>): Select {
  const { schema } = plan;
  switch (selection.kind) {
    case 'records':
      return query.select(selectList(schema));
    case 'attributes':
      return query.select(selection.properties.map((property) => selected(schema, columnOf(schema, property))));
    case 'exists':
      return query.select(sql`1`.as('one'));
    case 'count':
      return over(query.select(sql`1`.as('one')), plan, sql`count(*)`.as('count'), db);
    case 'count by': {
      const column = columnOf(schema, selection.property);
      const ordered = isPlain(plan) ? query.clearOrderBy() : query;
      const rows = ordered.select(selected(schema, column)).as('counted');
      const group = sql.ref(`counted.${column.name}`);
      const counts = db.selectFrom(rows).select([group.as('group'), sql`count(*)`.as('count')]);
      return counts.groupBy(group);
    }
    case 'aggregate': {
      const column = columnOf(schema, selection.property);
      const call = (of: RawBuilder<unknown>) => sql`${sql.raw(selection.call)}(${of})`.as('aggregate');
      if (isPlain(plan)) return over(query, plan, call(valueOf(schema, column)), db);
      return over(query.select(selected(schema, column)), plan, call(sql.ref(column.name)), db);
    }
  }
}

function isPlain({ limit, offset, lock }: SelectPlan): boolean {
  return limit === undefined && offset === undefined && lock === undefined;
}

/** An aggregate over a limited query counts what the limit lets through, and SQL locks no groups: it goes around. */
function over(query: Select, plan: SelectPlan, call: ReturnType<ReturnType<typeof sql>['as']>, db: Kysely<AnyTables>) {
  if (isPlain(plan)) return query.clearSelect().clearOrderBy().select(call);
  return db.selectFrom(query.as('limited')).select(call) as unknown as Select;
}

/**
 * @param returned columns to give back of each row; where it changes one of them, as it becomes and as it was
 * @param references locked `for key share` in the same statement; no row is changed when one of them is not there
 */
export function updateStatement(
  plan: SelectPlan,
  assignments: readonly Assignment[],
  returned: readonly Column[] = [],
  references: readonly RowReference[] = [],
): Statement {
  const { schema } = plan;
  const isMoving = assignments.some(({ property }) => returned.some((column) => column.property === property));
  const build = (binder: Binder) => {
    const changes = assignments.map(({ property, how, value }) => {
      const { name } = columnOf(schema, property);
      const bound = sql`${binder.bind(encoded(schema, property, value))}`;
      const sign = how === 'add' ? sql`+` : sql`-`;
      return [name, how === 'set' ? bound : sql`${sql.ref(name)} ${sign} ${bound}`] as const;
    });
    const { versionColumn } = schema;
    const counted = versionColumn ? { [versionColumn.name]: sql`${sql.ref(versionColumn.name)} + 1` } : {};
    const set = { ...Object.fromEntries(changes), ...counted };
    const parents = references.map((reference, index) => lockedRow(reference, index, binder));
    if (isMoving) return movingUpdate(plan, set, parents, returned, binder);
    const update = offline.updateTable(schema.table).set(set);
    const joined = parents.length === 0 ? update : update.from(parents);
    return returning(narrowed(joined, plan, binder), returned);
  };
  if (plan.fragments.length > 0) return compiledDirectly(build(direct));
  const assigned = assignments.map(({ property, value }) => encoded(schema, property, value));
  const values = [...assigned, ...references.map(({ key }) => key)];
  const sets = assignments.map(({ property, how }) => `${how} ${property}`).join(',');
  const locked = references.map(({ table, keyColumn }) => `${table} ${keyColumn}`).join(',');
  const shape = `update ${sets}|${locked}|${returnedShape(returned)}|${planShape(plan, values)}`;
  return statementFor(shape, values, true, build, rowsOf(plan));
}

function lockedRow({ table, keyColumn, key }: RowReference, index: number, binder: Binder) {
  const isMeant = sql`${sql.ref(keyColumn)} = ${binder.bind(key)}`;
  return sql`(select 1 from ${sql.table(table)} where ${isMeant} for key share)`.as(`parent_${index}`);
}

/** The rows as they were are read and locked first: before PostgreSQL 18 RETURNING gives only what they become. */
function movingUpdate(
  plan: SelectPlan,
  set: Readonly<Record<string, RawBuilder<unknown>>>,
  parents: AliasedRawBuilder<unknown, string>[],
  returned: readonly Column[],
  binder: Binder,
): Compilable {
  const { table, primaryKey } = plan.schema;
  const before = returned.map(({ name }, index) => [name, `bw_old_${index}`] as const);
  const rows = narrowed(offline.selectFrom(table) as unknown as Select, plan, binder)
    .select([`${primaryKey.name} as bw_key`, ...before.map(([name, alias]) => `${name} as ${alias}`)])
    .modifyEnd(sql`for no key update`);
  const update = offline
    .with('bw_old', () => rows)
    .updateTable(table)
    .set(set)
    .from('bw_old');
  const joined = parents.length === 0 ? update : (update.from(parents) as typeof update);
  return joined
    .whereRef(`${table}.${primaryKey.name}`, '=', 'bw_old.bw_key')
    .returning([...returned.map(({ name }) => `${table}.${name}`), ...before.map(([, alias]) => `bw_old.${alias}`)]);
}

/** @param returned columns to give back of each row */
export function deleteStatement(plan: SelectPlan, returned: readonly Column[] = []): Statement {
  const build = (binder: Binder) => returning(narrowed(offline.deleteFrom(plan.schema.table), plan, binder), returned);
  if (plan.fragments.length > 0) return compiledDirectly(build(direct));
  const values: unknown[] = [];
  const shape = `delete|${returnedShape(returned)}|${planShape(plan, values)}`;
  return statementFor(shape, values, true, build, rowsOf(plan));
}

function rowsOf({ schema, condition }: SelectPlan): RowNames | undefined {
  const key = condition && keyIn(condition, schema.primaryKey.property);
  return key === undefined ? undefined : { table: schema.table, key };
}

/** The key, or the list of keys, by which a condition picks rows. */
function keyIn(condition: Condition, primaryKey: string): unknown {
  if (condition.kind === 'compare') {
    const { property, operator, value } = condition;
    return property === primaryKey && (operator === '=' || operator === 'in') ? value : undefined;
  }
  if (condition.kind !== 'and') return undefined;
  for (const part of condition.parts) {
    const key = keyIn(part, primaryKey);
    if (key !== undefined) return key;
  }
  return undefined;
}

function returning<Q extends Compilable & { returning(names: string[]): Compilable }>(
  write: Q,
  returned: readonly Column[],
): Compilable {
  return returned.length === 0 ? write : write.returning(returned.map(({ name }) => name));
}

function returnedShape(returned: readonly Column[]): string {
  return returned.map(({ property }) => property).join(',');
}

function narrowed<Q extends object>(query: Q, plan: SelectPlan, binder: Binder): Q {
  let narrower = query as unknown as Scoped;
  if (plan.condition) narrower = narrower.where(conditionSql(plan.schema, plan.condition, binder)) as Scoped;
  for (const fragment of plan.fragments) narrower = narrower.where(fragment as never) as Scoped;
  return narrower as unknown as Q;
}

function planShape(plan: SelectPlan, values: unknown[]): string {
  const { schema, condition, order, limit, offset, perOwner, lock } = plan;
  const where = condition ? conditionShape(schema, condition, values) : '';
  const ordering = order.map(({ property, direction }) => `${property} ${direction}`).join(',');
  if (limit !== undefined) values.push(limit);
  if (offset !== undefined) values.push(offset);
  if (perOwner) values.push(...perOwnerValues(perOwner));
  const limits = `${limit !== undefined ? 'l' : ''}${offset !== undefined ? 'o' : ''}`;
  const owners = perOwner ? perOwnerShape(perOwner) : '';
  return `${schema.id}|${where}|${ordering}|${limits}|${owners}|${lock ? lockClause(lock) : ''}`;
}

function encoded(schema: ModelSchema, property: string, value: unknown): unknown {
  return value === null ? null : columnOf(schema, property).type.encode(value);
}

/** A fragment of SQL may call a function that writes, in a select too: such a statement is never sent twice. */
function compiledDirectly(query: Compilable): Statement {
  const { sql: text, parameters } = query.compile();
  return { text, values: parameters, valuesAs: 'text' };
}
