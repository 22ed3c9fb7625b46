import { sql } from 'kysely';
import { keyAttributes } from '../associations/parents';
import { InvalidOptionError } from '../core/invalid-option-error';
import { aggregateColumns } from '../consistency/aggregate-lock';
import { watchedColumns } from '../consistency/invariants';
import { rowsOfTexts } from '../consistency/row-values';
import { InvalidOperandError } from '../query/errors';
import { isReading } from '../query/reading';
import type { Column, ModelSchema } from '../schema/model-schema';
import { currentSession } from '../transaction/current';
import { tableName } from '../validation/constraints';
import type { UniqueFact } from '../validation/facts';
import { batchesOf, preparedRows } from './bulk-rows';
import type { OnTaken, Returned } from './bulk-statements';
import { writeBatches } from './bulk-write';
import { ReadonlyAttributeError, UnknownAttributeError } from './errors';
import { attributesOf, ruleOver } from './unique-rule';

export interface BulkOptions {
  readonly onConflict?: 'ignore';
  readonly by?: string | readonly string[];
  readonly returning?: 'keys' | 'count';
}

/** INSERTs, without callbacks and without validations other than of the values. @returns the keys, or their number */
export async function insertAll(
  schema: ModelSchema,
  given: readonly object[],
  { onConflict, by, returning = 'keys' }: BulkOptions,
): Promise<unknown[] | number> {
  if (onConflict !== undefined && (onConflict as string) !== 'ignore')
    throw new InvalidOptionError('onConflict', `'ignore'`, onConflict);
  if ((onConflict === undefined) !== (by === undefined))
    throw new InvalidOptionError('by', 'given together with onConflict', 'given or left out alone');
  const onTaken = by === undefined ? undefined : { rule: ruleBy(schema, by), update: undefined };
  const rows = await write(schema, given, onTaken);
  if (returning === 'count') return rows.length;
  return onTaken ? rows.map(({ key }) => key) : inGivenOrder(rows);
}

/** INSERTs, or changes the rows that are there. @returns the keys in the order of the rows, or their number */
export async function upsertAll(
  schema: ModelSchema,
  given: readonly object[],
  { by, update, returning = 'keys' }: { by: string | readonly string[]; update: readonly string[] } & BulkOptions,
): Promise<unknown[] | number> {
  const rule = ruleBy(schema, by);
  const changed = [...new Set(update.flatMap((name) => updatable(schema, name, rule)))];
  const stamps = schema.columns.filter(({ timestamp }) => timestamp === 'updated').map(({ property }) => property);
  const rows = await write(schema, given, { rule, update: [...new Set([...changed, ...stamps])] });
  return returning === 'count' ? rows.length : inGivenOrder(rows);
}

interface WrittenRow {
  readonly index: number;
  readonly key: unknown;
}

function inGivenOrder(rows: WrittenRow[]): unknown[] {
  return rows.sort((one, other) => one.index - other.index).map(({ key }) => key);
}

async function write(
  schema: ModelSchema,
  given: readonly object[],
  onTaken: OnTaken | undefined,
): Promise<WrittenRow[]> {
  const rows = preparedRows(schema, given);
  if (rows.length === 0) return [];
  const { primaryKey } = schema;
  const columns = [...new Set([primaryKey, ...watchedColumns(schema), ...aggregateColumns(schema)])];
  let written: WrittenRow[] = [];
  await writeBatches(currentSession(), schema, {
    batches: batchesOf(schema, rows, onTaken?.rule ?? firstRule(schema)),
    returned: returnedColumns(schema, columns, onTaken?.update !== undefined),
    begin: () => (written = []),
    take: (batch, cells) => {
      cells.forEach(([key], at) => {
        written.push({ index: batch.rows[at]!.index, key: primaryKey.type.parse(key as string) });
      });
      return columns.length === 1
        ? []
        : rowsOfTexts(
            columns,
            cells.map((row) => row.slice(0, columns.length)),
          );
    },
    ...(onTaken && { onTaken }),
  });
  return written;
}

/** Names of columns, qualified since `excluded` has them too; of an upsert, whether the row is new comes last. */
function returnedColumns(schema: ModelSchema, columns: readonly Column[], isUpsert: boolean): Returned {
  const table = tableName(schema);
  const list = columns.map(({ name }) => sql.ref(`${table}.${name}`));
  const isNew = sql`${sql.ref(`${table}.xmax`)} = 0`;
  return {
    name: columns.map(({ property }) => property).join(),
    list: isUpsert ? [...list, isNew] : list,
  };
}

/** Whose order all writers of the model keep to. */
export function firstRule(schema: ModelSchema): UniqueFact | undefined {
  return schema.facts('unique').find(({ isDeferred }) => !isDeferred);
}

function ruleBy(schema: ModelSchema, by: string | readonly string[]): UniqueFact {
  return ruleOver(schema, typeof by === 'string' ? [by] : by);
}

function updatable(schema: ModelSchema, name: string, rule: UniqueFact): string[] {
  const ofAssociation = keyAttributes(schema, [name]);
  return (ofAssociation.length > 0 ? ofAssociation : [name]).map((property) => {
    const column = schema.column(property);
    if (!column)
      throw new UnknownAttributeError(
        schema.name,
        [name],
        schema.columns.map((each) => each.property),
      );
    const isIdentity = column.isPrimaryKey || column.timestamp === 'created' || attributesOf(rule).includes(property);
    if (column.isVersion) throw new ReadonlyAttributeError(schema.name, property);
    if (isIdentity) throw new InvalidOperandError(schema.name, property, 'says which row it is; it cannot be updated');
    if (column.isGenerated) throw new InvalidOperandError(schema.name, property, 'is filled in by the database');
    if (isReading(schema, property))
      throw new InvalidOperandError(schema.name, property, 'is spread over slots; change it record by record');
    return property;
  });
}
