import { InvalidQueryError, UnboundedWriteError } from './errors';
import type { SelectPlan } from './plan';

/** @throws InvalidQueryError */
export function wholeNumber(what: string, count: number): number {
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw new InvalidQueryError({ what: `${what} is a whole number from 0 upwards.`, remedy: `Check the ${what}.` });
}

/** Of a write through a query. @throws UnboundedWriteError when it would touch every row and nobody has said so */
export function assertBounded(plan: SelectPlan, method: string): void {
  const { condition, fragments, isUnbounded, schema, limit, offset } = plan;
  if (limit !== undefined || offset !== undefined) {
    throw new InvalidQueryError({
      what: `${schema.name}: ${method} cannot be limited; SQL has no such statement.`,
      remedy: 'Pluck the keys under the limit first, and write with where({ id: keys }).',
    });
  }
  if (condition === undefined && fragments.length === 0 && !isUnbounded) {
    throw new UnboundedWriteError(schema.name, method);
  }
}
