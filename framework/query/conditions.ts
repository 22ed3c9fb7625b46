import type { AttributeName, OwningName, RelatedOf, SoleKeyOf } from '../attributes/types';
import type { Ordering } from './ordering';

export const OPERATORS = ['=', '!=', '<', '<=', '>', '>=', 'in', 'not in', 'like', 'ilike', 'is', 'is not'] as const;
export type Operator = (typeof OPERATORS)[number];

/** What stands to the right of an operator. */
export type Operand<V, O extends Operator> = O extends 'in' | 'not in'
  ? readonly NonNullable<V>[]
  : O extends 'like' | 'ilike'
    ? NonNullable<V> extends string
      ? string
      : never
    : O extends 'is' | 'is not'
      ? null
      : O extends '=' | '!='
        ? V
        : NonNullable<V>;

/** A condition of a query: an immutable tree. */
export type Condition =
  | { readonly kind: 'compare'; readonly property: string; readonly operator: Operator; readonly value: unknown }
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Condition[] }
  | { readonly kind: 'not'; readonly part: Condition }
  /** That a row comes after the one with these cells, in texts as PostgreSQL prints them. */
  | { readonly kind: 'beyond'; readonly order: readonly Ordering[]; readonly cells: readonly string[] };

/** Attribute to value; a list means any of its members, `null` means null. All must hold. */
export type Conditions<T extends object> = {
  readonly [K in AttributeName<T>]?: T[K] | readonly NonNullable<T[K]>[];
} & {
  readonly [K in OwningName<T>]?:
    RelatedOf<T[K]> | SoleKeyOf<RelatedOf<T[K]>> | readonly (RelatedOf<T[K]> | SoleKeyOf<RelatedOf<T[K]>>)[] | null;
};

/** Builds conditions inside `where(…)`: called for a comparison, with `and`, `or` and `not` to combine them. */
export interface ConditionBuilder<T extends object> {
  <K extends AttributeName<T>, O extends Operator>(name: K, operator: O, value: Operand<T[K], O>): Condition;
  (conditions: Conditions<T>): Condition;
  and(parts: readonly Condition[]): Condition;
  or(parts: readonly Condition[]): Condition;
  not(part: Condition): Condition;
}

export const equals = (property: string, value: unknown): Condition => ({
  kind: 'compare',
  property,
  operator: '=',
  value,
});
export const and = (parts: readonly Condition[]): Condition => ({ kind: 'and', parts });
export const or = (parts: readonly Condition[]): Condition => ({ kind: 'or', parts });
export const not = (part: Condition): Condition => ({ kind: 'not', part });

/** Whether every row answers to it, as to `where({})`. */
export function isVacuous(condition: Condition): boolean {
  return condition.kind === 'and' && condition.parts.every(isVacuous);
}

export function both(left: Condition | undefined, right: Condition): Condition {
  return left === undefined ? right : and([left, right]);
}
