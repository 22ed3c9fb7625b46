import type { RecordState } from '../attributes/record-state';
import { STATE } from '../attributes/record-state';
import type { Association } from '../associations/association';
import { adoptParentKeys, referredParents, withMissingParents } from '../associations/parents';
import { canonicalText } from '../consistency/canonical-text';
import { groupBy } from '../core/group-by';
import type { ModelSchema } from '../schema/model-schema';
import type { Problem } from '../validation/errors';
import { ValidationError } from '../validation/errors';
import type { UniqueFact } from '../validation/facts';
import { valueProblems } from '../validation/validate';
import { newRecord } from './instantiate';
import { assign } from './record';
import type { RecordObject } from './record';
import { rowJson } from './row-json';
import { stamped } from './save';
import { attributesOf, isFolded } from './unique-rule';

/** One of the rows that are to be written together. */
export interface BulkRow {
  /** Its place among those that were given. */
  readonly index: number;
  /** Of a new record, with its timestamps. */
  readonly state: RecordState;
}

/** Rows that one statement writes: all are given values for the same columns. */
export interface Batch {
  readonly rows: readonly BulkRow[];
  /** Their values, an array of an object for each. */
  readonly json: string;
  readonly properties: readonly string[];
  /** What any of them refers to. */
  readonly parents: readonly Association[];
}

/** @throws ValidationError telling what is wrong with the values of each, as far as they alone can tell */
export function preparedRows(schema: ModelSchema, given: readonly object[]): BulkRow[] {
  const problems: Problem[] = [];
  const rows = given.map((values, index): BulkRow => {
    const record = newRecord(schema, values) as RecordObject;
    adoptParentKeys(schema, record, (property, key) => assign(record, property, key));
    const found = withMissingParents(schema, record[STATE], valueProblems(schema, record, record[STATE]));
    problems.push(...found.map((problem) => ({ ...problem, index })));
    return { index, state: stamped(schema, record[STATE], true) };
  });
  if (problems.length > 0) throw new ValidationError(schema.name, problems);
  return rows;
}

/** Most rows of one statement, and most bytes, as UTF-16 counts them. */
const MOST_ROWS = 10_000;
const MOST_LENGTH = 8 * 2 ** 20;

/**
 * In the order of `rule`, so that two who write at once come to what both write in one order, and wait for each other
 * instead of in a circle.
 */
export function batchesOf(schema: ModelSchema, rows: readonly BulkRow[], rule: UniqueFact | undefined): Batch[] {
  const inOrder = rule ? sorted(schema, rows, rule) : rows;
  const optional = schema.columns.filter(({ hasDatabaseDefault }) => hasDatabaseDefault);
  const byShape = groupBy(inOrder, ({ state: { assigned } }) =>
    optional.reduce((shape, { property }) => `${shape}${assigned[property] === undefined ? '-' : '+'}`, ''),
  );
  return [...byShape.values()].flatMap((alike) => chunked(schema, alike));
}

/** What is left out is left to the database where it is said to have a default, and is null elsewhere. */
function givenProperties({ columns }: ModelSchema, { assigned }: RecordState): string[] {
  return columns
    .filter(({ property, hasDatabaseDefault, isGenerated }) => {
      return !isGenerated && (!hasDatabaseDefault || assigned[property] !== undefined);
    })
    .map(({ property }) => property);
}

function chunked(schema: ModelSchema, rows: readonly BulkRow[]): Batch[] {
  const properties = givenProperties(schema, rows[0]!.state);
  const batches: Batch[] = [];
  let texts: string[] = [];
  let length = 0;
  const close = (end: number) => {
    const own = rows.slice(end - texts.length, end);
    batches.push({ rows: own, json: `[${texts.join()}]`, properties, parents: parentsOfRows(schema, own) });
    texts = [];
    length = 0;
  };
  rows.forEach(({ state }, at) => {
    const text = rowJson(schema, state);
    if (texts.length > 0 && (texts.length === MOST_ROWS || length + text.length > MOST_LENGTH)) close(at);
    texts.push(text);
    length += text.length;
  });
  close(rows.length);
  return batches;
}

function parentsOfRows(schema: ModelSchema, rows: readonly BulkRow[]): Association[] {
  const found = new Map<string, Association>();
  for (const { state } of rows) {
    for (const parent of referredParents(schema, state)) {
      found.set(`${parent.property} ${parent.typeKey?.value ?? ''}`, parent);
    }
  }
  return [...found.values()].sort((one, other) => (one.property < other.property ? -1 : 1));
}

function sorted(schema: ModelSchema, rows: readonly BulkRow[], rule: UniqueFact): BulkRow[] {
  const keyed = rows.map((row) => ({ row, key: keyUnder(schema, row, rule) }));
  return keyed.sort((one, other) => (one.key < other.key ? -1 : one.key > other.key ? 1 : 0)).map(({ row }) => row);
}

/** What the rule compares, as one text. */
function keyUnder(schema: ModelSchema, { state }: BulkRow, rule: UniqueFact): string {
  const texts = attributesOf(rule).map((property, position) => {
    const value = state.get(property) ?? null;
    if (value === null) return '';
    const text = canonicalText(schema.column(property)!, value);
    return position === 0 && isFolded(schema, rule) ? text.toLowerCase() : text;
  });
  return texts.join('\0');
}
