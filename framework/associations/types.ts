import type { AssociationHandle, AttributeValues, OwningHandle } from '../attributes/types';
import type { LoadableHandle } from '../query/included';
import type { Query } from '../query/query';

/**
 * The one record that this one belongs to. `BelongsTo<User | null>` where the association is optional.
 * Once included, `value` is there without waiting.
 */
export interface BelongsTo<R extends object | null>
  extends OwningHandle<NonNullable<R>>, LoadableHandle<BelongsTo<R> & { readonly value: R }> {
  readonly isLoaded: boolean;
  /** The record; read once, then remembered. */
  load(): Promise<R>;
  /** Assigns another record; saved with this one. */
  readonly set: (record: R) => void; // not a method: those take a parent that may be null for one that may not
}

/** The one record that belongs to this one, or null. */
export interface HasOne<R extends object>
  extends AssociationHandle<R>, LoadableHandle<HasOne<R> & { readonly value: R | null }> {
  readonly isLoaded: boolean;
  /** The record; read once, then remembered. */
  load(): Promise<R | null>;
  /** Makes a record that belongs to this one, and saves it. */
  create(values: AttributeValues<R>): Promise<R>;
}

/** The records that belong to this one. Once included, they are in `value`, and can be iterated. */
export interface HasMany<R extends object>
  extends
    AssociationHandle<R>,
    LoadableHandle<HasMany<R> & Iterable<R> & { readonly value: readonly R[]; readonly length: number }> {
  readonly isLoaded: boolean;
  /** The records, by their primary key; read once, then remembered. */
  load(): Promise<readonly R[]>;
  /** A query over them, to narrow and sort. */
  query(): Query<R>;
  /** Makes a record that belongs to this one, unsaved. */
  readonly new: (values?: AttributeValues<R>) => R; // as a method it would be a construct signature
  /** Makes a record that belongs to this one, and saves it. */
  create(values: AttributeValues<R>): Promise<R>;
}

/**
 * The records at the far end of two associations, each once. Once included, they are in `value`, and can be iterated.
 * What makes a record one of them is a record in between: make and destroy that.
 */
export interface HasManyThrough<R extends object>
  extends
    AssociationHandle<R>,
    LoadableHandle<HasManyThrough<R> & Iterable<R> & { readonly value: readonly R[]; readonly length: number }> {
  readonly isLoaded: boolean;
  /** The records, by their primary key; read once, then remembered. */
  load(): Promise<readonly R[]>;
  /** A query over them, to narrow and sort. */
  query(): Query<R>;
  /** Not there, so that nobody declares it a `HasMany`. */
  readonly create?: never;
}
