import { inspect } from 'node:util';
import type { RecordState } from '../attributes/record-state';
import { Decimal } from '../schema/column-types';
import type { ModelSchema } from '../schema/model-schema';

/** The attributes, for JSON: bigints and decimals as text. */
export function asJson({ columns, virtuals }: ModelSchema, state: RecordState): Record<string, unknown> {
  const names = [...columns.map(({ property }) => property), ...virtuals];
  return Object.fromEntries(names.map((name) => [name, forJson(state.get(name))]));
}

/** For `console.log`. */
export function inspected({ name, columns }: ModelSchema, state: RecordState, options: object): string {
  const shown = (value: unknown) => (value instanceof Decimal ? value.toFixed() : value);
  const values = Object.fromEntries(columns.map(({ property }) => [property, shown(state.get(property))]));
  return `${name}${state.persistence === 'new' ? ' (new)' : ''} ${inspect(values, options)}`;
}

function forJson(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Decimal) return value.toFixed(); // its own toJSON would write 1e+21
  if (Array.isArray(value)) return value.map(forJson);
  return value;
}
