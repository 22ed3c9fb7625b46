import { inspect } from 'node:util';
import type { Expression, SqlBool } from 'kysely';
import type { Change } from '../attributes/record-state';
import type { RecordState } from '../attributes/record-state';
import { STATE } from '../attributes/record-state';
import type { AssociationName, AttributeName, AttributeValues, RecordMembers } from '../attributes/types';
import { AssociationOwner } from '../associations/handles';
import { recordModelOf } from '../associations/record-model';
import type { Condition, ConditionBuilder, Conditions, Operand, Operator } from '../query/conditions';
import type { IncludedBy } from '../query/included';
import type { Direction } from '../query/ordering';
import type { LockStrength, LockWait } from '../query/plan';
import type { Query, Refinements } from '../query/query';
import { modelRegistry } from '../schema/registry';
import { currentSession, currentSessionIfAny } from '../transaction/current';
import { unsafeReads } from '../transaction/held-reads';
import type { Transaction } from '../transaction/transaction';
import { ValidationError } from '../validation/errors';
import type { RecordErrors } from '../validation/errors';
import { changeCounter } from '../consistency/counter';
import { counterChange } from '../consistency/counter-change';
import './accessors';
import { changeRecordCounter } from './count';
import type { CounterName } from './count';
import './deferred';
import './record-model';
import type { DestroyOptions } from './conflict';
import { insertAll, upsertAll } from './bulk-insert';
import type { BulkResult, InsertAllOptions, UpsertAllOptions } from './bulk-options';
import { createAll } from './create-all';
import { destroyRecord } from './destroy';
import { findOrCreate } from './find-or-create';
import { freshState, newRecord, takePendingState } from './instantiate';
import type { RowWait, WithLockOptions } from './lock';
import { lockRecord, lockRecords, readAgain, rowLockOf } from './lock';
import { asJson, inspected } from './presentation';
import { assignAll, errorsOf, schemaOfRecord } from './record';
import { saveRecord, validate } from './save';
import type { SaveOptions } from './save';

/** The class of a model, as its static methods see it. */
export interface ModelOf<T extends Model> {
  new (): T;
  readonly name: string;
}

type Key<T> = T extends { readonly id: infer Id } ? Id : unknown;

/**
 * The attributes that were assigned and not yet saved, with their values before and after. Over all properties,
 * since a narrower choice could not be read through `this` inside the model's own methods.
 */
export type Changes<T extends object> = { readonly [K in keyof T]?: Change<T[K]> };

/**
 * A row of a table as an object. A subclass says with decorators which table, which columns, which other
 * models, and which rules; instances read and write one row, static methods query the table.
 */
export abstract class Model extends AssociationOwner implements RecordMembers {
  /** @internal */
  declare [STATE]: RecordState;

  constructor() {
    super();
    const schema = schemaOfRecord(this);
    this[STATE] = takePendingState() ?? freshState(schema);
    if (this[STATE].persistence === 'new') currentSessionIfAny()?.scope?.noteBirth(this);
  }

  // The record

  /** Whether it has no row yet. */
  get isNew(): boolean {
    return this[STATE].persistence === 'new';
  }

  get isDestroyed(): boolean {
    return this[STATE].persistence === 'destroyed';
  }

  /** Whether anything was assigned since it was read or saved. */
  get isChanged(): boolean {
    return this[STATE].isChanged;
  }

  /** What was assigned since it was read or saved: name to the value before and after. */
  get changes(): Changes<this> {
    return this[STATE].changes as unknown as Changes<this>;
  }

  /** What the last validation, or the database in its stead, found wrong. */
  get errors(): RecordErrors {
    return errorsOf(this);
  }

  /** Assigns several attributes at once, unsaved. */
  assign(values: AttributeValues<this>): this {
    assignAll(this, values);
    return this;
  }

  /**
   * Validates the record and writes what has changed, in one transaction with its callbacks; nothing is sent
   * when nothing has changed.
   *
   * @throws ValidationError when it is not valid, or when a unique index, a parent that is gone or a check refuses it
   * @throws StaleRecordError when the row was changed or deleted since the record was read
   */
  async save(options: SaveOptions = {}): Promise<this> {
    await saveRecord(this, options);
    return this;
  }

  /** Assigns and saves. */
  async update(values: AttributeValues<this>, options: SaveOptions = {}): Promise<this> {
    return this.assign(values).save(options);
  }

  /**
   * Deletes the row, after what depends on it, with callbacks, in one transaction.
   *
   * @throws DependentRecordsError when others refer to it that may not go
   * @throws StaleRecordError when the row was changed or deleted since the record was read
   */
  async destroy(options: DestroyOptions = {}): Promise<this> {
    await destroyRecord(this, options);
    return this;
  }

  /**
   * Adds to a `@Counter` in one atomic statement, without validations or callbacks; the record then shows its new value.
   *
   * @param by default 1
   * @throws CounterExhaustedError when it would go above its `max`
   * @throws RecordNotFoundError when the row has gone
   */
  async increment<K extends CounterName<this>>(name: K, by?: this[K]): Promise<this> {
    await changeRecordCounter(this, 'increment', name, by);
    return this;
  }

  /** Takes from a `@Counter`, as {@link increment} adds. @throws CounterExhaustedError when not that much is left */
  async decrement<K extends CounterName<this>>(name: K, by?: this[K]): Promise<this> {
    await changeRecordCounter(this, 'decrement', name, by);
    return this;
  }

  /**
   * Runs the validations; what they find is in `errors`. A look and no more: what they read is not held, and
   * uniqueness is for the database to decide, in `save()`.
   */
  async valid({ context }: SaveOptions = {}): Promise<boolean> {
    try {
      await unsafeReads(() => validate(schemaOfRecord(this), this, context));
      return true;
    } catch (error) {
      if (error instanceof ValidationError) return false;
      throw error;
    }
  }

  /**
   * Reads the row again and forgets what was assigned or loaded.
   *
   * @param lock keeps the row locked until the transaction ends
   * @throws RecordNotFoundError when the row has gone
   */
  async reload({ lock, wait }: { readonly lock?: LockStrength; readonly wait?: RowWait } = {}): Promise<this> {
    await readAgain(this, 'reload()', lock && rowLockOf(lock, wait));
    return this;
  }

  /**
   * Locks the row until the transaction ends, and reads it again: what is decided on it then stays true.
   *
   * @throws NoTransactionError outside of a transaction
   * @throws RecordChangedError when something was assigned and not saved
   * @throws LockNotAvailableError after which the transaction can go on, when `wait` ends before the lock is there
   */
  async lock(strength: LockStrength = 'for update', wait?: RowWait): Promise<this> {
    await lockRecord(this, rowLockOf(strength, wait));
    return this;
  }

  /**
   * Runs `body` with the row locked and read again, in a transaction or in the one around it.
   *
   * @throws as `lock()` and `db.transaction(…)` do
   */
  withLock<T>(body: (tx: Transaction) => Promise<T>, { strength, wait, ...rest }: WithLockOptions = {}): Promise<T> {
    return currentSession().transaction(rest, async (tx) => {
      await this.lock(strength, wait);
      return body(tx);
    });
  }

  /** The attributes, for JSON: bigints and decimals as text, since JSON numbers cannot hold them. */
  toJSON(): Record<string, unknown> {
    return asJson(schemaOfRecord(this), this[STATE]);
  }

  [inspect.custom](_depth: number, options: object): string {
    return inspected(schemaOfRecord(this), this[STATE], options);
  }

  // The table

  /** All records, to be narrowed. */
  static query<T extends Model>(this: ModelOf<T>): Query<T> {
    return queryOf(this);
  }

  /** A record without a row. */
  static new<T extends Model>(this: ModelOf<T>, values: AttributeValues<T> = {}): T {
    return newRecord(modelRegistry.schemaOf(this), values) as T;
  }

  /** Makes a record and saves it. @throws as `save()` does */
  static async create<T extends Model>(this: ModelOf<T>, values: AttributeValues<T>): Promise<T> {
    return (newRecord(modelRegistry.schemaOf(this), values) as T).save();
  }

  /**
   * Makes records and saves them, all or none, with validations and callbacks as `create()`, in one INSERT; one by one
   * where `@Validates` or a callback before it may look at the rows before. @throws ValidationError with each `index`
   */
  static async createAll<T extends Model>(this: ModelOf<T>, values: readonly AttributeValues<T>[]): Promise<T[]> {
    return (await createAll(modelRegistry.schemaOf(this), values)) as T[];
  }

  /**
   * Inserts rows, all or none, in one statement for 10,000 of them. Without callbacks, and without validations but of
   * types, required attributes and parents, and `@Check`; constraints and rules over several rows hold as ever.
   *
   * @returns their keys in the order of `rows`; with `onConflict: 'ignore'` those of the rows that were inserted
   * @throws ValidationError whose problems say by `index` which row is meant; NoUniqueRuleError
   */
  static insertAll<T extends Model, const O extends InsertAllOptions<T>>(
    this: ModelOf<T>,
    rows: readonly AttributeValues<T>[],
    options?: O,
  ): Promise<BulkResult<O, Key<T>>> {
    return insertAll(modelRegistry.schemaOf(this), rows, options ?? {}) as Promise<BulkResult<O, Key<T>>>;
  }

  /**
   * Inserts rows; where one is there already, by the `@Unique` rule over `by`, gives it the attributes `update`.
   * Otherwise as {@link insertAll}. @returns the keys in the order of `rows`
   */
  static upsertAll<T extends Model, const O extends UpsertAllOptions<T>>(
    this: ModelOf<T>,
    rows: readonly AttributeValues<T>[],
    options: O,
  ): Promise<BulkResult<O, Key<T>>> {
    return upsertAll(modelRegistry.schemaOf(this), rows, options) as Promise<BulkResult<O, Key<T>>>;
  }

  /**
   * The record that has the key, or a new one with the values besides. Of any number of callers at once one creates it,
   * at every isolation: `Tag.findOrCreateBy({ name: 'red' }, { colour: '#f00' })`.
   *
   * @param key exactly the attributes of a `@Unique` rule; what the rule ignores, such as case, is ignored
   * @throws NoUniqueRuleError when no rule is over the key; ValidationError for what else is wrong with a new one
   */
  static async findOrCreateBy<T extends Model>(
    this: ModelOf<T>,
    key: AttributeValues<T>,
    values: AttributeValues<T> = {},
  ): Promise<T> {
    return (await findOrCreate(modelRegistry.schemaOf(this), key, values)) as T;
  }

  /** Narrows: by attribute and value, by an operator, or by a function that combines conditions. */
  static where<T extends Model>(this: ModelOf<T>, conditions: Conditions<T>): Query<T>;
  static where<T extends Model, K extends AttributeName<T>, O extends Operator>(
    this: ModelOf<T>,
    name: K,
    operator: O,
    value: Operand<T[K], O>,
  ): Query<T>;
  static where<T extends Model>(this: ModelOf<T>, build: (is: ConditionBuilder<T>) => Condition): Query<T>;
  static where<T extends Model>(this: ModelOf<T>, ...args: [unknown, unknown?, unknown?]): Query<T> {
    return queryOf(this).where(...(args as unknown as [Conditions<T>]));
  }

  static whereSql<T extends Model>(this: ModelOf<T>, condition: Expression<SqlBool>): Query<T> {
    return queryOf(this).whereSql(condition);
  }

  static order<T extends Model>(this: ModelOf<T>, name: AttributeName<T>, direction?: Direction): Query<T> {
    return queryOf(this).order(name, direction);
  }

  static limit<T extends Model>(this: ModelOf<T>, count: number): Query<T> {
    return queryOf(this).limit(count);
  }

  static lock<T extends Model>(this: ModelOf<T>, strength?: LockStrength, wait?: LockWait): Query<T> {
    return queryOf(this).lock(strength, wait);
  }

  /**
   * Locks rows in one statement, in the order of their primary key, whatever the order asked for: calls of this kind
   * cannot deadlock with one another, as long as a transaction makes one only.
   *
   * @param items records, which are read again, or keys; the same row may be there twice
   * @returns their records in the order of `items`
   * @throws RecordNotFoundError when one of them is not there; else as `lock()` on a record does
   */
  static async lockAll<T extends Model, const I extends readonly (T | Key<T>)[]>(
    this: ModelOf<T>,
    items: I,
    strength: LockStrength = 'for update',
    wait?: RowWait,
  ): Promise<{ -readonly [N in keyof I]: T }> {
    const locked = await lockRecords(modelRegistry.schemaOf(this), items, rowLockOf(strength, wait));
    return locked as { -readonly [N in keyof I]: T };
  }

  static include<T extends Model, const I extends readonly (AssociationName<T> | Refinements<T>)[]>(
    this: ModelOf<T>,
    ...associations: I
  ): Query<T, T & IncludedBy<T, I[number]>> {
    return queryOf(this).include(...associations);
  }

  /** Says that a write through this query is meant to touch every row. */
  static everyRow<T extends Model>(this: ModelOf<T>): Query<T> {
    return queryOf(this).everyRow();
  }

  /** @throws RecordNotFoundError when no record has this key */
  static find<T extends Model>(this: ModelOf<T>, key: Key<T>): Promise<T> {
    return queryOf(this).find(key);
  }

  static async findBy<T extends Model>(this: ModelOf<T>, conditions: Conditions<T>): Promise<T | undefined> {
    return queryOf(this).findBy(conditions);
  }

  static first<T extends Model>(this: ModelOf<T>): Promise<T | undefined> {
    return queryOf(this).first();
  }

  static all<T extends Model>(this: ModelOf<T>): Promise<T[]> {
    return queryOf(this).toArray();
  }

  static exists<T extends Model>(this: ModelOf<T>): Promise<boolean> {
    return queryOf(this).exists();
  }

  static count<T extends Model>(this: ModelOf<T>): Promise<number> {
    return queryOf(this).count();
  }

  /** `record.increment(…)` by key, without reading the record. */
  static async increment<T extends Model, K extends CounterName<T>>(
    this: ModelOf<T>,
    key: Key<T>,
    name: K,
    by?: T[K],
  ): Promise<void> {
    await changeCounter(currentSession(), counterChange(modelRegistry.schemaOf(this), key, 'increment', name, by));
  }

  /** `record.decrement(…)` by key, without reading the record. */
  static async decrement<T extends Model, K extends CounterName<T>>(
    this: ModelOf<T>,
    key: Key<T>,
    name: K,
    by?: T[K],
  ): Promise<void> {
    await changeCounter(currentSession(), counterChange(modelRegistry.schemaOf(this), key, 'decrement', name, by));
  }

  static pluck<T extends Model, K extends AttributeName<T>>(this: ModelOf<T>, name: K): Promise<T[K][]>;
  static pluck<T extends Model, const K extends readonly AttributeName<T>[]>(
    this: ModelOf<T>,
    ...names: K
  ): Promise<{ -readonly [I in keyof K]: T[K[I]] }[]>;
  static pluck<T extends Model>(this: ModelOf<T>, ...names: AttributeName<T>[]): Promise<unknown[]> {
    return queryOf(this).pluck(...names);
  }
}

function queryOf<T extends Model>(model: ModelOf<T>): Query<T> {
  return recordModelOf(modelRegistry.schemaOf(model)).query() as unknown as Query<T>;
}

const RESERVED: readonly string[] = ['then', ...Object.getOwnPropertyNames(Model.prototype)];

modelRegistry.addRule((schema) =>
  [...schema.columns, ...schema.facts('association'), ...schema.facts('polymorphic'), ...schema.facts('through')]
    .map(({ property }) => property)
    .concat(schema.virtuals)
    .filter((property) => RESERVED.includes(property))
    .map((property) => `.${property}: is a name that every record uses itself; choose another, and name the column.`),
);
