import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import { BellwetherError } from '../core/errors';
import type { RecordState } from '../attributes/record-state';
import type { Association } from '../associations/association';
import { MUST_EXIST } from '../associations/parents';
import { offline } from '../query/compiler';
import type { Column, ModelSchema } from '../schema/model-schema';
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
import { rowJson } from './row-json';

/** A rule that may be broken, and SQL over the row called `candidate` that says whether it is. */
interface Suspicion {
  readonly problem: Problem;
  readonly isBroken: RawBuilder<unknown>;
}

/**
 * Looks with one statement for everything that is wrong with a record that the database has refused, since
 * PostgreSQL names the first violation only. A look at the rows that are there now: it claims nothing that is not so,
 * and may miss what is not committed yet.
 *
 * @param named what is known already; nothing is sent when there is nothing else to suspect
 * @returns these and the others, in the order in which the rules are declared: checks, unique rules, parents
 */
export async function diagnose(
  session: Session,
  schema: ModelSchema,
  state: RecordState,
  parents: readonly Association[],
  named: readonly Problem[] = [],
): Promise<readonly Problem[]> {
  const suspicions = suspicionsOf(schema, state, parents);
  const isNamed = ({ problem }: Suspicion) => named.some((known) => isSame(known, problem));
  if (suspicions.every(isNamed)) return named;
  const { sql: text, parameters } = lookStatement(schema, state, suspicions).compile(offline);
  try {
    const { rows } = await session.executeBehindSavepoint({ text, values: parameters, writes: false });
    const found = suspicions.filter((suspicion, index) => isNamed(suspicion) || rows[0]?.[index] === true);
    const problems = found.map(({ problem }) => problem);
    return [...named.filter((known) => !problems.some((problem) => isSame(known, problem))), ...problems];
  } catch (error) {
    // SQL in a rule that does not stand for itself, say. What is named is reason enough to refuse the record.
    const isAboutTheLook = error instanceof BellwetherError && error.recovery === 'fix-the-setup';
    if (isAboutTheLook && named.length > 0) return named;
    throw error;
  }
}

const isSame = (one: Problem, other: Problem) =>
  one.attribute === other.attribute && one.code === other.code && one.message === other.message;

function suspicionsOf(schema: ModelSchema, state: RecordState, parents: readonly Association[]): Suspicion[] {
  const known = knownColumns(schema, state);
  const isWritten = (name: string) => schema.columns.some((c) => c.name === name && c.property in state.assigned);
  const isDecidable = (expression: string) =>
    schema.columns.every(({ name }) => known.some((column) => column.name === name) || !mentions(expression, name));
  const checks = schema
    .facts('check')
    .filter(({ holds, expression }) => holds === undefined && isDecidable(expression));
  const isKeyGiven = schema.primaryKey.property in state.assigned;
  const unique = [...schema.facts('unique'), ...(isKeyGiven ? [keyRule(schema)] : [])].filter((rule) => {
    const names = uniqueColumns(schema, rule);
    const isTouched = names.some(isWritten) || (rule.where !== undefined && isUpdate(state));
    return !rule.isDeferred && isTouched && names.every(isDecidable) && isDecidable(rule.where ?? '');
  });
  return [
    ...checks.map((rule) => ({ problem: failedCheckProblem(rule), isBroken: failsCheck(schema, rule) })),
    ...unique.map((rule) => ({ problem: takenProblem(rule), isBroken: isTaken(schema, state, rule) })),
    ...parents.map((parent) => ({
      problem: { attribute: parent.property, ...MUST_EXIST },
      isBroken: isAbsent(parent, state),
    })),
  ];
}

const isUpdate = ({ persistence }: RecordState) => persistence === 'stored';

/** The columns whose values the row would have: of a new one, not those that the database fills in. */
function knownColumns({ columns }: ModelSchema, state: RecordState): Column[] {
  if (isUpdate(state)) return [...columns];
  return columns.filter(({ property, hasDatabaseDefault, isGenerated }) => {
    return state.assigned[property] !== undefined || !(hasDatabaseDefault || isGenerated);
  });
}

/**
 * The row as it would be is made by PostgreSQL itself, typed by the table: from what is assigned, over the row that
 * is there. The conditions of rules are SQL with bare column names, so each is asked where only the candidate, or
 * only the table, is in sight.
 */
function lookStatement(schema: ModelSchema, state: RecordState, suspicions: readonly Suspicion[]): RawBuilder<unknown> {
  const table = sql.table(schema.table);
  const known = sql.join(knownColumns(schema, state).map(({ name }) => sql.ref(`row.${name}`)));
  const given = sql`${rowJson(schema, state)}::jsonb`;
  const source = isUpdate(state)
    ? sql`${table} as stored, jsonb_populate_record(stored, ${given}) as row
        where ${sql.ref(`stored.${schema.primaryKey.name}`)} = ${encodedKey(schema, state)}`
    : sql`jsonb_populate_record(null::${table}, ${given}) as row`;
  const questions = sql.join(suspicions.map(({ isBroken }) => isBroken));
  return sql`with candidate as (select ${known} from ${source}) select ${questions}`;
}

function failsCheck(schema: ModelSchema, { expression }: CheckFact): RawBuilder<unknown> {
  return sql`exists (select from ${candidateOf(schema)} where not (${sql.raw(expression)}))`;
}

function isTaken(schema: ModelSchema, state: RecordState, rule: UniqueFact): RawBuilder<unknown> {
  const where = sql`(${sql.raw(rule.where ?? 'true')})`;
  const agrees = uniqueColumns(schema, rule).map((name, position) => {
    const isFolded = position === 0 && (rule.isCaseInsensitive || schema.column(rule.property)!.type.name === 'citext');
    const value = isFolded ? sql`lower(${sql.ref(name)}::text)` : sql.ref(name);
    const equals = rule.nulls === 'distinct' ? sql`=` : sql`is not distinct from`;
    return sql`${value} ${equals} (select ${value} from candidate)`;
  });
  const isOther = isUpdate(state) ? sql`${sql.ref(schema.primaryKey.name)} <> ${encodedKey(schema, state)}` : sql`true`;
  const others = sql.join([where, isOther, ...agrees], sql` and `);
  return sql`exists (select from ${candidateOf(schema)} where ${where}) and exists (select from ${sql.table(schema.table)} where ${others})`;
}

function isAbsent({ target, foreignKey }: Association, state: RecordState): RawBuilder<unknown> {
  const key = foreignKey.type.encode(state.get(foreignKey.property));
  return sql`not exists (select from ${sql.table(target.table)} where ${sql.ref(target.primaryKey.name)} = ${key})`;
}

/** Under the table's name, for conditions that spell it out. */
function candidateOf(schema: ModelSchema): RawBuilder<unknown> {
  return sql`candidate as ${sql.ref(tableName(schema))}`;
}

function encodedKey({ primaryKey }: ModelSchema, state: RecordState): unknown {
  return primaryKey.type.encode(state.stored[primaryKey.property]);
}
