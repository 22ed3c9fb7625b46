import type { ModelSchema } from '../schema/model-schema';

export interface CounterFact {
  readonly property: string;
  readonly min: number | bigint;
  readonly max: number | bigint | undefined;
}

declare module '../schema/facts' {
  interface FactSlots {
    counter: CounterFact;
  }
}

export function counterOf(schema: ModelSchema, property: string): CounterFact | undefined {
  return schema.facts('counter').find((fact) => fact.property === property);
}
