import { sql } from 'kysely';
import type { RecordState } from '../attributes/record-state';
import { STATE } from '../attributes/record-state';
import { recordModelOf } from '../associations/record-model';
import { SerializationFailureError, UniqueViolationError } from '../database/errors';
import type { Query } from '../query/query';
import type { ModelSchema } from '../schema/model-schema';
import { isAtLeast } from '../theory/isolation';
import { currentSession } from '../transaction/current';
import { RetriesExhaustedError } from '../transaction/errors';
import { ValidationError } from '../validation/errors';
import type { UniqueFact } from '../validation/facts';
import { newRecord } from './instantiate';
import type { RecordObject } from './record';
import { refusedState, saveRecord } from './save';
import { ruleOver } from './unique-rule';

/** How often a row may be there when it is to be created and gone when it is looked for. Each takes two others. */
const MOST_ROUNDS = 100;

/**
 * Finds the record that has the key, or creates it: one of any number of callers at once creates it, and all get it.
 * The unique index decides. Who is refused by it looks again; where a snapshot hides the row from that look, the
 * transaction is run again.
 *
 * Costs one round trip when it is there; two when it is created.
 */
export async function findOrCreate(schema: ModelSchema, key: object, values: object): Promise<RecordObject> {
  const begunAt = performance.now();
  const { [STATE]: asGiven } = newRecord(schema, key) as RecordObject;
  const rule = ruleFor(schema, key, asGiven);
  let found = await rowLike(schema, rule, asGiven);
  for (let round = 1; !found; round++) {
    const record = newRecord(schema, { ...values, ...key }) as RecordObject;
    try {
      await saveRecord(record, {});
      return record;
    } catch (error) {
      if (!isTaken(error, rule)) throw error;
      found = await rowLike(schema, rule, refusedState(error) ?? asGiven);
      if (!found) runAgainIfHidden(error);
      if (round === MOST_ROUNDS)
        throw new RetriesExhaustedError({ attempts: round, elapsedMs: performance.now() - begunAt }, error);
    }
  }
  return found;
}

/** @throws NoUniqueRuleError without a rule over exactly the attributes of the key: nothing would decide a race */
function ruleFor(schema: ModelSchema, key: object, state: RecordState): UniqueFact {
  return ruleOver(schema, Object.keys(key), (rule, attributes) => {
    const isNull = attributes.some((property) => (state.get(property) ?? null) === null);
    return !(isNull && rule.nulls === 'distinct');
  });
}

async function rowLike(schema: ModelSchema, rule: UniqueFact, state: RecordState): Promise<RecordObject | undefined> {
  const isFolded = rule.isCaseInsensitive && schema.column(rule.property)!.type.name !== 'citext';
  const exact = [...(isFolded ? [] : [rule.property]), ...rule.scope];
  let query = recordModelOf(schema).query() as unknown as Query<RecordObject>;
  query = query.where(Object.fromEntries(exact.map((property) => [property, state.get(property)])) as object);
  if (isFolded) {
    const column = sql.ref(schema.column(rule.property)!.name);
    query = query.whereSql(sql<boolean>`lower(${column}::text) = lower(${state.get(rule.property)}::text)`);
  }
  if (rule.where !== undefined) query = query.whereSql(sql<boolean>`(${sql.raw(rule.where)})`);
  return query.first();
}

function isTaken(error: unknown, { property }: UniqueFact): error is ValidationError {
  const isIt = ({ attribute, code }: { attribute: string; code: string }) => attribute === property && code === 'taken';
  return error instanceof ValidationError && error.problems.some(isIt);
}

/** Under a snapshot from before the other's commit, the row is there for the index and not for any query. */
function runAgainIfHidden(refusal: ValidationError): void {
  const { scope } = currentSession();
  if (!scope || !isAtLeast(scope.transaction.isolation, 'repeatable read')) return;
  if (!(refusal.cause instanceof UniqueViolationError)) return;
  scope.transaction.mustRetry ??= new SerializationFailureError({
    what: 'A record was created by somebody else since this transaction began to read.',
    remedy: 'Run the transaction again; the runner does so by itself.',
    details: refusal.cause.details,
    cause: refusal,
  });
  throw scope.transaction.mustRetry as Error;
}
