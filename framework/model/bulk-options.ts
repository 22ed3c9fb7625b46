import type { AttributeName, OwningName } from '../attributes/types';

/** Attributes, and `@BelongsTo`s by name for their keys. */
type WrittenName<T extends object> = AttributeName<T> | OwningName<T>;
/** Exactly the attributes of a `@Unique` rule, in any order, or the primary key. */
type UniqueBy<T extends object> = WrittenName<T> | readonly WrittenName<T>[];

interface Returning {
  /** The keys of the rows that were written, or how many these are. Default `keys`. */
  readonly returning?: 'keys' | 'count';
}

export type InsertAllOptions<T extends object> = Returning &
  (
    | { readonly onConflict?: never; readonly by?: never }
    /** Rows that are there already, by the rule over `by`, are left as they are; other rules refuse as ever. */
    | { readonly onConflict: 'ignore'; readonly by: UniqueBy<T> }
  );

export interface UpsertAllOptions<T extends object> extends Returning {
  /** What tells that a row is there already. */
  readonly by: UniqueBy<T>;
  /** What such a row gets of the one given; `@UpdatedAt` and `@Version` go with it. */
  readonly update: readonly WrittenName<T>[];
}

export type BulkResult<O, Key> = O extends { readonly returning: 'count' } ? number : Key[];
