import type { AliasedRawBuilder, RawBuilder } from 'kysely';
import { sql } from 'kysely';
import { selectedNames } from '../attributes/hydrator';
import type { Column, ModelSchema } from '../schema/model-schema';

/** Says that an attribute's value is more than what its column holds. */
export interface ReadingFact {
  readonly property: string;
  /** SQL for the value, in a statement on the table. */
  readonly sql: (table: string, column: string, key: string) => string;
}

declare module '../schema/facts' {
  interface FactSlots {
    reading: ReadingFact;
  }
}

type ColumnName = Pick<Column, 'property' | 'name'>;

/** Whether an attribute's value is more than what its column holds, so that it cannot be set by setting the column. */
export function isReading(schema: ModelSchema, property: string): boolean {
  return schema.facts('reading').some((fact) => fact.property === property);
}

/** The value of a column, in a statement on its table. */
export function valueOf(schema: ModelSchema, { property, name }: ColumnName): RawBuilder<unknown> {
  const reading = schema.facts('reading').find((fact) => fact.property === property);
  return reading ? sql.raw(reading.sql(schema.table, name, schema.primaryKey.name)) : sql.ref(name);
}

/** The same where it is selected or returned, under the column's name. */
export function selected(schema: ModelSchema, column: ColumnName): AliasedRawBuilder<unknown, string> {
  const value = valueOf(schema, column);
  const named = isReading(schema, column.property) ? sql`${value} as ${sql.ref(column.name)}` : value;
  return named as unknown as AliasedRawBuilder<unknown, string>; // a plain column has its name already
}

/** What a model's hydrator takes: in the order of {@link selectedNames}. */
export function selectList(schema: ModelSchema): AliasedRawBuilder<unknown, string>[] {
  return selectedNames(schema).map((name, index) => {
    const column = schema.columns[index] ?? { property: '', name }; // the row's version comes after the columns
    return selected(schema, column);
  });
}
