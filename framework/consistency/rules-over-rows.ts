import type { ModelSchema } from '../schema/model-schema';
import { aggregateColumns } from './aggregate-lock';
import { watchesOf } from './invariants';

/** Whether a write to a row of the model has to do with other rows: it then takes a transaction, also by itself. */
export function hasRulesOverRows(schema: ModelSchema): boolean {
  return watchesOf(schema).length > 0 || aggregateColumns(schema).length > 0;
}
