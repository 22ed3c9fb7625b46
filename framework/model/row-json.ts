import type { RecordState } from '../attributes/record-state';
import type { Column, ModelSchema } from '../schema/model-schema';

/** What is assigned, as JSON by column, whose texts PostgreSQL reads by each column's own type. */
export function rowJson({ columns }: ModelSchema, { assigned }: RecordState): string {
  const row: Record<string, unknown> = {};
  for (const column of columns) {
    const value = assigned[column.property];
    if (value !== undefined) row[column.name] = jsonOf(column, value);
  }
  return JSON.stringify(row);
}

function jsonOf({ type }: Column, value: unknown): unknown {
  if (value === null) return null;
  const encoded = type.encode(value);
  if (type.name === 'jsonb') return JSON.parse(encoded as string);
  if (!Array.isArray(encoded)) return textOf(encoded);
  const element = type.name === 'jsonb[]' ? (item: unknown): unknown => JSON.parse(item as string) : textOf;
  return encoded.map((item: unknown) => (item === null ? null : element(item)));
}

function textOf(value: unknown): string {
  return Buffer.isBuffer(value) ? `\\x${value.toString('hex')}` : String(value);
}
