import type { ModelSchema } from '../schema/model-schema';
import { modelRegistry } from '../schema/registry';
import { GUARDS_TABLE } from '../transaction/guards';
import type { Session } from '../transaction/session';
import type { Catalog } from './catalog';
import { readCatalog } from './catalog';
import { columnFindings } from './columns';
import { checkFindings, enumFindings, foreignKeyFindings } from './constraints';
import { counterFindings, slotTables } from './counters';
import { SchemaMismatchError } from './errors';
import type { Finding } from './finding';
import { sentenceOf } from './finding';
import { frameworkRules } from './framework-rules';
import { guardFindings } from './guards';
import { uniqueFindings } from './unique';

/**
 * Compares every model that is loaded with its table, by a few short statements in one flight.
 *
 * @returns what holds, but with less beneath it than there could be: a `@BelongsTo` without a foreign key
 * @throws SchemaMismatchError naming each missing table, column, index and constraint, and each wrong type
 */
export async function verifySchema(session: Session): Promise<readonly string[]> {
  const findings = await inspectSchema(session);
  const mismatches = findings.filter(({ kind }) => kind === 'mismatch');
  if (mismatches.length > 0) throw new SchemaMismatchError(mismatches.map(sentenceOf));
  return findings.filter(({ kind }) => kind === 'loose').map(sentenceOf);
}

/** The same as data: all findings, model by model, with the SQL that puts each right. */
export async function inspectSchema(session: Session): Promise<readonly Finding[]> {
  const schemas = modelRegistry.all();
  const catalog = await readCatalog(session, [
    ...new Set([GUARDS_TABLE, ...schemas.flatMap((schema) => [schema.table, ...slotTables(schema)])]),
  ]);
  return [
    ...schemas.flatMap((schema) => [...findingsOf(schema, catalog), ...frameworkRules(schema)]),
    ...guardFindings(schemas, catalog.tables),
  ];
}

function findingsOf(schema: ModelSchema, catalog: Catalog): Finding[] {
  const table = catalog.tables.get(schema.table);
  if (!table) {
    const what = `the table "${schema.table}" does not exist.`;
    return [{ kind: 'mismatch', model: schema.name, property: undefined, what, sql: undefined }];
  }
  return [
    ...columnFindings(schema, table),
    ...uniqueFindings(schema, table, catalog.serverVersion),
    ...checkFindings(schema, table),
    ...enumFindings(schema, table),
    ...foreignKeyFindings(schema, catalog.tables),
    ...counterFindings(schema, catalog.tables),
  ];
}
