import { quotedName } from '../database/quoted-name';
import type { ModelSchema } from '../schema/model-schema';
import { tableName, uniqueColumns } from '../validation/constraints';
import type { UniqueFact } from '../validation/facts';
import type { CatalogColumn, CatalogTable, UniqueIndex } from './catalog';

import type { Finding } from './finding';

/** The `@Unique` rules beneath which no unique index holds just what they say. */
export function uniqueFindings(schema: ModelSchema, table: CatalogTable, serverVersion: number): Finding[] {
  return schema.facts('unique').flatMap((rule) => {
    const what =
      rule.nulls === 'not distinct' && serverVersion < 150_000
        ? `@Unique with nulls: 'not distinct' needs PostgreSQL 15, and this server is ${Math.floor(serverVersion / 10_000)}.`
        : complaintAbout(schema, rule, table);
    if (what === undefined) return [];
    const sql = indexStatement(schema, rule);
    return [{ kind: 'mismatch', model: schema.name, property: rule.property, what, sql }];
  });
}

function complaintAbout(schema: ModelSchema, rule: UniqueFact, table: CatalogTable): string | undefined {
  const candidates = table.uniqueIndexes.filter((index) => isBeneath(schema, rule, table, index));
  const canBeNull = [rule.property, ...rule.scope].some((property) => schema.column(property)!.isNullable);
  const fitting = candidates.filter(({ nulls }) => nulls === rule.nulls || !canBeNull);
  if (fitting.some((index) => index.isValid && isTimely(rule, index))) return undefined;
  const [invalid] = fitting.filter((index) => isTimely(rule, index));
  if (invalid) return `the index "${invalid.name}" beneath @Unique is invalid; drop it and create it again.`;
  const [late] = fitting;
  if (late && rule.isDeferred) {
    return `@Unique is deferred, but the constraint "${late.name}" is not deferrable initially deferred.`;
  }
  if (late) {
    return `the constraint "${late.name}" beneath @Unique is deferrable, so a violation would not be told at once; declare deferred: true, or make it not deferrable.`;
  }
  const [other] = candidates;
  if (other) {
    return `@Unique takes nulls as ${rule.nulls}, but the index "${other.name}" takes them as ${other.nulls}.`;
  }
  return `@Unique has no unique ${rule.isDeferred ? 'constraint' : 'index'} ${wantedIndex(schema, rule)}.`;
}

function isBeneath(schema: ModelSchema, rule: UniqueFact, table: CatalogTable, index: UniqueIndex): boolean {
  if (rule.index !== undefined) return index.name === rule.index;
  const names = uniqueColumns(schema, rule);
  if (index.isPartial !== (rule.where !== undefined) || index.keys.length !== names.length) return false;
  return names.every((column, position) =>
    index.keys.some((key) => isKeyOf(key, column, position === 0 && isFolded(schema, rule), table.columns.get(column))),
  );
}

/** Whether a violation is told when the rule says: at once, or at the end of the transaction. */
function isTimely({ isDeferred }: UniqueFact, index: UniqueIndex): boolean {
  return isDeferred ? index.isDeferred : index.isImmediate;
}

function isFolded(schema: ModelSchema, { property, isCaseInsensitive }: UniqueFact): boolean {
  return isCaseInsensitive || schema.column(property)!.type.name === 'citext';
}

/** `email`, or for a case-insensitive rule `lower(email)`, with or without a cast, or a column of type citext. */
function isKeyOf(key: string, column: string, folded: boolean, found: CatalogColumn | undefined): boolean {
  const bare = key.replace(/::\w+/g, '').replace(/[()"]/g, '');
  const isBareKey = bare === column;
  return folded ? bare === `lower${column}` || (isBareKey && found?.typeName === 'citext') : isBareKey;
}

function wantedIndex(schema: ModelSchema, rule: UniqueFact): string {
  const nulls = rule.nulls === 'distinct' ? '' : ' nulls not distinct';
  const where = rule.where === undefined ? '' : ` where ${rule.where}`;
  const keys = keysOf(schema, rule, (name) => name);
  return `${rule.index ?? `on ${schema.table} (${keys})`}${nulls}${where}`;
}

function keysOf(schema: ModelSchema, rule: UniqueFact, spell: (name: string) => string): string {
  const isFirstFolded = isFolded(schema, rule);
  const spelled = uniqueColumns(schema, rule).map(spell);
  return spelled.map((name, position) => (isFirstFolded && position === 0 ? `lower(${name})` : name)).join(', ');
}

function indexStatement(schema: ModelSchema, rule: UniqueFact): string {
  const table = quotedName(schema.table);
  const nulls = rule.nulls === 'distinct' ? '' : ' nulls not distinct';
  if (rule.isDeferred) {
    const columns = uniqueColumns(schema, rule);
    const name = rule.index ?? `${tableName(schema)}_${columns.join('_')}_key`;
    return `alter table ${table} add constraint ${quotedName(name)} unique${nulls} (${columns.map(quotedName).join(', ')}) deferrable initially deferred;`;
  }
  const name = rule.index === undefined ? '' : `${quotedName(rule.index)} `;
  const where = rule.where === undefined ? '' : ` where ${rule.where}`;
  return `create unique index ${name}on ${table} (${keysOf(schema, rule, quotedName)})${nulls}${where};`;
}
