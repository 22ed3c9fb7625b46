import { slotTableOf } from '../consistency/counter-facts';
import { slotTableSql } from '../consistency/slot-statements';
import type { ModelSchema } from '../schema/model-schema';
import type { CatalogTable } from './catalog';
import type { Finding } from './finding';

/** The tables of slots that verify has to look for. */
export function slotTables(schema: ModelSchema): string[] {
  return slottedCounters(schema).map(({ property }) => slotTableOf(schema.table, schema.column(property)!.name));
}

/** The counters with slots that have no table for them. */
export function counterFindings(schema: ModelSchema, catalog: ReadonlyMap<string, CatalogTable>): Finding[] {
  return slottedCounters(schema).flatMap((counter): Finding[] => {
    const name = slotTableOf(schema.table, schema.column(counter.property)!.name);
    const found = catalog.get(name);
    if (found && ['owner_id', 'slot', 'amount'].every((column) => found.columns.has(column))) return [];
    const what = `@Counter has no table "${name}" for its slots.`;
    const sql = found ? undefined : `${slotTableSql(schema, counter)};`;
    return [{ kind: 'mismatch', model: schema.name, property: counter.property, what, sql }];
  });
}

function slottedCounters(schema: ModelSchema) {
  return schema.facts('counter').filter(({ slots }) => slots !== undefined);
}
