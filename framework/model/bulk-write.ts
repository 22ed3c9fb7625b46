import { problemOfForeignKey, MUST_EXIST } from '../associations/parents';
import { aggregateColumns, lockRoots } from '../consistency/aggregate-lock';
import { watchedColumns } from '../consistency/invariants';
import type { RowValues } from '../consistency/row-values';
import { rowsOfTexts } from '../consistency/row-values';
import { hasRulesOverRows } from '../consistency/rules-over-rows';
import { touchGroups } from '../consistency/touched-groups';
import { SerializationFailureError, StatementError } from '../database/errors';
import type { ModelSchema } from '../schema/model-schema';
import { noteWrite } from '../transaction/held-reads';
import type { Session } from '../transaction/session';
import { asValidationError, takenProblem } from '../validation/constraints';
import { ValidationError } from '../validation/errors';
import { diagnoseBatch, missingParentsIn } from './bulk-diagnosis';
import type { Batch } from './bulk-rows';
import type { OnTaken, Returned } from './bulk-statements';
import { insertBatch, lookAtTaken } from './bulk-statements';
import { UnindexedRuleError } from './errors';
import { inOwnScope } from './own-scope';
import { attributesOf } from './unique-rule';

/** Rows to be written, and what becomes of each that is. */
export interface BulkWrite {
  readonly batches: readonly Batch[];
  readonly onTaken?: OnTaken;
  readonly returned: Returned;
  /** Called in the transaction, with what came back of a batch. @returns the values of its rows, for the rules over them */
  readonly take: (batch: Batch, rows: unknown[][]) => readonly RowValues[];
  /** Called before anything is written; again when the transaction is run again. */
  readonly begin: () => void;
}

/**
 * Writes batches of rows, all or none of them: the aggregates that they belong to are locked first, and the rules over
 * their groups checked before the commit.
 *
 * One statement a batch: one alone is a transaction by itself.
 */
export async function writeBatches(session: Session, schema: ModelSchema, write: BulkWrite): Promise<void> {
  let underWay = write.batches[0]!;
  const run = async () => {
    write.begin();
    const taken = await lockAggregates(session, schema, write);
    let changed = 0;
    for (const batch of write.batches) {
      underWay = batch;
      changed += await writeBatch(session, schema, write, batch);
    }
    if (taken !== undefined && changed > taken) runAgain(session, schema);
  };
  const isAlone = write.batches.length === 1 && !hasRulesOverRows(schema) && !session.scope;
  try {
    await (isAlone ? run() : inOwnScope(session, run));
  } catch (error) {
    throw await explained(session, schema, write, underWay, error);
  }
}

/** @returns of an upsert, how many of the rows were there already */
async function writeBatch(session: Session, schema: ModelSchema, write: BulkWrite, batch: Batch): Promise<number> {
  const { onTaken, returned, take } = write;
  noteWrite(session.scope, schema.table);
  const { rows } = await session.execute(insertBatch(schema, batch, onTaken, returned));
  if (rows.length === 0 && batch.parents.length > 0) {
    const isIgnoring = onTaken !== undefined && !onTaken.update;
    const missing = isIgnoring ? await missingParentsIn(session, schema, batch) : [];
    if (!isIgnoring || missing.length > 0) throw new ValidationError(schema.name, absent(batch));
  }
  const values = take(batch, rows);
  if (session.scope) for (const row of values) touchGroups(session.scope, schema, row);
  return onTaken?.update ? rows.filter((row) => row.at(-1) === 'f').length : 0;
}

/** The rows that an upsert changes leave groups and aggregates too: they are looked at, and locked, before. */
async function lockAggregates(
  session: Session,
  schema: ModelSchema,
  { batches, onTaken }: BulkWrite,
): Promise<number | undefined> {
  const given = batches.flatMap(({ rows }) => rows.map(({ state }) => state.assigned));
  const columns = [...new Set([...watchedColumns(schema), ...aggregateColumns(schema)])];
  if (!onTaken?.update || columns.length === 0) {
    if (aggregateColumns(schema).length > 0) await lockRoots(session, schema, given);
    return undefined;
  }
  const there: RowValues[] = [];
  for (const batch of batches) {
    const { rows } = await session.execute(lookAtTaken(schema, batch, onTaken.rule, columns));
    there.push(...rowsOfTexts(columns, rows));
  }
  await lockRoots(session, schema, [...there, ...given]);
  for (const row of there) touchGroups(session.scope!, schema, row);
  return there.length;
}

/** Rows were changed that came after the look at them: in which groups they were is not known. */
function runAgain({ scope }: Session, { name }: ModelSchema): void {
  const { transaction } = scope!; // rules over rows take one
  transaction.mustRetry ??= new SerializationFailureError({
    what: `A ${name} was created by somebody else while this upsert was about to.`,
    remedy: 'Run the transaction again; the runner does so by itself.',
    details: { sqlState: '40001', constraint: undefined, table: undefined, column: undefined },
  });
  throw transaction.mustRetry as Error;
}

async function explained(
  session: Session,
  schema: ModelSchema,
  { onTaken }: BulkWrite,
  batch: Batch,
  error: unknown,
): Promise<unknown> {
  const sqlState = error instanceof StatementError ? error.details.sqlState : undefined;
  if (onTaken && sqlState === '42P10') return new UnindexedRuleError(schema.name, attributesOf(onTaken.rule), error);
  const isTwice = onTaken !== undefined && sqlState === '21000'; // ON CONFLICT DO UPDATE would change a row twice
  const known = isTwice
    ? new ValidationError(schema.name, [takenProblem(onTaken.rule)], error)
    : asValidationError(schema, error, problemOfForeignKey, (property) => batch.properties.includes(property));
  if (!(known instanceof ValidationError)) return known;
  if (known.problems.some(({ index }) => index !== undefined)) return known;
  const problems = await diagnoseBatch(session, schema, batch, onTaken, known.problems);
  return new ValidationError(schema.name, problems, error);
}

function absent({ parents }: Batch) {
  return parents.map(({ property }) => ({ attribute: property, ...MUST_EXIST }));
}
