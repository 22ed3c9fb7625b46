import type { RecordState } from '../attributes/record-state';
import { STATE } from '../attributes/record-state';
import { hydratorOf } from '../attributes/hydrator';
import type { Association } from '../associations/association';
import {
  adoptParentKeys,
  MUST_EXIST,
  problemOfForeignKey,
  referredParents,
  withMissingParents,
} from '../associations/parents';
import { hasCallbacks, registerOutcomeCallbacks, withCallbacks } from '../callbacks/run';
import { hasRulesOverRows } from '../consistency/rules-over-rows';
import type { Statement, StatementResult } from '../database/connection';
import type { ModelSchema } from '../schema/model-schema';
import { currentSession } from '../transaction/current';
import { noteWrite } from '../transaction/held-reads';
import type { Session } from '../transaction/session';
import { asValidationError, guardedAttributes } from '../validation/constraints';
import { ValidationError } from '../validation/errors';
import type { Problem } from '../validation/errors';
import { hasClassValidatorRules, rulesRead, validateRecord, valueProblems } from '../validation/validate';
import { lockAggregates, noteWritten } from './aggregate';
import type { ConflictOptions } from './conflict';
import { assertPreconditions, conflictMode, saveMerging, versionElsewhere } from './conflict';
import { diagnose } from './diagnosis';
import { RecordDestroyedError } from './errors';
import { inOwnScope } from './own-scope';
import { assign, assertNotShadowed, enrol, errorsOf, schemaOfRecord } from './record';
import type { RecordObject } from './record';
import { insertStatement, updateStatement, writtenProperties } from './write-statements';

export interface SaveOptions extends ConflictOptions {
  /** A validation context besides `create` or `update`: rules that name it are run too. */
  readonly context?: string;
}

/** Validates and writes a record, with its callbacks, in one transaction. */
export async function saveRecord(record: RecordObject, options: SaveOptions): Promise<void> {
  const schema = schemaOfRecord(record);
  assertNotShadowed(schema, record);
  if (record[STATE].persistence === 'destroyed') throw new RecordDestroyedError(schema.name, 'save()');
  assertPreconditions(schema, record[STATE], options);
  const session = currentSession();
  const deed = record[STATE].persistence === 'new' ? 'create' : 'update';
  const isMerged = conflictMode(schema, options) === 'merge' && deed === 'update';
  const settling = <T>(save: () => Promise<T>) => (isMerged ? saveMerging(session, schema, record, save) : save());
  // One statement is a transaction by itself; with anything beside it, the two need one around them.
  if (isOneStatement(schema, deed) && (await settling(() => saveAlone(session, schema, record, options)))) return;
  await inOwnScope(session, async (scope) => {
    enrol(scope, record);
    registerOutcomeCallbacks(schema, record, deed, scope);
    await lockAggregates(session, schema, record);
    await settling(async () => {
      await validate(schema, record, options.context);
      await withCallbacks(schema, record, 'save', () =>
        withCallbacks(schema, record, deed, () => write(session, schema, record, options)),
      );
    });
  });
}

function isOneStatement(schema: ModelSchema, deed: 'create' | 'update'): boolean {
  const isAlone = !hasCallbacks(schema, ['validation', 'save', deed]) && schema.facts('validator').length === 0;
  return isAlone && !rulesRead(schema) && !hasRulesOverRows(schema);
}

/** @returns whether it is done; not if the rules have just been seen to read */
async function saveAlone(
  session: Session,
  schema: ModelSchema,
  record: RecordObject,
  options: SaveOptions,
): Promise<boolean> {
  if (hasClassValidatorRules(schema)) {
    await validate(schema, record, options.context);
    if (rulesRead(schema)) return false;
  } else {
    validateValues(schema, record);
  }
  await write(session, schema, record, options);
  return true;
}

/** {@link validate} where neither callbacks nor rules run code of the model's that may have to be waited for. */
function validateValues(schema: ModelSchema, record: RecordObject): void {
  adoptParentKeys(schema, record, (property, key) => assign(record, property, key));
  const errors = errorsOf(record);
  errors.replace(withMissingParents(schema, record[STATE], valueProblems(schema, record, record[STATE])));
  if (!errors.isEmpty) throw new ValidationError(schema.name, errors.all);
}

/** @throws ValidationError; the same problems are then in the record's `errors` */
export async function validate(schema: ModelSchema, record: RecordObject, context?: string): Promise<void> {
  const errors = errorsOf(record);
  await withCallbacks(schema, record, 'validation', async () => {
    adoptParentKeys(schema, record, (property, key) => assign(record, property, key));
    const deed = record[STATE].persistence === 'new' ? 'create' : 'update';
    await validateRecord(schema, record, record[STATE], errors, context === undefined ? [deed] : [deed, context]);
    errors.replace(withMissingParents(schema, record[STATE], errors.all));
  });
  if (!errors.isEmpty) throw new ValidationError(schema.name, errors.all);
}

const underWay = new WeakMap<RecordObject, Promise<void>>();

/** One write of a record at a time: two saves at once would insert it twice, or the second be refused as stale. */
async function write(
  session: Session,
  schema: ModelSchema,
  record: RecordObject,
  options: ConflictOptions,
): Promise<void> {
  for (let earlier = underWay.get(record); earlier; earlier = underWay.get(record)) await Promise.allSettled([earlier]);
  const writing = writeNow(session, schema, record, options);
  underWay.set(record, writing);
  try {
    await writing;
  } finally {
    underWay.delete(record);
  }
}

async function writeNow(
  session: Session,
  schema: ModelSchema,
  record: RecordObject,
  options: ConflictOptions,
): Promise<void> {
  const isNew = record[STATE].persistence === 'new';
  const before = record[STATE];
  assertPreconditions(schema, before, options); // again: another save of this instance, or a callback, may have come between
  if (!isNew && writtenProperties(schema, before).length === 0) {
    if (!before.isChanged) return;
    enrol(session.scope, record);
    record[STATE] = before.saved(before, before.assigned); // virtual attributes have nowhere to go
    return;
  }
  enrol(session.scope, record);
  noteWrite(session.scope, schema.table);
  const state = stamped(schema, before, isNew);
  const parents = referredParents(schema, state);
  const properties = writtenProperties(schema, state);
  const statement = isNew
    ? insertStatement(schema, state, parents)
    : updateStatement(schema, state, properties, parents);
  const { rows } = await send(session, schema, record, statement, { state, parents, properties });
  const [row] = rows;
  if (!row) {
    await refuseUnlessMoved(session, schema, record, state, parents, options);
    return writeNow(session, schema, record, options);
  }
  const saved = savedAs(schema, state, row);
  noteWritten(session, schema, saved.stored, ...(isNew ? [] : [before.stored]));
  record[STATE] = withAssignedSince(saved, before, record[STATE]);
}

/** After a write that gave back this row. */
export function savedAs(schema: ModelSchema, state: RecordState, row: readonly unknown[]): RecordState {
  const virtuals = schema.virtuals.filter((name) => state.get(name) !== undefined);
  const kept = Object.fromEntries(virtuals.map((name) => [name, state.get(name)]));
  return state.saved(hydratorOf(schema)(row as string[]), kept);
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
export function stamped(schema: ModelSchema, state: RecordState, isNew: boolean): RecordState {
  const now = new Date();
  return schema.columns
    .filter(({ property, timestamp }) => timestamp !== undefined && !(property in state.assigned))
    .filter(({ timestamp }) => isNew || timestamp === 'updated')
    .reduce((stamping, { property }) => stamping.with(property, now), state);
}

/** What is written, and what it refers to anew. */
interface Writing {
  readonly state: RecordState;
  readonly parents: readonly Association[];
  readonly properties: readonly string[];
}

function send(
  session: Session,
  schema: ModelSchema,
  record: RecordObject,
  statement: Statement,
  { state, parents, properties }: Writing,
): Promise<StatementResult> {
  const guarded = guardedAttributes(schema);
  // After a failed statement PostgreSQL refuses all others: a refusal that is likely is undone by itself.
  const isUndoneAlone = properties.some((property) => guarded.has(property));
  const answer = isUndoneAlone ? session.executeBehindSavepoint(statement) : session.execute(statement);
  return answer.catch(async (error: unknown) => {
    const known = asValidationError(schema, error, problemOfForeignKey, (property) => properties.includes(property));
    if (!(known instanceof ValidationError)) throw known;
    const canAsk = isUndoneAlone || session.scope === undefined;
    const problems = canAsk ? await diagnose(session, schema, state, parents, known.problems) : known.problems;
    throw refusal(schema, record, problems, error);
  });
}

function refusal(schema: ModelSchema, record: RecordObject, problems: readonly Problem[], cause?: unknown) {
  errorsOf(record).replace(problems);
  const error = new ValidationError(schema.name, problems, cause);
  refused.set(error, record[STATE]);
  return error;
}

const refused = new WeakMap<ValidationError, RecordState>();

/** The record as its callbacks had made it when the database refused it; it is put back when its scope is undone. */
export function refusedState(error: ValidationError): RecordState | undefined {
  return refused.get(error);
}

/** No row came back: a parent is not there, or the row is not the one that was read, or not where it was. */
async function refuseUnlessMoved(
  session: Session,
  schema: ModelSchema,
  record: RecordObject,
  state: RecordState,
  parents: readonly Association[],
  options: ConflictOptions,
): Promise<void> {
  const mustExist = (problem: Problem) => problem.code === MUST_EXIST.code;
  const problems = parents.length > 0 ? await diagnose(session, schema, state, parents) : [];
  if (problems.some(mustExist)) throw refusal(schema, record, problems);
  if (state.persistence === 'new') {
    // The parent was there again when it was looked for. Rare beyond measure, but not to be passed over.
    throw refusal(
      schema,
      record,
      parents.map(({ property }) => ({ attribute: property, ...MUST_EXIST })),
    );
  }
  record[STATE] = record[STATE].movedTo(await versionElsewhere(session, schema, state, options));
}
