import type { RecordState } from '../attributes/record-state';
import { STATE } from '../attributes/record-state';
import { hydratorOf } from '../attributes/hydrator';
import type { Association } from '../associations/association';
import { defaultForeignKey } from '../associations/association';
import {
  absentParents,
  adoptParentKeys,
  missingParents,
  problemOfForeignKey,
  referredParents,
} from '../associations/parents';
import { hasCallbacks, registerOutcomeCallbacks, withCallbacks } from '../callbacks/run';
import type { Statement, StatementResult } from '../database/connection';
import { selectStatement } from '../query/statements';
import { planFor } from '../query/plan';
import type { ModelSchema } from '../schema/model-schema';
import { runInScope } from '../transaction/context';
import { currentSession } from '../transaction/current';
import type { Session } from '../transaction/session';
import type { Scope } from '../transaction/scope';
import { asValidationError } from '../validation/constraints';
import { ValidationError } from '../validation/errors';
import { validateRecord } from '../validation/validate';
import { RecordDestroyedError, StaleRecordError } from './errors';
import { assign, assertNotShadowed, enrol, errorsOf, schemaOfRecord } from './record';
import type { RecordObject } from './record';
import { insertStatement, updateStatement, writtenProperties } from './write-statements';

export interface SaveOptions {
  /** A validation context besides `create` or `update`: rules that name it are run too. */
  readonly context?: string;
}

/** Validates and writes a record, with its callbacks, in one transaction. */
export async function saveRecord(record: RecordObject, options: SaveOptions): Promise<void> {
  const schema = schemaOfRecord(record);
  assertNotShadowed(schema, record);
  if (record[STATE].persistence === 'destroyed') throw new RecordDestroyedError(schema.name, 'save()');
  const session = currentSession();
  const deed = record[STATE].persistence === 'new' ? 'create' : 'update';
  // One statement is a transaction by itself; with anything beside it, the two need one around them.
  if (!hasCallbacks(schema, ['validation', 'save', deed]) && schema.facts('validator').length === 0) {
    await validate(schema, record, options.context);
    await write(session, schema, record);
    return;
  }
  await inOwnScope(session, async (scope) => {
    enrol(scope, record);
    registerOutcomeCallbacks(schema, record, deed, scope);
    await validate(schema, record, options.context);
    await withCallbacks(schema, record, 'save', () =>
      withCallbacks(schema, record, deed, () => write(session, schema, record)),
    );
  });
}

/** Runs `body` in a transaction; in the one around it, if any, so that its failure undoes `body` alone. */
export function inOwnScope<T>(session: Session, body: (scope: Scope) => Promise<T>): Promise<T> {
  const { scope } = session;
  if (scope) return scope.savepoint((child) => runInScope(child, () => body(child)));
  return session.transaction({}, () => body(session.scope!));
}

/** @throws ValidationError; the same problems are then in the record's `errors` */
export async function validate(schema: ModelSchema, record: RecordObject, context?: string): Promise<void> {
  const errors = errorsOf(record);
  await withCallbacks(schema, record, 'validation', async () => {
    adoptParentKeys(schema, record, (property, key) => assign(record, property, key));
    const deed = record[STATE].persistence === 'new' ? 'create' : 'update';
    await validateRecord(schema, record, record[STATE], errors, context === undefined ? [deed] : [deed, context]);
    addMissingParents(schema, record);
  });
  if (!errors.isEmpty) throw new ValidationError(schema.name, errors.all);
}

/** A missing parent is a problem of the association, not of the attribute that would hold its key. */
function addMissingParents(schema: ModelSchema, record: RecordObject): void {
  const missing = missingParents(schema, record[STATE]);
  if (missing.length === 0) return;
  const errors = errorsOf(record);
  const keys = referencesOf(
    schema,
    missing.map(({ attribute }) => attribute),
  );
  errors.replace([
    ...errors.all.filter(({ attribute, code }) => !(code === 'required' && keys.includes(attribute))),
    ...missing,
  ]);
}

function referencesOf(schema: ModelSchema, associations: readonly string[]): string[] {
  return schema
    .facts('association')
    .filter(({ property }) => associations.includes(property))
    .map(({ property, foreignKey }) => foreignKey ?? defaultForeignKey(property));
}

const underWay = new WeakMap<RecordObject, Promise<void>>();

/** One write of a record at a time: two saves at once would insert it twice, or the second be refused as stale. */
async function write(session: Session, schema: ModelSchema, record: RecordObject): Promise<void> {
  for (let earlier = underWay.get(record); earlier; earlier = underWay.get(record)) await Promise.allSettled([earlier]);
  const writing = writeNow(session, schema, record);
  underWay.set(record, writing);
  try {
    await writing;
  } finally {
    underWay.delete(record);
  }
}

async function writeNow(session: Session, schema: ModelSchema, record: RecordObject): Promise<void> {
  const isNew = record[STATE].persistence === 'new';
  const before = record[STATE];
  if (!isNew && writtenProperties(schema, before).length === 0) {
    if (!before.isChanged) return;
    enrol(session.scope, record);
    record[STATE] = before.saved(before, before.assigned); // virtual attributes have nowhere to go
    return;
  }
  enrol(session.scope, record);
  const state = stamped(schema, before, isNew);
  const parents = referredParents(schema, state);
  const properties = writtenProperties(schema, state);
  const statement = isNew
    ? insertStatement(schema, state, parents)
    : updateStatement(schema, state, properties, parents);
  const { rows } = await send(session, schema, record, statement, properties);
  const [row] = rows;
  if (!row) return refuse(session, schema, record, state, parents);
  const virtuals = Object.fromEntries(
    schema.virtuals.filter((name) => state.get(name) !== undefined).map((name) => [name, state.get(name)]),
  );
  const saved = state.saved(hydratorOf(schema)(row as string[]), virtuals);
  record[STATE] = withAssignedSince(saved, before, record[STATE]);
}

/** What was assigned while the write was under way is still to be saved. */
function withAssignedSince(saved: RecordState, before: RecordState, now: RecordState): RecordState {
  if (now === before) return saved;
  return Object.keys({ ...before.assigned, ...now.assigned }).reduce((state, property) => {
    const value = now.get(property);
    return value === before.get(property) ? state : state.with(property, value);
  }, saved);
}

/** The record itself gets its timestamps with the row that comes back: a write that is refused leaves no trace. */
function stamped(schema: ModelSchema, state: RecordState, isNew: boolean): RecordState {
  const now = new Date();
  return schema.columns
    .filter(({ property, timestamp }) => timestamp !== undefined && !(property in state.assigned))
    .filter(({ timestamp }) => isNew || timestamp === 'updated')
    .reduce((stamping, { property }) => stamping.with(property, now), state);
}

async function send(
  session: Session,
  schema: ModelSchema,
  record: RecordObject,
  statement: Statement,
  properties: readonly string[],
): Promise<StatementResult> {
  try {
    // After a failed statement PostgreSQL refuses all others: a refusal that is likely is undone by itself.
    return await (mayBeRefused(schema, properties)
      ? session.executeBehindSavepoint(statement)
      : session.execute(statement));
  } catch (error) {
    const known = asValidationError(schema, error, problemOfForeignKey);
    if (known instanceof ValidationError) errorsOf(record).replace(known.problems);
    throw known;
  }
}

/** Whether a constraint beneath a declared rule may refuse these properties, without any check having said so. */
function mayBeRefused(schema: ModelSchema, properties: readonly string[]): boolean {
  const isWritten = (property: string) => properties.includes(property);
  return (
    schema.facts('unique').some(({ property, scope }) => [property, ...scope].some(isWritten)) ||
    schema.facts('check').some(({ property, holds }) => holds === undefined && isWritten(property))
  );
}

/** No row came back: a parent is not there, or the row is not the one that was read. */
async function refuse(
  session: Session,
  schema: ModelSchema,
  record: RecordObject,
  state: RecordState,
  parents: readonly Association[],
): Promise<never> {
  const absent = await absentParents(parents, state);
  if (absent.length > 0) {
    errorsOf(record).replace(absent);
    throw new ValidationError(schema.name, absent);
  }
  if (state.persistence === 'new') {
    // The parent was there again when it was looked for. Rare beyond measure, but not to be passed over.
    throw new ValidationError(
      schema.name,
      parents.map(({ property }) => ({ attribute: property, code: 'required', message: 'must exist' })),
    );
  }
  throw await staleError(session, schema, state);
}

export async function staleError(session: Session, schema: ModelSchema, state: RecordState): Promise<StaleRecordError> {
  const { property } = schema.primaryKey;
  const key = state.stored[property];
  const condition = { kind: 'compare', property, operator: '=', value: key } as const;
  const { rows } = await session.execute(selectStatement({ ...planFor(schema), condition }, { kind: 'exists' }));
  return new StaleRecordError(schema.name, key, rows.length === 0);
}
