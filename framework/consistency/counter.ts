import { planFor } from '../query/plan';
import { selectStatement } from '../query/statements';
import type { Column } from '../schema/model-schema';
import type { Session } from '../transaction/session';
import { aggregateColumns, assertRootsLocked, lockRoots } from './aggregate-lock';
import type { CounterChange } from './counter-change';
import { changeRow } from './counter-row';
import { changeSlots } from './counter-slots';
import { watchedColumns } from './invariants';
import type { RowValues } from './row-values';
import { rowsOfTexts } from './row-values';
import { hasRulesOverRows } from './rules-over-rows';
import { touchGroups } from './touched-groups';

/**
 * Changes a counter, where its units are: in its row, or spread over slots. Of a model with rules over several rows, its
 * aggregate is locked first, and its groups are checked before the commit; by itself that is a transaction at read
 * committed, like the one statement that it is elsewhere.
 *
 * @returns the row as it is then, for the model's hydrator; undefined when it may not have been touched
 * @throws CounterExhaustedError, RecordNotFoundError
 */
export async function changeCounter(session: Session, change: CounterChange): Promise<string[] | undefined> {
  const write = () => (change.counter.slots === undefined ? changeRow(session, change) : changeSlots(session, change));
  if (!hasRulesOverRows(change.schema)) return write();
  if (session.scope) return underRules(session, change, write);
  return session.transaction({ isolation: 'read committed' }, () => underRules(session, change, write));
}

async function underRules<T>(session: Session, change: CounterChange, write: () => Promise<T>): Promise<T> {
  const { schema } = change;
  const roots = aggregateColumns(schema);
  if (roots.length > 0) await lockRoots(session, schema, await valuesOf(session, change, roots));
  const result = await write();
  const written = await valuesOf(session, change, [...new Set([...watchedColumns(schema), ...roots])]);
  assertRootsLocked(session, schema, written);
  for (const row of written) touchGroups(session.scope!, schema, row);
  return result;
}

async function valuesOf(
  session: Session,
  { schema, key }: CounterChange,
  columns: readonly Column[],
): Promise<RowValues[]> {
  const condition = { kind: 'compare', property: schema.primaryKey.property, operator: '=', value: key } as const;
  const properties = columns.map(({ property }) => property);
  const { rows } = await session.execute(
    selectStatement({ ...planFor(schema), condition }, { kind: 'attributes', properties }),
  );
  return rowsOfTexts(columns, rows);
}
