import { joiningValue } from '../associations/association';
import type { Association } from '../associations/association';
import { declaredDependents } from '../associations/dependents';
import { DependentRecordsError } from '../associations/errors';
import { recordModelOf } from '../associations/record-model';
import { targetsOf } from '../associations/targets';
import { hasCallbacks } from '../callbacks/run';
import { hasRulesOverRows } from '../consistency/rules-over-rows';
import type { Statement } from '../database/statement';
import type { Query } from '../query/query';
import { deleteStatement, updateStatement } from '../query/statements';
import type { ModelSchema } from '../schema/model-schema';
import { allEnded } from '../transaction/all-ended';
import { readTogether } from '../transaction/flight';
import { noteWrite } from '../transaction/held-reads';
import type { Session } from '../transaction/session';
import { unkeyedClaims } from './unseen-children';

/** How many records are read at a time, to be destroyed one by one. */
const BATCH = 500;

/** The records at the other end of an association that are settled, or must not be there. */
export interface Dependent {
  readonly association: Association;
  readonly records: Query<object>;
}

/**
 * Does to the records that depend on `owner` what is declared, in the order of the declarations, and at the end `last`.
 * The owner's row must be locked `for update` before: then no more can come to belong to it, since saving one locks its
 * parent `for key share`.
 *
 * Statements that follow one another leave in one flight, as does a look at all that must not be there.
 *
 * @throws DependentRecordsError where `restrict` is declared and there are any
 */
export async function settleDependents(
  session: Session,
  schema: ModelSchema,
  owner: object,
  associations: readonly Association[],
  last: () => Promise<void>,
): Promise<void> {
  const dependents = associations.map((association): Dependent => ({
    association,
    records: targetsOf(association, [joiningValue(association, owner)]),
  }));
  const isRestricted = ({ association }: Dependent) => association.dependent === 'restrict';
  // What refuses comes first, so that nothing is undone for a destroy that cannot be.
  await assertNone(schema, dependents.filter(isRestricted));
  const settled = dependents.filter((dependent) => !isRestricted(dependent));
  const areOneStatement = await readTogether(settled.map((dependent) => () => isOneStatement(session, dependent)));
  const flight: (() => Promise<void>)[] = [];
  const leave = () => allEnded(flight.splice(0).map((send) => send()));
  for (const [index, dependent] of settled.entries()) {
    if (areOneStatement[index]) {
      const statement = statementFor(dependent);
      flight.push(() => write(session, dependent, statement));
    } else {
      await leave();
      await settle(dependent);
    }
  }
  flight.push(last);
  await leave();
}

/** @throws DependentRecordsError for the first association that leads to any record */
export async function assertNone(schema: ModelSchema, dependents: readonly Dependent[]): Promise<void> {
  const isAny = await readTogether(
    dependents.map(
      ({ records }) =>
        () =>
          records.exists(),
    ),
  );
  const found = dependents[isAny.indexOf(true)];
  if (found) throw new DependentRecordsError(schema.name, found.association.property);
}

/** Whether nothing else is to be done or seen to: of a model without callbacks and dependents, `destroy` is `delete`. */
async function isOneStatement(session: Session, { association }: Dependent): Promise<boolean> {
  const { dependent, target } = association;
  if (hasRulesOverRows(target)) return false;
  if (dependent === 'nullify') return true;
  const isCalled = hasCallbacks(target, ['destroy']) || declaredDependents(target).length > 0;
  return !(dependent === 'destroy' && isCalled) && (await unkeyedClaims(session, target)).length === 0;
}

function statementFor({ association: { dependent, target, foreignKey, typeKey }, records }: Dependent): Statement {
  if (dependent !== 'nullify') return deleteStatement(records.plan);
  const columns = [foreignKey, ...(typeKey ? [typeKey.column] : [])];
  const assignments = columns.map(({ property }) => ({ property, how: 'set', value: null }) as const);
  recordModelOf(target).assertAssignable(assignments);
  return updateStatement(records.plan, assignments);
}

async function write(session: Session, { association: { target } }: Dependent, statement: Statement): Promise<void> {
  noteWrite(session.scope, target.table);
  try {
    await session.execute(statement);
  } catch (error) {
    throw recordModelOf(target).explain(error);
  }
}

async function settle({ association: { dependent, target, foreignKey, typeKey }, records }: Dependent): Promise<void> {
  switch (dependent) {
    case 'delete':
      await records.deleteAll();
      return;
    case 'nullify':
      await records.updateAll({ [foreignKey.property]: null, ...(typeKey && { [typeKey.column.property]: null }) });
      return;
    case 'destroy':
      for (;;) {
        const batch = await records.order(target.primaryKey.property as never).limit(BATCH);
        for (const record of batch) await recordModelOf(target).destroy(record);
        if (batch.length < BATCH) return;
      }
  }
}
