import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import type { Association } from '../associations/association';
import { MUST_EXIST } from '../associations/parents';
import { offline } from '../query/compiler';
import type { ModelSchema } from '../schema/model-schema';
import type { Session } from '../transaction/session';
import {
  failedCheckProblem,
  keyRule,
  mentions,
  tableName,
  takenProblem,
  uniqueColumns,
} from '../validation/constraints';
import type { Problem } from '../validation/errors';
import type { CheckFact, UniqueFact } from '../validation/facts';
import type { Batch } from './bulk-rows';
import type { OnTaken } from './bulk-statements';
import { and, givenRows, keysOf, refersTo } from './bulk-statements';

/** A rule that rows of the batch may break, and a query for the numbers of those that do. */
interface Suspicion {
  readonly problem: Problem;
  readonly broken: RawBuilder<unknown>;
}

/** Most problems that are looked for. */
const MOST = 100;

/**
 * Looks for what is wrong with the rows of a batch that the database has refused, by one statement; as
 * {@link diagnose} does for one record.
 *
 * @param named what PostgreSQL has told, of one row that it did not name: told so if it cannot be found again
 */
export async function diagnoseBatch(
  session: Session,
  schema: ModelSchema,
  batch: Batch,
  onTaken: OnTaken | undefined,
  named: readonly Problem[],
): Promise<readonly Problem[]> {
  const suspicions = [
    ...decidable(schema, batch).checks.map((rule) => failsCheck(schema, rule)),
    ...decidable(schema, batch).unique.flatMap((rule) => isTaken(schema, rule, onTaken)),
    ...batch.parents.map(isAbsent),
  ];
  const found = await broken(session, schema, batch, suspicions);
  return found.length > 0 ? found : named;
}

/** The rows whose parents are not there. */
export function missingParentsIn(session: Session, schema: ModelSchema, batch: Batch): Promise<readonly Problem[]> {
  return broken(session, schema, batch, batch.parents.map(isAbsent));
}

async function broken(
  session: Session,
  schema: ModelSchema,
  { json, rows }: Batch,
  suspicions: readonly Suspicion[],
): Promise<readonly Problem[]> {
  if (suspicions.length === 0) return [];
  const queries = suspicions.map(
    ({ broken }, which) =>
      sql`select bw_row, ${sql.lit(which)}::int as which from (${broken}) as rows_${sql.raw(String(which))}`,
  );
  const look = sql`with given as materialized (${givenRows(schema, json)})
    ${sql.join(queries, sql` union `)} order by bw_row, which limit ${sql.lit(MOST)}`;
  const { sql: text, parameters } = look.compile(offline);
  const answer = await session.executeBehindSavepoint({ text, values: parameters, writes: false });
  const problems = (answer.rows as [bigint, number][]).map(([row, which]) => ({
    ...suspicions[which]!.problem,
    index: rows[Number(row)]!.index,
  }));
  return problems.sort((one, other) => one.index - other.index);
}

/** The rules over columns whose values the rows are given, and not left to the database. */
function decidable(schema: ModelSchema, { properties }: Batch): { checks: CheckFact[]; unique: UniqueFact[] } {
  const unknown = schema.columns.filter(({ property }) => !properties.includes(property));
  const isDecidable = (expression: string) => !unknown.some(({ name }) => mentions(expression, name));
  const rules = [...schema.facts('unique'), keyRule(schema)].filter(({ isDeferred }) => !isDeferred);
  return {
    checks: schema.facts('check').filter(({ holds, expression }) => holds === undefined && isDecidable(expression)),
    unique: rules.filter((rule) => uniqueColumns(schema, rule).every(isDecidable) && isDecidable(rule.where ?? '')),
  };
}

function failsCheck(schema: ModelSchema, rule: CheckFact): Suspicion {
  const broken = sql`select bw_row from given as ${sql.ref(tableName(schema))} where not (${sql.raw(rule.expression)})`;
  return { problem: failedCheckProblem(rule), broken };
}

/** By a row that is there already, and by one before it among those given. */
function isTaken(schema: ModelSchema, rule: UniqueFact, onTaken: OnTaken | undefined): Suspicion[] {
  const isOn = onTaken !== undefined && sameRule(onTaken.rule, rule);
  if (isOn && !onTaken.update) return [];
  const keys = keysOf(schema, rule);
  const named = sql.join(keys.map((key, index) => sql`${key} as ${sql.ref(`key_${index}`)}`));
  const names = keys.map((_, index) => sql.ref(`key_${index}`));
  const counts = sql.raw(`(${rule.where ?? 'true'})`);
  const isThere = rule.nulls === 'distinct' ? and(names.map((name) => sql`${name} is not null`)) : sql`true`;
  const mine = sql`(select bw_row, ${named} from given as ${sql.ref(tableName(schema))} where ${counts}) as mine`;
  const others = sql`(select ${named} from ${sql.table(schema.table)} where ${counts}) as others`;
  const same = and(names.map((name) => sql`mine.${name} is not distinct from others.${name}`));
  const again = sql`select bw_row from (select bw_row,
      row_number() over (partition by ${sql.join(names)} order by bw_row) as turn from ${mine} where ${isThere}) as turns
    where turn > 1`;
  const problem = takenProblem(rule);
  const taken = sql`select bw_row from ${mine} where ${isThere} and exists (select from ${others} where ${same})`;
  return [{ problem, broken: again }, ...(isOn ? [] : [{ problem, broken: taken }])];
}

const sameRule = (one: UniqueFact, other: UniqueFact) =>
  one === other || (one.property === other.property && one.scope.join() === other.scope.join());

function isAbsent(parent: Association): Suspicion {
  const { property, target, foreignKey } = parent;
  const key = sql.ref(foreignKey.name);
  const broken = sql`select bw_row from given where ${refersTo(parent, sql`${parent.typeKey?.value ?? null}`)}
    and not exists (select from ${sql.table(target.table)} as other where other.${sql.ref(target.primaryKey.name)} = given.${key})`;
  return { problem: { attribute: property, ...MUST_EXIST }, broken };
}
