import { aggregateColumns, assertRootsLocked, lockRoots } from '../consistency/aggregate-lock';
import { touchGroups } from '../consistency/touched-groups';
import { watchedColumns } from '../consistency/invariants';
import { rowsOfTexts } from '../consistency/row-values';
import type { SelectPlan } from '../query/plan';
import type { BuildWrite } from '../query/source';
import { selectStatement } from '../query/statements';
import type { Assignment } from '../query/statements';
import type { StatementResult } from '../database/statement';
import { currentSession } from '../transaction/current';
import type { Session } from '../transaction/session';

/**
 * Runs a write through a query. What it writes to belongs to groups and aggregates with rules over them: the aggregates
 * are locked first, and the groups checked before the commit. Of a model without such rules it is the one statement.
 *
 * @param assignments what it sets; none for a deletion
 * @returns how many rows it wrote
 */
export async function writeThroughQuery(
  plan: SelectPlan,
  assignments: readonly Assignment[],
  build: BuildWrite,
): Promise<number> {
  const { schema } = plan;
  const session = currentSession();
  const columns = [...new Set([...watchedColumns(schema), ...aggregateColumns(schema)])];
  if (columns.length === 0) return (await session.execute(build([]))).rowCount;
  const { rowCount } = await inTransaction(session, async () => {
    await lockAggregatesOf(session, plan, assignments);
    const result = await session.execute(build(columns));
    const written = rowsOfTexts(columns, result.rows);
    assertRootsLocked(session, schema, written);
    for (const row of written) touchGroups(session.scope!, schema, row);
    return result;
  });
  return rowCount;
}

function inTransaction(session: Session, body: () => Promise<StatementResult>): Promise<StatementResult> {
  return session.scope ? body() : session.transaction({}, body);
}

/** Those that the rows are in, and those that they are moved to. What comes into the query later is noticed when written. */
async function lockAggregatesOf(session: Session, plan: SelectPlan, assignments: readonly Assignment[]): Promise<void> {
  const columns = aggregateColumns(plan.schema);
  if (columns.length === 0) return;
  const properties = columns.map(({ property }) => property);
  const { rows } = await session.execute(
    selectStatement({ ...plan, order: [], lock: undefined }, { kind: 'attributes', properties }),
  );
  const assigned = Object.fromEntries(assignments.map(({ property, value }) => [property, value]));
  await lockRoots(session, plan.schema, rowsOfTexts(columns, rows), assigned);
}
