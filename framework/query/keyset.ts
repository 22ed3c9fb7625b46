import type { ModelSchema } from '../schema/model-schema';
import { columnOf } from './condition-sql';
import type { Condition } from './conditions';
import { InvalidCursorError, InvalidQueryError } from './errors';
import type { Ordering } from './ordering';
import type { SelectPlan } from './plan';

/** Some records in the query's order, and where to go on. */
export interface Page<R> {
  readonly records: R[];
  /** For `page({ after })`; undefined behind the last record. */
  readonly next: string | undefined;
}

export interface PageOptions {
  /** How many records at most, from 1. */
  readonly size: number;
  /** The `next` of the page before, as somebody may have passed it through a URL; none for the first. */
  readonly after?: string | undefined;
}

/**
 * The order that tells every two records apart: the query's, then the primary key.
 *
 * @throws InvalidQueryError where a column may be null: nothing stands before or behind null
 */
export function totalOrder({ schema, order }: SelectPlan): readonly Ordering[] {
  const key = schema.primaryKey.property;
  const until = order.findIndex(({ property }) => property === key);
  const total =
    until >= 0 ? order.slice(0, until + 1) : [...order, { property: key, direction: order.at(-1)?.direction ?? 'asc' }];
  const loose = total.find(({ property }) => columnOf(schema, property).isNullable);
  if (!loose) return total;
  throw new InvalidQueryError({
    what: `${schema.name}: page() cannot go on behind a null, which ${loose.property} may be.`,
    remedy: 'Order by attributes that are never null.',
  });
}

/** Where a row stands in an order: the texts of its cells, since a Date has fewer digits than PostgreSQL keeps. */
export function cursorAt(schema: ModelSchema, order: readonly Ordering[], row: readonly unknown[]): string {
  const cells = order.map(({ property }) => row[schema.columns.findIndex((column) => column.property === property)]);
  return Buffer.from(JSON.stringify([shapeOf(schema, order), ...cells])).toString('base64url');
}

/** That a row stands behind the cursor. @throws InvalidCursorError for what is none of this order's */
export function beyond(schema: ModelSchema, order: readonly Ordering[], cursor: string): Condition {
  const [shape, ...cells] = parsed(cursor);
  const fits =
    shape === shapeOf(schema, order) &&
    cells.length === order.length &&
    order.every(({ property }, index) => isCellOf(schema, property, cells[index]));
  if (!fits) throw new InvalidCursorError(schema.name);
  return { kind: 'beyond', order, cells: cells as string[] };
}

function shapeOf({ name }: ModelSchema, order: readonly Ordering[]): string {
  return [name, ...order.map(({ property, direction }) => `${property} ${direction}`)].join();
}

function parsed(cursor: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    return Array.isArray(value) ? value : [];
  } catch {
    return []; // it says nothing, and is refused for that
  }
}

function isCellOf(schema: ModelSchema, property: string, cell: unknown): boolean {
  if (typeof cell !== 'string') return false;
  const { type } = columnOf(schema, property);
  try {
    return type.refusal(type.parse(cell)) === undefined;
  } catch {
    return false; // a text that the type's parser does not understand
  }
}
