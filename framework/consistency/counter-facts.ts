import type { ModelSchema } from '../schema/model-schema';

export interface CounterFact {
  readonly property: string;
  readonly min: number | bigint;
  readonly max: number | bigint | undefined;
  /** Over how many rows of a table of its own the units are spread; undefined for none. */
  readonly slots: number | undefined;
}

declare module '../schema/facts' {
  interface FactSlots {
    counter: CounterFact;
  }
}

export function counterOf(schema: ModelSchema, property: string): CounterFact | undefined {
  return schema.facts('counter').find((fact) => fact.property === property);
}

/** The table of the slots of a counter. */
export function slotTableOf(table: string, column: string): string {
  return `${table}_${column}_slots`;
}
