import { hydratorOf } from '../attributes/hydrator';
import { mergeAttributes } from '../attributes/merge';
import type { RecordState, RowVersion } from '../attributes/record-state';
import { isSame, STATE } from '../attributes/record-state';
import { InvalidOptionError } from '../core/invalid-option-error';
import type { LockStrength } from '../query/plan';
import { planFor } from '../query/plan';
import { selectStatement } from '../query/statements';
import type { OnConflict } from '../schema/facts';
import { ON_CONFLICT } from '../schema/facts';
import type { ModelSchema } from '../schema/model-schema';
import { modelRegistry } from '../schema/registry';
import type { Scope } from '../transaction/scope';
import type { Session } from '../transaction/session';
import { assertTag } from './entity-tag';
import { MergeConflictError, NoVersionError, RecordNotSavedError, StaleRecordError } from './errors';
import { inOwnScope } from './own-scope';
import { enrol } from './record';
import type { RecordObject } from './record';

export interface PreconditionOptions {
  /**
   * Refuses as stale unless the record was read at this version of its row: the one that was handed out, in a form
   * or by an API. For models with `@Version`. Never merged or retried, since what was handed out stays what it is.
   */
  readonly ifVersion?: number | bigint;
  /**
   * The same by the header `If-Match` of an HTTP request, as it was received; a request without one is held to nothing.
   * For all models; see `etagOf`.
   */
  readonly ifMatch?: string | undefined;
}

export interface ConflictOptions extends PreconditionOptions {
  /** What becomes of it when somebody else has changed the row since it was read. Default: what `@Table` says. */
  readonly onConflict?: OnConflict;
}

/** Two cannot both have their way where one of them deletes: there is no merging. */
export interface DestroyOptions extends PreconditionOptions {
  /** Like that of `save()`; `merge` is `fail`. */
  readonly onConflict?: OnConflict;
}

export function conflictMode(schema: ModelSchema, options: ConflictOptions): OnConflict {
  const { onConflict = schema.onConflict } = options;
  if (!ON_CONFLICT.includes(onConflict)) {
    throw new InvalidOptionError('onConflict', `one of ${ON_CONFLICT.join(', ')}`, onConflict);
  }
  return 'ifVersion' in options || options.ifMatch !== undefined ? 'fail' : onConflict;
}

/**
 * Compares with what the record was read at, and sends nothing: that the row still is what was read, the write itself
 * makes sure of.
 *
 * @throws StaleRecordError when it is another version; for `ifMatch` a PreconditionFailedError, which is one too
 */
export function assertPreconditions(schema: ModelSchema, state: RecordState, options: PreconditionOptions): void {
  if (options.ifMatch !== undefined) assertTag(schema, state, options.ifMatch);
  if (!('ifVersion' in options)) return;
  const { ifVersion } = options;
  if (!schema.versionColumn) throw new NoVersionError(schema.name);
  // An undefined one is a field that the form did not send: taken for "any version", it would turn the check off.
  if (typeof ifVersion !== 'bigint' && !Number.isSafeInteger(ifVersion)) {
    throw new InvalidOptionError('ifVersion', 'a whole number', ifVersion === undefined ? ifVersion : typeof ifVersion);
  }
  if (state.persistence === 'new') throw new RecordNotSavedError(schema.name, 'save({ ifVersion })');
  if (BigInt(ifVersion) === BigInt(state.stored[schema.versionColumn.property] as number | bigint)) return;
  throw new StaleRecordError(
    { ...identityOf(schema, state), isGone: false },
    {
      what: `${schema.name} ${String(identityOf(schema, state).key)} is not of the version that ifVersion names; nothing was written.`,
      remedy: 'Show it as it is now to whoever sent the version, and let them decide again.',
    },
  );
}

/** The row of a record as it is now; undefined when it has gone. One round trip. */
async function rowNow(
  session: Session,
  schema: ModelSchema,
  state: RecordState,
  strength?: LockStrength,
): Promise<RecordState | undefined> {
  const { property } = schema.primaryKey;
  const condition = { kind: 'compare', property, operator: '=', value: state.stored[property] } as const;
  const lock = strength && { strength, wait: undefined };
  const { rows } = await session.execute(selectStatement({ ...planFor(schema), condition, lock }, { kind: 'records' }));
  return rows[0] && hydratorOf(schema)(rows[0] as string[]);
}

/**
 * Whether the row is the one that was read, at another place: `VACUUM FULL` and `CLUSTER` move rows. Any change but
 * one of the same transaction would have given it another `xmin`, and that one is told by the values.
 */
function hasOnlyMoved(schema: ModelSchema, read: RecordState, now: RecordState): boolean {
  return (
    now.version?.xmin === read.version?.xmin &&
    now.version?.ctid !== read.version?.ctid &&
    schema.columns.every(({ property }) => isSame(read.stored[property], now.stored[property]))
  );
}

/**
 * After a write that found no such version: the version to try again with, when the row has only moved.
 *
 * @throws StaleRecordError when it was changed or deleted
 */
export async function versionElsewhere(
  session: Session,
  schema: ModelSchema,
  state: RecordState,
  options: ConflictOptions,
): Promise<RowVersion> {
  const now = await rowNow(session, schema, state);
  if (now && hasOnlyMoved(schema, state, now)) return now.version!;
  throw await staleError(session, schema, state, now, options);
}

/** Reads the row and locks it until the transaction ends. @throws StaleRecordError when it was changed or deleted */
export async function lockUnchanged(
  session: Session,
  schema: ModelSchema,
  state: RecordState,
  options: ConflictOptions,
): Promise<void> {
  const now = await rowNow(session, schema, state, 'for update');
  const isThere = now?.version?.xmin === state.version?.xmin && now?.version?.ctid === state.version?.ctid;
  if (isThere || (now && hasOnlyMoved(schema, state, now))) return;
  throw await staleError(session, schema, state, now, options);
}

/**
 * The error for a write that was refused; where that helps, the transaction is told to run again.
 *
 * @param now the row, when it is still there
 */
async function staleError(
  session: Session,
  schema: ModelSchema,
  state: RecordState,
  now: RecordState | undefined,
  options: ConflictOptions,
): Promise<StaleRecordError> {
  const { scope } = session;
  const isReadAgain =
    conflictMode(schema, options) === 'retry' &&
    scope !== undefined &&
    now !== undefined &&
    (await wouldReadAnew(scope, state, now));
  const error = new StaleRecordError({ ...identityOf(schema, state), isGone: now === undefined, isReadAgain });
  if (isReadAgain) scope.transaction.mustRetry ??= error;
  return error;
}

/**
 * Whether the transaction, run again, would read the record anew and find no conflict: it has read it itself, and it
 * has not changed the row itself. Above `read committed` the row would not be shown to it if others had changed it
 * since: PostgreSQL has the transaction run again by itself then.
 */
async function wouldReadAnew(scope: Scope, state: RecordState, now: RecordState): Promise<boolean> {
  const { isolation, begunAt } = scope.transaction;
  if (isolation !== 'read committed' || state.version!.readAt < begunAt) return false;
  const { rows } = await scope.execute({ text: OWN_WRITE, values: [now.version!.xmin], writes: false });
  return rows[0]![0] !== true;
}

/**
 * Whether a row that is seen was written by the running transaction or behind one of its savepoints, whose numbers come
 * after its own: nobody else sees a row of a transaction that is in progress. `xmin` is the lower half of the number.
 */
const OWN_WRITE = `
  select case when since < 2147483648 then pg_xact_status((own + since)::text::xid8) = 'in progress' end
  from (select own, mod($1::bigint - mod(own, 4294967296) + 4294967296, 4294967296) as since
    from (select pg_current_xact_id_if_assigned()::text::bigint as own) as top) as distance`;

/**
 * Saves, and when somebody else has changed the row, saves once more on top of what they wrote. The second time the
 * row is locked before it is read, so that nobody else comes first again; validations and callbacks see the merged record.
 *
 * @throws MergeConflictError when both changed an attribute differently; the record is then as it was
 */
export async function saveMerging<T>(
  session: Session,
  schema: ModelSchema,
  record: RecordObject,
  save: () => Promise<T>,
): Promise<T> {
  try {
    return await (session.scope ? inOwnScope(session, save) : save());
  } catch (error) {
    if (!isStale(error, schema, record[STATE])) throw error;
  }
  return inOwnScope(session, async (scope) => {
    enrol(scope, record);
    await rebase(session, schema, record);
    return save();
  });
}

/** Puts what was assigned on top of the row as it is now. */
async function rebase(session: Session, schema: ModelSchema, record: RecordObject): Promise<void> {
  const theirs = await rowNow(session, schema, record[STATE], 'for no key update');
  const state = record[STATE];
  if (!theirs) throw new StaleRecordError({ ...identityOf(schema, state), isGone: true });
  const { conflicts } = mergeAttributes(state.stored, state.assigned, theirs.stored);
  const real = Object.entries(conflicts).filter(([name]) => schema.column(name)?.timestamp !== 'updated');
  if (real.length > 0) {
    throw new MergeConflictError(schema.name, identityOf(schema, state).key, Object.fromEntries(real));
  }
  const virtuals = Object.fromEntries(schema.virtuals.map((name) => [name, state.stored[name]]));
  record[STATE] = Object.entries(state.assigned).reduce(
    (rebased, [name, value]) => rebased.with(name, value),
    state.saved(theirs, virtuals),
  );
}

/** Whether an error is about this record, and not about one that a callback saved. */
function isStale(error: unknown, schema: ModelSchema, state: RecordState): boolean {
  if (!(error instanceof StaleRecordError) || error.code !== 'E_STALE_RECORD') return false;
  const { model, key, isGone } = error.details;
  return model === schema.name && key === String(identityOf(schema, state).key) && isGone === false;
}

function identityOf({ name, primaryKey }: ModelSchema, { stored }: RecordState): { model: string; key: unknown } {
  return { model: name, key: stored[primaryKey.property] };
}

modelRegistry.addRule(({ onConflict }) =>
  ON_CONFLICT.includes(onConflict)
    ? []
    : [`: onConflict is one of ${ON_CONFLICT.join(', ')}, not ${String(onConflict)}.`],
);
