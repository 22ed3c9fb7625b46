import { STATE } from '../attributes/record-state';
import { DependentRecordsError } from '../associations/errors';
import { dependentsOf, settleDependents } from '../associations/dependents';
import { hasCallbacks, registerOutcomeCallbacks, withCallbacks } from '../callbacks/run';
import { hasRulesOverRows } from '../consistency/rules-over-rows';
import { ForeignKeyViolationError, SerializationFailureError } from '../database/errors';
import type { ModelSchema } from '../schema/model-schema';
import { currentSession } from '../transaction/current';
import type { Scope } from '../transaction/scope';
import type { Session } from '../transaction/session';
import { lockAggregates, noteWritten } from './aggregate';
import type { DestroyOptions } from './conflict';
import { assertPreconditions, conflictMode, lockUnchanged, versionElsewhere } from './conflict';
import { RecordDestroyedError, RecordNotSavedError } from './errors';
import { enrol, schemaOfRecord } from './record';
import type { RecordObject } from './record';
import { inOwnScope } from './own-scope';
import { deleteStatement, deleteVersionStatement } from './write-statements';

/** Deletes the row of a record, after its dependents, with callbacks, in one transaction. */
export async function destroyRecord(record: RecordObject, options: DestroyOptions): Promise<void> {
  const schema = schemaOfRecord(record);
  const { persistence } = record[STATE];
  if (persistence === 'new') throw new RecordNotSavedError(schema.name, 'destroy()');
  if (persistence === 'destroyed') throw new RecordDestroyedError(schema.name, 'destroy()');
  conflictMode(schema, options); // refuses what it cannot be
  assertPreconditions(schema, record[STATE], options);
  const session = currentSession();
  if (dependentsOf(schema).length > 0) {
    await inLockingScope(session, (scope) => destroyWithDependents(session, schema, record, scope, options));
  } else if (hasCallbacks(schema, ['destroy']) || hasRulesOverRows(schema)) {
    await inOwnScope(session, (scope) => destroyAlone(session, schema, record, scope, options));
  } else {
    await deleteVersion(session, schema, record, options);
  }
}

/**
 * A transaction in which a row that was waited for is followed by a look at what belongs to it as it is then.
 *
 * That is what `read committed` does; under the stronger levels the look would be at a picture taken before
 * the wait, without the children that were saved during it. The parent's lock then keeps out all others.
 * Inside a transaction that runs already, its level decides: `serializable` refuses the interleaving with others
 * that are serializable. Children that were saved under a weaker level since that transaction's picture was taken
 * are not seen, and only a foreign key in the database refuses to leave them behind.
 */
function inLockingScope(session: Session, body: (scope: Scope) => Promise<void>): Promise<void> {
  if (session.scope) return inOwnScope(session, body);
  return session.transaction({ isolation: 'read committed' }, () => body(session.scope!));
}

async function destroyWithDependents(
  session: Session,
  schema: ModelSchema,
  record: RecordObject,
  scope: Scope,
  options: DestroyOptions,
): Promise<void> {
  enrol(scope, record);
  registerOutcomeCallbacks(schema, record, 'destroy', scope);
  await lockAggregates(session, schema, record);
  const state = record[STATE];
  await lockUnchanged(session, schema, state, options);
  await withCallbacks(schema, record, 'destroy', async () => {
    await settleDependents(schema, record);
    await refusedByForeignKey(schema, () => session.execute(deleteStatement(schema, state)), scope);
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
 * when more have come that this transaction's picture does not show: then it begins anew, with another picture.
 *
 * @param scope where the dependents were settled
 */
async function refusedByForeignKey<T>(schema: ModelSchema, run: () => Promise<T>, scope?: Scope): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof ForeignKeyViolationError)) throw error;
    if (scope && mayBeUnseen(schema, error, scope)) {
      scope.transaction.mustRetry ??= new SerializationFailureError({
        what: `${schema.name} has got more rows in "${error.details.table}" since this transaction's first look.`,
        remedy: 'Run the transaction again; the runner does so by itself.',
        details: error.details,
        cause: error,
      });
      throw scope.transaction.mustRetry as Error;
    }
    throw new DependentRecordsError(schema.name, `rows in "${error.details.table}"`, error);
  }
}

/** Once only: a key that is none of the dependents' would refuse each time. */
function mayBeUnseen(schema: ModelSchema, { details }: ForeignKeyViolationError, { transaction }: Scope): boolean {
  if (transaction.isolation === 'read committed' || transaction.attempt > 1) return false;
  return dependentsOf(schema).some(({ target }) => target.table === details.table);
}
