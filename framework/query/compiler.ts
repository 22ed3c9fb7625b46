import type { Compilable } from 'kysely';
import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import type { RowNames, Statement } from '../database/statement';
import { statementName } from '../database/statement-name';

/** Any table, any column: names come from sealed schemas, which have been checked. */
export type AnyTables = Record<string, Record<string, unknown>>;

/** Builds and compiles, but never runs. */
export const offline = new Kysely<AnyTables>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});

/** Stands for the value at `index` while a statement is compiled once for all values. */
export class Placeholder {
  constructor(readonly index: number) {}
}

/** The values of a statement in the making: `bind` puts one in and gives what stands for it in the SQL. */
export interface Binder {
  bind(value: unknown): unknown;
}

/** A statement's text, compiled once for all queries of the same shape. */
interface CompiledShape {
  readonly text: string;
  /** Undefined where the shape is not kept. */
  readonly name: string | undefined;
  /** For each parameter of the text, which of the values it is. */
  readonly order: readonly number[];
  readonly isInOrder: boolean;
}

// More shapes than this come from queries that are put together at run time without end, such as an `or`
// over a list: those are compiled each time and not kept, here or as prepared statements on the server.
const MOST_SHAPES = 1_000;
const shapes = new Map<string, CompiledShape>();

/**
 * The statement of a query's shape with these values.
 *
 * @param shape says all about the query but its values: same shape, same text
 * @param values in the order in which `build` binds them
 */
export function statementFor(
  shape: string,
  values: readonly unknown[],
  writes: boolean,
  build: (binder: Binder) => Compilable,
  about?: RowNames,
): Statement {
  const known = shapes.get(shape) ?? compileShape(shape, build);
  return {
    text: known.text,
    name: known.name,
    values: known.isInOrder ? values : known.order.map((index) => values[index]),
    valuesAs: 'text',
    writes,
    about,
  };
}

function compileShape(shape: string, build: (binder: Binder) => Compilable): CompiledShape {
  let bound = 0;
  const { sql, parameters } = build({ bind: () => new Placeholder(bound++) }).compile();
  const order = parameters.map((parameter) => (parameter as Placeholder).index);
  const isKept = shapes.size < MOST_SHAPES;
  const compiled: CompiledShape = {
    text: sql,
    name: isKept ? statementName(sql) : undefined,
    order,
    isInOrder: order.every((index, position) => index === position),
  };
  if (isKept) shapes.set(shape, compiled);
  return compiled;
}

/** For a statement that is compiled each time, with its values in it. */
export const direct: Binder = { bind: (value) => value };
