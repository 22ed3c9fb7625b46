import { Big } from 'big.js';
import type { TextParser } from './text-values';
import {
  asIs,
  parseArray,
  parseBoolean,
  parseBytea,
  parseJson,
  parseNumeric,
  parseTimestamptz,
  timestamptzText,
} from './text-values';
import { jsonRefusal, realRefusal, textRefusal, timestamptzRefusal } from './refusals';

/** An exact decimal number, for `numeric` columns. Sums, differences and products are exact at any length. */
export { Big as Decimal } from 'big.js';

/** What the values of each column type are in TypeScript. */
export interface ColumnValues {
  smallint: number;
  integer: number;
  bigint: bigint;
  real: number;
  'double precision': number;
  numeric: Big;
  text: string;
  varchar: string;
  /** Text that is compared without regard to case, in a `text` or a `citext` column. */
  citext: string;
  boolean: boolean;
  uuid: string;
  timestamptz: Date;
  /** A calendar day as `YYYY-MM-DD`: a Date would be a moment, and another day elsewhere. */
  date: string;
  /** Any JSON value; the property's own type says which. */
  jsonb: unknown;
  bytea: Buffer;
  /** A PostgreSQL enum; list its values in the option `values`. */
  enum: string;
}

export type ScalarTypeName = keyof ColumnValues;
/** Types of keys: two values are equal just when they are `===`, so that records can be told apart by them. */
export const KEY_TYPE_NAMES = [
  'smallint',
  'integer',
  'bigint',
  'text',
  'varchar',
  'citext',
  'uuid',
  'date',
  'enum',
] as const;
export type KeyTypeName = (typeof KEY_TYPE_NAMES)[number];
export type ColumnTypeName = ScalarTypeName | `${ScalarTypeName}[]`;
export type ColumnValue<N extends ColumnTypeName> = N extends `${infer S extends ScalarTypeName}[]`
  ? readonly ColumnValues[S][]
  : N extends ScalarTypeName
    ? ColumnValues[N]
    : never;

/** How values of one column type travel between JavaScript and PostgreSQL. */
export interface ColumnType {
  readonly name: ColumnTypeName;
  /** Names in `pg_type.typname` that such a column may have. Empty: any, as for enums. */
  readonly databaseNames: readonly string[];
  /** From the text that PostgreSQL prints. */
  readonly parse: TextParser;
  /** To what the driver sends. */
  encode(value: unknown): unknown;
  /** Why a value cannot be one of this type, as the end of a sentence; undefined when it can. */
  refusal(value: unknown): string | undefined;
  /** Whether values are objects that could be changed in place, unseen by dirty tracking. They are frozen. */
  readonly isFrozen: boolean;
}

const same = (value: unknown) => value;
const signed = (value: unknown) => (Object.is(value, -0) ? '-0' : value); // which JavaScript prints as 0
const MAX_BIGINT = 2n ** 63n - 1n;
const UUID = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i;

type Scalar = Omit<ColumnType, 'name' | 'encode' | 'isFrozen'> & Partial<Pick<ColumnType, 'encode' | 'isFrozen'>>;

const SCALARS: Readonly<Record<ScalarTypeName, Scalar>> = {
  smallint: { databaseNames: ['int2'], parse: Number, refusal: (v) => wholeNumber(v, 2 ** 15) },
  integer: { databaseNames: ['int4', 'int2'], parse: Number, refusal: (v) => wholeNumber(v, 2 ** 31) },
  bigint: {
    databaseNames: ['int8', 'int4', 'int2'],
    parse: BigInt,
    refusal: (v) => {
      if (typeof v !== 'bigint') return 'must be a bigint';
      return v > MAX_BIGINT || v < -MAX_BIGINT - 1n ? 'is out of range' : undefined;
    },
  },
  real: { databaseNames: ['float4'], parse: Number, encode: signed, refusal: realRefusal },
  'double precision': { databaseNames: ['float8', 'float4'], parse: Number, encode: signed, refusal: number },
  numeric: {
    databaseNames: ['numeric'],
    parse: parseNumeric,
    encode: (v) => (v as Big).toFixed(),
    refusal: (v) => (v instanceof Big ? undefined : 'must be a Decimal'),
  },
  text: { databaseNames: ['text', 'varchar', 'bpchar'], parse: asIs, refusal: textRefusal },
  varchar: { databaseNames: ['varchar', 'text'], parse: asIs, refusal: textRefusal },
  citext: { databaseNames: ['citext', 'text', 'varchar'], parse: asIs, refusal: textRefusal },
  boolean: {
    databaseNames: ['bool'],
    parse: parseBoolean,
    refusal: (v) => (typeof v === 'boolean' ? undefined : 'must be true or false'),
  },
  uuid: {
    databaseNames: ['uuid'],
    parse: asIs,
    refusal: (v) => (typeof v === 'string' && UUID.test(v) ? undefined : 'must be a UUID'),
  },
  timestamptz: {
    databaseNames: ['timestamptz'],
    parse: parseTimestamptz,
    encode: (v) => timestamptzText(v as Date),
    refusal: timestamptzRefusal,
  },
  date: { databaseNames: ['date'], parse: asIs, refusal: day },
  jsonb: {
    databaseNames: ['jsonb', 'json'],
    parse: parseJson,
    encode: (v) => JSON.stringify(v),
    refusal: jsonRefusal,
    isFrozen: true,
  },
  bytea: {
    databaseNames: ['bytea'],
    parse: parseBytea,
    refusal: (v) => (Buffer.isBuffer(v) ? undefined : 'must be a Buffer'),
  },
  enum: { databaseNames: [], parse: asIs, refusal: textRefusal },
};

const types = new Map<string, ColumnType>(
  Object.entries(SCALARS).flatMap(([name, scalar]): [string, ColumnType][] => {
    const type: ColumnType = { name: name as ScalarTypeName, encode: same, isFrozen: false, ...scalar };
    const array = arrayOf(type);
    return [
      [type.name, type],
      [array.name, array],
    ];
  }),
);

export function columnType(name: ColumnTypeName): ColumnType | undefined {
  return types.get(name);
}

export const COLUMN_TYPE_NAMES: readonly string[] = [...types.keys()];

/** An enum's values are known to the model, so that a wrong one is refused before the database sees it. */
export function enumType(values: readonly string[], isArray: boolean): ColumnType {
  const scalar: ColumnType = {
    ...types.get('enum')!,
    refusal: (v) => (values.includes(v as string) ? undefined : `must be one of ${values.join(', ')}`),
  };
  return isArray ? arrayOf(scalar) : scalar;
}

/** The type that a property's own TypeScript type stands for, by what the compiler emits as `design:type`. */
export function columnTypeOfClass(emitted: unknown): ColumnType | undefined {
  const name = NAMES_OF_CLASSES.get(emitted);
  return name && columnType(name);
}

const NAMES_OF_CLASSES = new Map<unknown, ColumnTypeName>([
  [String, 'text'],
  [Number, 'integer'],
  [BigInt, 'bigint'],
  [Boolean, 'boolean'],
  [Date, 'timestamptz'],
  [Buffer, 'bytea'],
  [Big, 'numeric'],
]);

function arrayOf(element: ColumnType): ColumnType {
  return {
    name: `${element.name as ScalarTypeName}[]`,
    databaseNames: element.databaseNames.map((name) => `_${name}`),
    parse: (text) => parseArray(text, element.parse),
    encode: (value) => (value as unknown[]).map((item) => (item === null ? null : element.encode(item))),
    refusal: (value) => {
      if (!Array.isArray(value)) return 'must be an array';
      const wrong = value.map((item) => element.refusal(item)).find((refusal) => refusal !== undefined);
      return wrong && `has an element that ${wrong}`;
    },
    isFrozen: true,
  };
}

function wholeNumber(value: unknown, bound: number): string | undefined {
  if (!Number.isInteger(value)) return 'must be a whole number';
  return (value as number) >= bound || (value as number) < -bound ? 'is out of range' : undefined;
}

function number(value: unknown): string | undefined {
  return typeof value === 'number' ? undefined : 'must be a number';
}

function day(value: unknown): string | undefined {
  const isDay =
    typeof value === 'string' &&
    /^\d{4}-\d\d-\d\d$/.test(value) &&
    !value.startsWith('0000') && // there is no year 0 in PostgreSQL's calendar
    !Number.isNaN(new Date(`${value}T00:00Z`).getTime());
  return isDay && new Date(`${value}T00:00Z`).toISOString().startsWith(value)
    ? undefined
    : 'must be a day as YYYY-MM-DD';
}
