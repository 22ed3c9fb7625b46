import 'reflect-metadata';
import type { ColumnType, ColumnTypeName, ColumnValue, KeyTypeName } from './column-types';
import { COLUMN_TYPE_NAMES, columnType, columnTypeOfClass, enumType } from './column-types';
import { snakeCase } from './naming';
import type { ColumnFact, ModelClass, OnConflict } from './facts';
import { modelRegistry } from './registry';

export interface ColumnOptions {
  /** Column name in the table. Default: the property in snake_case. */
  readonly name?: string;
  /** Whether the attribute may be null. Default false. */
  readonly nullable?: boolean;
  /** What a new record gets: a value, or a function that makes one. */
  readonly default?: unknown;
  /** The database fills the column in when the record has no value for it. Default false. */
  readonly databaseDefault?: boolean;
  /** The database alone fills the column in (`generated always as …`). Default false. */
  readonly generated?: boolean;
  /** The values of an `enum` column. */
  readonly values?: readonly string[];
}

/**
 * A property decorator that compiles only on a property whose type the column can hold. The check is by a
 * conditional type on the property, so a mismatch is reported on the decorator.
 */
export type ColumnDecorator<V, O extends ColumnOptions = ColumnOptions> = <
  K extends string,
  M extends { readonly [P in K]: V },
>(
  prototype: M,
  property: K & (O extends { nullable: true } ? MayBeNull<M[K]> : unknown),
) => void;

/** Nothing fits it, unless the type holds null: what can be read as null must say so. */
type MayBeNull<V> = null extends V ? unknown : never;

type ValueUnder<N extends ColumnTypeName, O extends ColumnOptions> =
  | (O extends { values: readonly (infer E)[] } ? (N extends 'enum' ? E : readonly E[]) : ColumnValue<N>)
  | (O extends { nullable: true } ? null : never);

export interface TableOptions {
  /**
   * What becomes of a save whose row was changed by somebody else since the record was read.
   *
   * - `fail`   StaleRecordError (default)
   * - `retry`  the transaction that read the record is run again from the start; a record that was read before it
   *            fails as stale all the same, since running again would not read it anew
   * - `merge`  what only one of the two changed is kept, attribute by attribute; MergeConflictError where both
   *            changed one differently. JSON values and arrays are attributes as a whole.
   */
  readonly onConflict?: OnConflict;
}

/** Says which table holds the records of a model. */
export function Table(name: string, options: TableOptions = {}): (model: ModelClass) => void {
  return (model) => modelRegistry.declare(model, { kind: 'table', name, ...options });
}

/**
 * Says that a property is a column. The column's type is that of the property (`string` → `text`, `number`
 * → `integer`, `bigint`, `boolean`, `Date` → `timestamptz`, `Decimal` → `numeric`, `Buffer` → `bytea`), or is
 * named: needed for all other types, and where the property may be null.
 */
export function Column(options?: ColumnOptions): PropertyDecorator;
export function Column<N extends ColumnTypeName, const O extends ColumnOptions = Record<never, never>>(
  type: N,
  options?: O,
): ColumnDecorator<ValueUnder<N, O>, O>;
export function Column(first?: ColumnTypeName | ColumnOptions, second?: ColumnOptions): PropertyDecorator {
  const [type, options] = typeof first === 'string' ? [first, second ?? {}] : [undefined, first ?? {}];
  return (prototype, key) => declareColumn(prototype, key, type, options);
}

/**
 * The primary key. Filled in by the database (`generated … as identity`) unless `default` says how to make
 * one, as for `@Id('uuid', { default: randomUUID })`.
 */
export function Id(options?: ColumnOptions): PropertyDecorator;
export function Id<N extends KeyTypeName>(type: N, options?: ColumnOptions): ColumnDecorator<ColumnValue<N>>;
export function Id(first?: KeyTypeName | ColumnOptions, second?: ColumnOptions): PropertyDecorator {
  const [type, options] = typeof first === 'string' ? [first, second ?? {}] : [undefined, first ?? {}];
  return (prototype, key) =>
    declareColumn(
      prototype,
      key,
      type,
      { databaseDefault: options.default === undefined, ...options },
      { isPrimaryKey: true },
    );
}

/** Set to the present when the row is inserted. */
export function CreatedAt(options: Pick<ColumnOptions, 'name'> = {}): ColumnDecorator<Date> {
  return (prototype, key) => declareColumn(prototype, key, 'timestamptz', options, { timestamp: 'created' });
}

/** Set to the present when the row is inserted, and whenever a changed record is saved. */
export function UpdatedAt(options: Pick<ColumnOptions, 'name'> = {}): ColumnDecorator<Date> {
  return (prototype, key) => declareColumn(prototype, key, 'timestamptz', options, { timestamp: 'updated' });
}

/** An attribute that no column holds: assigned, validated and tracked like the others, never stored. */
export function Virtual(): PropertyDecorator {
  return (prototype, key) =>
    modelRegistry.declare(prototype.constructor as ModelClass, { kind: 'virtual', property: String(key) });
}

type VersionTypeName = 'integer' | 'bigint';

/** Like {@link ColumnDecorator}, and only on a `readonly` property. */
export type VersionDecorator<V> = <K extends string, M extends { readonly [P in K]: V }>(
  prototype: M,
  property: K & IfReadonly<Pick<M, K>>,
) => void;

/** Nothing fits it, unless all properties of `P` are readonly: two types are equal to the compiler with their modifiers. */
type IfReadonly<P> = (<T>() => T extends P ? 1 : 2) extends <T>() => T extends Readonly<P> ? 1 : 2 ? unknown : never;

/**
 * The version of a row: 1 when it is inserted, one more at each save and at each `updateAll`, `increment` and
 * `decrement`. For those who hand a version out, in a form or an API, and get it back: `save({ ifVersion })`.
 * Raw SQL does not count it on; a save is refused as stale after that all the same.
 */
export function Version(options?: Pick<ColumnOptions, 'name'>): VersionDecorator<number | bigint>;
export function Version<N extends VersionTypeName>(
  type: N,
  options?: Pick<ColumnOptions, 'name'>,
): VersionDecorator<ColumnValue<N>>;
export function Version(
  first?: VersionTypeName | Pick<ColumnOptions, 'name'>,
  second?: Pick<ColumnOptions, 'name'>,
): PropertyDecorator {
  const [type, options] = typeof first === 'string' ? [first, second ?? {}] : [undefined, first ?? {}];
  return (prototype, key) => {
    const isBig = type === 'bigint' || Reflect.getMetadata('design:type', prototype, key) === BigInt;
    declareColumn(prototype, key, type, options, { isVersion: true, initial: () => (isBig ? 1n : 1) });
  };
}

modelRegistry.addRule(({ columns }) => {
  const versions = columns.filter(({ isVersion }) => isVersion);
  return versions.flatMap(({ property, type }, index) => [
    ...(index > 0 ? [`.${property}: is the second @Version; one counts for the whole row.`] : []),
    ...(['integer', 'bigint'].includes(type.name) ? [] : [`.${property}: is the @Version and cannot be ${type.name}.`]),
  ]);
});

function declareColumn(
  prototype: object,
  key: string | symbol,
  typeName: ColumnTypeName | undefined,
  options: ColumnOptions,
  more: Partial<ColumnFact> = {},
): void {
  const property = String(key);
  const emitted = Reflect.getMetadata('design:type', prototype, key) as unknown;
  const initial = options.default;
  modelRegistry.declare(prototype.constructor as ModelClass, {
    kind: 'column',
    property,
    name: options.name ?? snakeCase(property),
    type: () => typeFor(typeName, options, emitted),
    isNullable: options.nullable ?? false,
    hasDatabaseDefault: options.databaseDefault ?? false,
    isGenerated: options.generated ?? false,
    initial: initial === undefined || typeof initial === 'function' ? (initial as () => unknown) : () => initial,
    ...more,
  });
}

function typeFor(name: ColumnTypeName | undefined, { values }: ColumnOptions, emitted: unknown): ColumnType | string {
  if (name === undefined) {
    return (
      columnTypeOfClass(emitted) ??
      "the compiler tells no usable type for it; name the column's type, as in @Column('jsonb')."
    );
  }
  if (name === 'enum' || name === 'enum[]') {
    if (!values)
      return 'is an enum; list its values, as in { values: ["open", "closed"] } (undefined ones may come from a circle of imports).';
    return enumType(values, name === 'enum[]');
  }
  return (
    columnType(name) ?? `has the unknown column type "${String(name)}"; known are ${COLUMN_TYPE_NAMES.join(', ')}.`
  );
}
