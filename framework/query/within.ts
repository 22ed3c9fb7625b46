import type { Expression, SqlBool } from 'kysely';
import { sql } from 'kysely';
import type { ModelSchema } from '../schema/model-schema';
import { direct, offline } from './compiler';
import { columnOf, conditionSql } from './condition-sql';
import type { Condition } from './conditions';

/** The values of one attribute in the rows that answer to a condition. */
export interface ValuesOf {
  readonly schema: ModelSchema;
  readonly property: string;
  readonly condition: Condition;
}

/** That an attribute's value is among those of another table. */
export function within(schema: ModelSchema, property: string, values: ValuesOf): Expression<SqlBool> {
  const among = offline
    .selectFrom(values.schema.table)
    .select(columnOf(values.schema, values.property).name)
    .where(conditionSql(values.schema, values.condition, direct));
  return sql<SqlBool>`${sql.ref(columnOf(schema, property).name)} in ${among}`;
}
