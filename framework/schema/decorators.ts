import 'reflect-metadata';
import type { ColumnType, ColumnTypeName, ColumnValue, KeyTypeName } from './column-types';
import { COLUMN_TYPE_NAMES, columnType, columnTypeOfClass, enumType } from './column-types';
import { snakeCase } from './naming';
import type { ColumnFact, ModelClass } from './facts';
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

/** Says which table holds the records of a model. */
export function Table(name: string): (model: ModelClass) => void {
  return (model) => modelRegistry.declare(model, { kind: 'table', name });
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
