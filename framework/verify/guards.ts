import { hasRulesOverRows } from '../consistency/rules-over-rows';
import type { ModelSchema } from '../schema/model-schema';
import { GUARDS_TABLE } from '../transaction/guards';
import type { CatalogTable } from './catalog';
import type { Finding } from './finding';

/** The table that rules over several rows need; where it is missing, the first write under one makes it, if it may. */
export function guardFindings(schemas: readonly ModelSchema[], tables: ReadonlyMap<string, CatalogTable>): Finding[] {
  const schema = schemas.find(hasRulesOverRows);
  if (!schema || tables.has(GUARDS_TABLE)) return [];
  const what = `the table "${GUARDS_TABLE}" for its rules over several rows is not there; the first write makes it, if it may.`;
  return [{ kind: 'loose', model: schema.name, property: undefined, what, sql: undefined }];
}
