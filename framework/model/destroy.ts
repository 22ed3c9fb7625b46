import { STATE } from '../attributes/record-state';
import { DependentRecordsError } from '../associations/errors';
import type { Association } from '../associations/association';
import { declaredDependents, withClaims } from '../associations/dependents';
import { hasCallbacks, registerOutcomeCallbacks, withCallbacks } from '../callbacks/run';
import { hasRulesOverRows } from '../consistency/rules-over-rows';
import { ForeignKeyViolationError } from '../database/errors';
import type { ModelSchema } from '../schema/model-schema';
import { currentSession } from '../transaction/current';
import type { Scope } from '../transaction/scope';
import type { Session } from '../transaction/session';
import { isAboutTable } from '../validation/constraints';
import { lockAggregates, noteWritten } from './aggregate';
import type { DestroyOptions } from './conflict';
import { assertPreconditions, conflictMode, lockUnchanged, versionElsewhere } from './conflict';
import { RecordDestroyedError, RecordNotSavedError } from './errors';
import { enrol, schemaOfRecord } from './record';
import type { RecordObject } from './record';
import { inLockingScope, inOwnScope } from './own-scope';
import { settleDependents } from './settle-dependents';
import { seeAll, unkeyedClaims } from './unseen-children';
import { deleteStatement, deleteVersionStatement } from './write-statements';
import { joiningWriters, noteWriting } from './written-tables';

/** Deletes the row of a record, after its dependents, with callbacks, in one transaction. */
export async function destroyRecord(record: RecordObject, options: DestroyOptions): Promise<void> {
  const schema = schemaOfRecord(record);
  const { persistence } = record[STATE];
  if (persistence === 'new') throw new RecordNotSavedError(schema.name, 'destroy()');
  if (persistence === 'destroyed') throw new RecordDestroyedError(schema.name, 'destroy()');
  conflictMode(schema, options); // refuses what it cannot be
  assertPreconditions(schema, record[STATE], options);
  const session = currentSession();
  const dependents = withClaims(declaredDependents(schema), await unkeyedClaims(session, schema));
  if (dependents.length > 0) {
    await inLockingScope(session, (scope) =>
      destroyWithDependents(session, schema, record, scope, options, dependents),
    );
  } else if (hasCallbacks(schema, ['destroy']) || hasRulesOverRows(schema)) {
    await inOwnScope(session, (scope) => destroyAlone(session, schema, record, scope, options));
  } else {
    await deleteVersion(session, schema, record, options);
  }
}

async function destroyWithDependents(
  session: Session,
  schema: ModelSchema,
  record: RecordObject,
  scope: Scope,
  options: DestroyOptions,
  dependents: readonly Association[],
): Promise<void> {
  enrol(scope, record);
  registerOutcomeCallbacks(schema, record, 'destroy', scope);
  await lockAggregates(session, schema, record);
  const state = record[STATE];
  const written = noteWriting(scope, schema);
  await seeAll(session, scope, dependents);
  await joiningWriters(session, scope, written, () => lockUnchanged(session, schema, state, options));
  await withCallbacks(schema, record, 'destroy', async () => {
    await settleDependents(session, schema, record, dependents, async () => {
      await refusedByForeignKey(schema, () => session.execute(deleteStatement(schema, state)), { scope, dependents });
    });
    noteWritten(session, schema, state.stored);
    record[STATE] = record[STATE].destroyed();
  });
}

async function destroyAlone(
  session: Session,
  schema: ModelSchema,
  record: RecordObject,
  scope: Scope,
  options: DestroyOptions,
): Promise<void> {
  registerOutcomeCallbacks(schema, record, 'destroy', scope);
  await lockAggregates(session, schema, record);
  await withCallbacks(schema, record, 'destroy', () => deleteVersion(session, schema, record, options));
}

async function deleteVersion(
  session: Session,
  schema: ModelSchema,
  record: RecordObject,
  options: DestroyOptions,
): Promise<void> {
  enrol(session.scope, record);
  const state = record[STATE];
  assertPreconditions(schema, state, options); // again: another save of this instance may have come between
  // A foreign key may refuse it; undone by itself, the transaction around it can go on.
  const { rowCount } = await refusedByForeignKey(schema, () =>
    session.executeBehindSavepoint(deleteVersionStatement(schema, state)),
  );
  if (rowCount === 0) {
    record[STATE] = state.movedTo(await versionElsewhere(session, schema, state, options));
    return deleteVersion(session, schema, record, options);
  }
  noteWritten(session, schema, state.stored);
  record[STATE] = state.destroyed();
}

/**
 * A foreign key in the database may refuse what no association declares; or what the dependents were settled for,
 * when more have come that this transaction's picture does not show: then it is run again with their table locked
 * against writers before another picture is taken.
 *
 * @param settled the dependents, and where they were settled
 */
async function refusedByForeignKey<T>(schema: ModelSchema, run: () => Promise<T>, settled?: Settled): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof ForeignKeyViolationError)) throw error;
    const unseen = settled && unseenTable(error, settled);
    if (unseen !== undefined) settled!.scope.transaction.runAgainWith({ tables: [unseen] });
    throw new DependentRecordsError(schema.name, `rows in "${error.details.table}"`, error);
  }
}

interface Settled {
  readonly scope: Scope;
  readonly dependents: readonly Association[];
}

function unseenTable(error: ForeignKeyViolationError, { scope, dependents }: Settled): string | undefined {
  const { isolation, precautions } = scope.transaction;
  if (isolation === 'read committed') return undefined;
  const table = dependents.find(({ target }) => isAboutTable(target, error))?.target.table;
  return table === undefined || precautions.hasTable(table) ? undefined : table;
}
