import { sql } from 'kysely';
import type { Expression, Kysely, SelectQueryBuilder, SqlBool } from 'kysely';
import { hydratorOf } from '../attributes/hydrator';
import type { AssociationName, AttributeName, RelatedOf } from '../attributes/types';
import { parseNumeric } from '../schema/text-values';
import type { Decimal } from '../schema/column-types';
import { currentSession } from '../transaction/current';
import { noteWrite } from '../transaction/held-reads';
import { assertBounded, wholeNumber } from './bounds';
import type { Amounts, Countable, Numeric, SumOf } from './attribute-kinds';
import type { ConditionBuilder, Condition, Conditions, Operand, Operator } from './conditions';
import { and, both, isVacuous, not, or } from './conditions';
import { columnOf } from './condition-sql';
import type { AnyTables } from './compiler';
import { direct } from './compiler';
import { InvalidQueryError, RecordNotFoundError } from './errors';
import type { IncludedBy, Inclusion } from './included';
import { inclusions } from './included';
import { kyselyOf } from './kysely-driver';
import type { Page, PageOptions } from './keyset';
import { beyond, cursorAt, totalOrder } from './keyset';
import type { Direction } from './ordering';
import type { LockStrength, LockWait, SelectPlan } from './plan';
import { lockOf } from './plan';
import type { RowOf } from './row-types';
import type { Assignment, Selection } from './statements';
import { buildSelect, deleteStatement, selectStatement, updateStatement } from './statements';
import type { Owned, PerOwner } from './per-owner';
import { runSelect } from './run-select';
import type { BuildWrite, RecordSource } from './source';

/** Kysely's builder over the rows of a model, called `self`. */
export type SelfBuilder<T extends object> = SelectQueryBuilder<{ self: RowOf<T> }, 'self', Record<never, never>>;

/** What is wanted of associations, by name: `{ replies: (replies) => replies.order('id', 'desc').limit(3) }`. */
export type Refinements<T extends object> = {
  readonly [K in AssociationName<T>]?: (query: Query<RelatedOf<T[K]>>) => PromiseLike<object[]>;
};

/**
 * A query over one model: lazy, immutable, composable, and run by `await`.
 *
 * @typeParam T the model
 * @typeParam R what it gives: `T`, with the associations that were included
 */
export class Query<T extends object, R extends object = T> implements PromiseLike<R[]> {
  readonly #source: RecordSource<T>;
  readonly #plan: SelectPlan;
  readonly #includes: readonly Inclusion[];

  /** @internal */
  constructor(source: RecordSource<T>, plan: SelectPlan, includes: readonly Inclusion[] = []) {
    this.#source = source;
    this.#plan = plan;
    this.#includes = includes;
  }

  /** Narrows: `where({ owner: 'Ann' })`, `where('balance', '>', 0n)`, `where((is) => is.or([…]))`. All calls must hold. */
  where(conditions: Conditions<T>): Query<T, R>;
  where<K extends AttributeName<T>, O extends Operator>(name: K, operator: O, value: Operand<T[K], O>): Query<T, R>;
  where(build: (is: ConditionBuilder<T>) => Condition): Query<T, R>;
  where(first: unknown, operator?: unknown, value?: unknown): Query<T, R> {
    const condition = this.#condition(first, operator, value);
    return isVacuous(condition) ? this : this.#with({ condition: both(this.#plan.condition, condition) });
  }

  /** Narrows by a condition in SQL: kysely's `` sql<boolean>`…` ``. Such a query is compiled each time. */
  whereSql(condition: Expression<SqlBool>): Query<T, R> {
    return this.#with({ fragments: [...this.#plan.fragments, condition] });
  }

  /** Sorts; later calls sort within earlier ones. */
  order(name: AttributeName<T>, direction: Direction = 'asc'): Query<T, R> {
    columnOf(this.#plan.schema, name);
    if (direction !== 'asc' && direction !== 'desc') {
      throw new InvalidQueryError({ what: `"${String(direction)}" is no direction.`, remedy: 'Use asc or desc.' });
    }
    return this.#with({ order: [...this.#plan.order, { property: name, direction }] });
  }

  limit(count: number): Query<T, R> {
    return this.#with({ limit: wholeNumber('limit', count) });
  }

  offset(count: number): Query<T, R> {
    return this.#with({ offset: wholeNumber('offset', count) });
  }

  /**
   * Locks the rows that are read, until the transaction ends; not those of associations that are included. A refusal
   * of `nowait` or `{ timeoutMs }` leaves the transaction as it was, for callers who catch it.
   *
   * With a limit under `read committed`, a row that had to be waited for and no longer answers to the query leaves
   * its place empty; `skip locked` waits for none.
   *
   * Running it throws NoTransactionError outside of a transaction, LockNotAvailableError when the wait ends first.
   */
  lock(strength: LockStrength = 'for update', wait?: LockWait): Query<T, R> {
    return this.#with({ lock: lockOf(strength, wait) });
  }

  /**
   * Loads associations with the records, by one query each, in one round trip a level: `include('entries', 'branch')`.
   * Refined, only what is wanted of them, a limit for each record by itself:
   * `include({ entries: (all) => all.order('id', 'desc').limit(3) })`.
   */
  include<const I extends readonly (AssociationName<T> | Refinements<T>)[]>(
    ...associations: I
  ): Query<T, R & IncludedBy<T, I[number]>> {
    const added = (associations as readonly (string | object)[]).flatMap(inclusions);
    for (const { name } of added) this.#source.assertAssociation(name);
    return new Query<T, R & IncludedBy<T, I[number]>>(this.#source, this.#plan, [...this.#includes, ...added]);
  }

  /** Says that a write through this query is meant to touch every row. */
  everyRow(): Query<T, R> {
    return this.#with({ isUnbounded: true });
  }

  /** Runs the query. What `await` calls. */
  then<A = R[], B = never>(
    onFulfilled?: ((records: R[]) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.toArray().then(onFulfilled, onRejected);
  }

  /** All records, as `await` gives them. */
  async toArray(): Promise<R[]> {
    const { rows } = await this.#run({ kind: 'records' });
    return this.#recordsOf(rows);
  }

  /**
   * A page of the records in the query's order, and then by primary key: the first, or the one after `after`. However
   * far in, it costs the same where an index has that order, and nothing is skipped or told twice when rows come and go
   * in between ("keyset" pagination).
   *
   * @throws InvalidCursorError when `after` is not the `next` of a page in this order
   */
  async page({ size, after }: PageOptions): Promise<Page<R>> {
    const { schema, condition, limit, offset } = this.#plan;
    if (limit !== undefined || offset !== undefined || !Number.isSafeInteger(size) || size < 1) {
      throw new InvalidQueryError({
        what: `${schema.name}: a page has a size from 1, and no other limit.`,
        remedy: 'Leave limit() and offset() out, and give page({ size }).',
      });
    }
    const order = totalOrder(this.#plan);
    const behind = after === undefined ? condition : both(condition, beyond(schema, order, after));
    const { rows } = await this.#with({ condition: behind, order, limit: size + 1 }).#run({ kind: 'records' });
    const next = rows.length > size ? cursorAt(schema, order, rows[size - 1]!) : undefined;
    return { records: await this.#recordsOf(rows.slice(0, size)), next };
  }

  /** @internal */
  get plan(): SelectPlan {
    return this.#plan;
  }

  /** @internal Its limit counts for each owner by itself. A record of several owners is there once for each. */
  async perOwner(perOwner: PerOwner): Promise<Owned<R>[]> {
    const { rows } = await this.#with({ perOwner }).#run({ kind: 'records' });
    const { type } = perOwner.ownerColumn;
    const records = await this.#recordsOf(rows);
    return records.map((record, index) => ({ key: type.parse(rows[index]!.at(-1) as string), record }));
  }

  #recordsOf(rows: readonly unknown[][]): R[] | Promise<R[]> {
    const hydrate = hydratorOf(this.#plan.schema);
    const records = new Array<T & R>(rows.length);
    for (let index = 0; index < rows.length; index++) {
      records[index] = this.#source.instantiate(hydrate(rows[index] as string[])) as T & R;
    }
    if (this.#includes.length === 0 || records.length === 0) return records;
    return this.#source.preload(records, this.#includes).then(() => records);
  }

  /** @throws RecordNotFoundError when no record that answers to the query has this key */
  async find(key: T extends { readonly id: infer Id } ? Id : unknown): Promise<R> {
    const { schema } = this.#plan;
    const condition = { kind: 'compare', property: schema.primaryKey.property, operator: '=', value: key } as const;
    const [record] = await this.#with({ condition: both(this.#plan.condition, condition) }).toArray();
    if (record === undefined) throw new RecordNotFoundError(schema.name, schema.primaryKey.property);
    return record;
  }

  /** The first record that answers to the conditions too, or undefined. */
  async findBy(conditions: Conditions<T>): Promise<R | undefined> {
    return this.where(conditions).first();
  }

  /** The first record in the query's order, else in the order of the primary key; undefined when there is none. */
  async first(): Promise<R | undefined> {
    const { schema, order, limit = 1 } = this.#plan;
    const inOrder = order.length > 0 ? order : [{ property: schema.primaryKey.property, direction: 'asc' } as const];
    const [record] = await this.#with({ order: inOrder, limit: Math.min(limit, 1) }).toArray();
    return record;
  }

  /** @throws RecordNotFoundError when there is none */
  async firstOrFail(): Promise<R> {
    const record = await this.first();
    if (record === undefined) throw new RecordNotFoundError(this.#plan.schema.name, 'conditions');
    return record;
  }

  async exists(): Promise<boolean> {
    const { rows } = await this.#with({ limit: Math.min(this.#plan.limit ?? 1, 1), order: [] }).#run({
      kind: 'exists',
    });
    return rows.length > 0;
  }

  async count(): Promise<number> {
    const { rows } = await this.#run({ kind: 'count' });
    return Number(rows[0]![0]);
  }

  /**
   * How many rows there are for each value of an attribute, in one statement; no entry for none.
   * `Comment.where({ postId: ids }).countBy('postId')`
   */
  async countBy<K extends Countable<T>>(name: K): Promise<Map<T[K], number>> {
    const { type } = columnOf(this.#plan.schema, name);
    const { rows } = await this.#run({ kind: 'count by', property: name });
    const counts = (rows as [string | null, string][]).map(
      ([group, count]) => [group === null ? null : type.parse(group), Number(count)] as const,
    );
    return new Map(counts as [T[K], number][]);
  }

  /** 0 for no rows. Of bigints a bigint, of decimals a Decimal, else a number. */
  async sum<K extends Numeric<T>>(name: K): Promise<SumOf<T, K>> {
    const text = (await this.#aggregate('sum', name)) ?? '0';
    const { type } = columnOf(this.#plan.schema, name);
    return type.parse(text) as SumOf<T, K>;
  }

  /** Undefined for no rows. */
  async average(name: Numeric<T>): Promise<Decimal | undefined> {
    const text = await this.#aggregate('avg', name);
    return text === null ? undefined : parseNumeric(text);
  }

  /** Undefined for no rows. */
  minimum<K extends AttributeName<T>>(name: K): Promise<NonNullable<T[K]> | undefined> {
    return this.#extreme('min', name);
  }

  /** Undefined for no rows. */
  maximum<K extends AttributeName<T>>(name: K): Promise<NonNullable<T[K]> | undefined> {
    return this.#extreme('max', name);
  }

  /** The values of one attribute, or lists of the values of several, without making records. */
  pluck<K extends AttributeName<T>>(name: K): Promise<T[K][]>;
  pluck<const K extends readonly AttributeName<T>[]>(...names: K): Promise<{ -readonly [I in keyof K]: T[K[I]] }[]>;
  async pluck(...names: string[]): Promise<unknown[]> {
    const columns = names.map((name) => columnOf(this.#plan.schema, name));
    if (names.length === 0) throw new InvalidQueryError({ what: 'pluck() names nothing.', remedy: 'Name attributes.' });
    const { rows } = await this.#run({ kind: 'attributes', properties: names });
    const values = rows.map((row) =>
      columns.map(({ type }, index) => (row[index] === null ? null : type.parse(row[index] as string))),
    );
    return names.length === 1 ? values.map(([value]) => value) : values;
  }

  /** Adds to attributes in one atomic statement, without validations or callbacks. @returns how many rows changed */
  increment(amounts: Amounts<T>): Promise<number> {
    return this.#update('increment', amounts, 'add');
  }

  /** Subtracts from attributes in one atomic statement, without validations or callbacks. @returns how many rows changed */
  decrement(amounts: Amounts<T>): Promise<number> {
    return this.#update('decrement', amounts, 'subtract');
  }

  /**
   * Sets attributes in one statement, without validations or callbacks; the constraints beneath `@Unique` and `@Check`
   * hold all the same, and refuse with the same ValidationError, as does a parent that is not there.
   *
   * @returns how many rows changed
   */
  updateAll(values: { readonly [K in AttributeName<T>]?: T[K] }): Promise<number> {
    return this.#update('updateAll', values, 'set');
  }

  /**
   * Deletes in one statement, without callbacks or dependents. Rows to which a polymorphic association may refer are
   * locked and looked at first.
   *
   * @returns how many rows went
   * @throws DependentRecordsError when a foreign key, or a polymorphic association, refers to one of them
   */
  async deleteAll(): Promise<number> {
    assertBounded(this.#plan, 'deleteAll');
    return this.#source.deleting(this.#plan, (plan) =>
      this.#write(plan, [], (returned) => deleteStatement(plan, returned)),
    );
  }

  /** The statement and its parameters, as they would be sent. */
  toSQL(): { readonly sql: string; readonly parameters: readonly unknown[] } {
    const { text, values } = selectStatement(this.#plan, { kind: 'records' });
    return { sql: text, parameters: values ?? [] };
  }

  /** PostgreSQL's plan, line by line. `analyze` runs the query to measure it. */
  async explain({ analyze = false }: { readonly analyze?: boolean } = {}): Promise<string[]> {
    const { text, values } = selectStatement(this.#plan, { kind: 'records' });
    const options = analyze ? '(analyze, buffers)' : '';
    const { rows } = await currentSession().execute({ text: `explain ${options} ${text}`, values: values ?? [] });
    return rows.map(([line]) => line as string);
  }

  /**
   * Drops down to kysely: the query's rows as `self`, to select from, join and group with the full builder, in
   * the same transaction and on the same terms. Columns are typed by their default names.
   *
   * With a function it comes back: the function builds a query for primary keys over the table as `self`, and
   * the result is this query narrowed to the records with those keys.
   */
  kysely(): SelfBuilder<T>;
  kysely(keys: (rows: SelfBuilder<T>) => Expression<unknown>): Query<T, R>;
  kysely(keys?: (rows: SelfBuilder<T>) => Expression<unknown>): SelfBuilder<T> | Query<T, R> {
    const { schema } = this.#plan;
    const db = kyselyOf(currentSession()) as Kysely<AnyTables>;
    if (keys) {
      const table = db.selectFrom(`${schema.table} as self`) as unknown as SelfBuilder<T>;
      return this.whereSql(sql<SqlBool>`${sql.ref(schema.primaryKey.name)} in ${keys(table)}`);
    }
    const properties = schema.columns.map((column) => column.property);
    const rows = buildSelect(db, this.#plan, { kind: 'attributes', properties }, direct);
    return db.selectFrom(rows.as('self'));
  }

  #condition(first: unknown, operator: unknown, value: unknown): Condition {
    if (typeof first === 'function') return (first as (is: ConditionBuilder<T>) => Condition)(this.#builder());
    if (typeof first === 'string') {
      columnOf(this.#plan.schema, first);
      return { kind: 'compare', property: first, operator: operator as Operator, value };
    }
    if (typeof first !== 'object' || first === null) {
      throw new InvalidQueryError({
        what: `where(…) was given ${first === null ? 'null' : `a value of type ${typeof first}`}.`,
        remedy: 'Give it conditions by attribute, an attribute with operator and value, or a function.',
      });
    }
    return this.#source.conditionOf(first);
  }

  #builder(): ConditionBuilder<T> {
    const compare = (first: unknown, operator?: unknown, value?: unknown) => this.#condition(first, operator, value);
    return Object.assign(compare, { and, or, not });
  }

  #with(change: Partial<SelectPlan>): Query<T, R> {
    return new Query<T, R>(this.#source, { ...this.#plan, ...change }, this.#includes);
  }

  #run(selection: Selection): Promise<{ readonly rows: unknown[][] }> {
    return runSelect(currentSession(), this.#plan, selection);
  }

  async #aggregate(call: 'sum' | 'avg' | 'min' | 'max', property: string): Promise<string | null> {
    const { rows } = await this.#run({ kind: 'aggregate', call, property });
    return rows[0]![0] as string | null;
  }

  async #extreme<K extends AttributeName<T>>(call: 'min' | 'max', name: K): Promise<NonNullable<T[K]> | undefined> {
    const text = await this.#aggregate(call, name);
    return text === null ? undefined : (columnOf(this.#plan.schema, name).type.parse(text) as NonNullable<T[K]>);
  }

  async #update(method: string, values: object, how: Assignment['how']): Promise<number> {
    assertBounded(this.#plan, method);
    const assignments = Object.entries(values).map(([property, value]) => ({ property, how, value: value as unknown }));
    if (assignments.length === 0) return 0;
    this.#source.assertAssignable(assignments);
    return this.#source.updating(assignments, (references) =>
      this.#write(this.#plan, assignments, (returned) =>
        updateStatement(this.#plan, assignments, returned, references),
      ),
    );
  }

  async #write(plan: SelectPlan, assignments: readonly Assignment[], build: BuildWrite): Promise<number> {
    noteWrite(currentSession().scope, plan.schema.table);
    try {
      return await this.#source.write(plan, assignments, build);
    } catch (error) {
      throw this.#source.explain(error);
    }
  }
}
