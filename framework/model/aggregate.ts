import { STATE } from '../attributes/record-state';
import { adoptParentKeys, MUST_EXIST } from '../associations/parents';
import { aggregateColumns, lockRoots } from '../consistency/aggregate-lock';
import { touchGroups } from '../consistency/touched-groups';
import type { ModelSchema } from '../schema/model-schema';
import type { Session } from '../transaction/session';
import { ValidationError } from '../validation/errors';
import { assign, errorsOf } from './record';
import type { RecordObject } from './record';

/**
 * Locks the aggregates that a record belongs to and those that it is about to, before anything else is done with it.
 *
 * @throws ValidationError when a root that it refers to anew is not there, as for any missing parent
 */
export async function lockAggregates(session: Session, schema: ModelSchema, record: RecordObject): Promise<void> {
  if (aggregateColumns(schema).length === 0) return;
  adoptParentKeys(schema, record, (property, key) => assign(record, property, key));
  const { stored, assigned } = record[STATE];
  const missing = await lockRoots(session, schema, [stored], assigned);
  if (missing.length === 0) return;
  const problems = missing.map((attribute) => ({ attribute, ...MUST_EXIST }));
  errorsOf(record).replace(problems);
  throw new ValidationError(schema.name, problems);
}

/** Has the rules checked that are over the groups of a row as it was and as it is now. */
export function noteWritten(session: Session, schema: ModelSchema, ...rows: Readonly<Record<string, unknown>>[]): void {
  const { scope } = session;
  if (scope) for (const row of rows) touchGroups(scope, schema, row);
}
