import type { Column } from '../schema/model-schema';

/** A value as PostgreSQL prints it, so that equal values of a key's type have one text. */
export function canonicalText({ type }: Column, value: unknown): string {
  if (type.name === 'boolean') return value === true ? 't' : 'f';
  const text = String(type.encode(value));
  if (type.name !== 'uuid') return text;
  const digits = text.replace(/-/g, '').toLowerCase();
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
