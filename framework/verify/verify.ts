import { parentsOf } from '../associations/association';
import type { Column, ModelSchema } from '../schema/model-schema';
import { modelRegistry } from '../schema/registry';
import type { Session } from '../transaction/session';
import { defaultCheckName } from '../validation/constraints';
import type { CatalogColumn, CatalogTable } from './catalog';
import { readCatalog } from './catalog';
import { SchemaMismatchError } from './errors';

/**
 * Compares every model that is loaded with its table, by three short statements.
 *
 * @returns what holds, but with less beneath it than there could be: a `@BelongsTo` without a foreign key
 * @throws SchemaMismatchError naming each missing table, column, index and constraint, and each wrong type
 */
export async function verifySchema(session: Session): Promise<readonly string[]> {
  const schemas = modelRegistry.all();
  const catalog = await readCatalog(
    session,
    schemas.map(({ table }) => table),
  );
  const problems = schemas.flatMap((schema) => problemsOf(schema, catalog.get(schema.table)));
  if (problems.length > 0) throw new SchemaMismatchError(problems);
  return schemas.flatMap((schema) => notesOn(schema, catalog.get(schema.table)!));
}

function problemsOf(schema: ModelSchema, table: CatalogTable | undefined): string[] {
  if (!table) return [`${schema.name}: the table "${schema.table}" does not exist.`];
  return [
    ...schema.columns.flatMap((column) => columnProblems(schema, column, table.columns.get(column.name))),
    ...undeclaredProblems(schema, table),
    ...uniqueProblems(schema, table),
    ...checkProblems(schema, table),
  ];
}

function columnProblems(schema: ModelSchema, column: Column, found: CatalogColumn | undefined): string[] {
  const at = `${schema.name}.${column.property}`;
  const place = `column "${column.name}" of "${schema.table}"`;
  if (!found) return [`${at}: the ${place} does not exist.`];
  const problems: string[] = [];
  if (!fits(column, found)) {
    problems.push(`${at}: the ${place} is of type ${found.typeName}, not ${expectedType(column)}.`);
  }
  if (column.isNullable && found.isNotNull && !found.hasDefault) {
    problems.push(`${at}: the ${place} refuses null, but the attribute is nullable.`);
  }
  if (!column.isNullable && !found.isNotNull) {
    problems.push(`${at}: the ${place} may be null, but the attribute is not nullable.`);
  }
  if ((column.hasDatabaseDefault || column.isGenerated) && !found.hasDefault) {
    problems.push(`${at}: the ${place} has no default, but the attribute leaves its value to the database.`);
  }
  return problems;
}

function fits({ type }: Column, { typeName, isEnum }: CatalogColumn): boolean {
  if (type.databaseNames.length > 0) return type.databaseNames.includes(typeName);
  return isEnum || ['text', 'varchar', '_text', '_varchar'].includes(typeName);
}

function expectedType({ type }: Column): string {
  return type.databaseNames.length > 0 ? type.databaseNames.join(' or ') : `an ${type.name}`;
}

/** Columns that no model fills in, and that refuse to be left out. */
function undeclaredProblems(schema: ModelSchema, table: CatalogTable): string[] {
  const declared = new Set(schema.columns.map(({ name }) => name));
  return [...table.columns.values()]
    .filter(({ name, isNotNull, hasDefault }) => !declared.has(name) && isNotNull && !hasDefault)
    .map(
      ({ name }) =>
        `${schema.name}: the column "${name}" of "${schema.table}" wants a value, but the model has no such attribute.`,
    );
}

function uniqueProblems(schema: ModelSchema, table: CatalogTable): string[] {
  return schema.facts('unique').flatMap((rule) => {
    const names = [rule.property, ...rule.scope].map((property) => schema.column(property)!.name);
    const isFolded = rule.isCaseInsensitive || schema.column(rule.property)!.type.name === 'citext';
    const isThere = table.uniqueIndexes.some(({ name, keys, isPartial }) => {
      if (rule.index !== undefined) return name === rule.index;
      if (isPartial !== (rule.where !== undefined) || keys.length !== names.length) return false;
      return names.every((column, position) =>
        keys.some((key) => isKeyOf(key, column, isFolded && position === 0, table.columns.get(column))),
      );
    });
    if (isThere) return [];
    const wanted =
      rule.index ?? `on ${schema.table} (${names.map((n, i) => (isFolded && i === 0 ? `lower(${n})` : n)).join(', ')})`;
    const where = rule.where === undefined ? '' : ` where ${rule.where}`;
    return [`${schema.name}.${rule.property}: @Unique has no unique index ${wanted}${where}.`];
  });
}

/** `email`, or for a case-insensitive rule `lower(email)`, with or without a cast, or a column of type citext. */
function isKeyOf(key: string, column: string, isFolded: boolean, found: CatalogColumn | undefined): boolean {
  const bare = key.replace(/::\w+/g, '').replace(/[()"]/g, '');
  const isBareKey = bare === column;
  return isFolded ? bare === `lower${column}` || (isBareKey && found?.typeName === 'citext') : isBareKey;
}

function checkProblems(schema: ModelSchema, table: CatalogTable): string[] {
  return schema.facts('check').flatMap(({ property, expression, constraint }) => {
    const name = constraint ?? defaultCheckName(schema, property);
    if (table.checks.has(name)) return [];
    return [`${schema.name}.${property}: @Check has no constraint "${name}" check (${expression}).`];
  });
}

function notesOn(schema: ModelSchema, table: CatalogTable): string[] {
  return parentsOf(schema)
    .filter(({ foreignKey }) => !table.referring.has(foreignKey.name))
    .map(
      ({ property, foreignKey }) =>
        `${schema.name}.${property}: no foreign key on "${foreignKey.name}" stands beneath @BelongsTo; raw SQL could break it.`,
    );
}
