import type { AttributeName } from '../attributes/types';
import type { Decimal } from '../schema/column-types';

export type Numeric<T extends object> = {
  [K in AttributeName<T>]: NonNullable<T[K]> extends number | bigint | Decimal ? K : never;
}[AttributeName<T>];

/** Attributes whose equal values are the same key of a Map. */
export type Countable<T extends object> = {
  [K in AttributeName<T>]: NonNullable<T[K]> extends string | number | bigint | boolean ? K : never;
}[AttributeName<T>];

export type Amounts<T extends object> = { readonly [K in Numeric<T>]?: NonNullable<T[K]> };

export type SumOf<T extends object, K extends keyof T> =
  NonNullable<T[K]> extends Decimal ? Decimal : NonNullable<T[K]> extends bigint ? bigint : number;
