import { InvalidOperandError, InvalidQueryError } from '../query/errors';
import type { ModelSchema } from '../schema/model-schema';
import { CounterAmountError } from './counter-errors';
import type { CounterFact } from './counter-facts';
import { counterOf } from './counter-facts';

export type Way = 'increment' | 'decrement';

/** One change of one counter. */
export interface CounterChange {
  readonly schema: ModelSchema;
  readonly counter: CounterFact;
  /** The record's primary key, as its attribute has it. */
  readonly key: unknown;
  readonly way: Way;
  readonly by: bigint;
}

/** @throws InvalidQueryError when the attribute is no counter, CounterAmountError when `by` is no amount */
export function counterChange(
  schema: ModelSchema,
  key: unknown,
  way: Way,
  property: string,
  by: unknown = 1n,
): CounterChange {
  const counter = counterOf(schema, property);
  if (!counter) {
    throw new InvalidQueryError({
      what: `${schema.name}.${property} is no @Counter.`,
      remedy: `Declare it as one, or use where(…).${way}(…).`,
      details: { model: schema.name, attribute: property },
    });
  }
  const isWhole = typeof by === 'bigint' || Number.isSafeInteger(by);
  if (!isWhole || (by as bigint) <= 0 || (by as bigint) > MAX_BIGINT)
    throw new CounterAmountError(schema.name, property);
  return { schema, counter, key, way, by: BigInt(by as bigint) };
}

const MAX_BIGINT = 2n ** 63n - 1n;

export function encodedKey({ name, primaryKey }: ModelSchema, key: unknown): unknown {
  const { type, property } = primaryKey;
  const refusal = key === null || key === undefined ? 'must be given' : type.refusal(key);
  if (refusal !== undefined) throw new InvalidOperandError(name, property, refusal);
  return type.encode(key);
}
