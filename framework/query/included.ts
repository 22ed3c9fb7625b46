import type { AssociationHandle, AssociationName } from '../attributes/types';

/** A handle whose records are known to be loaded, so that reading them needs no waiting. */
export declare const whenLoaded: unique symbol;
export interface LoadableHandle<Loaded> {
  /** What the handle is once its association is included. */
  readonly [whenLoaded]: Loaded;
}

type LoadedHandle<H> = NonNullable<H> extends AssociationHandle & LoadableHandle<infer Loaded> ? Loaded : H;

/** The part of a model's type that `include` makes certain. */
export type LoadedBy<T, A extends keyof T> = { readonly [K in A]-?: LoadedHandle<T[K]> };

/** The same, where the associations were refined by functions that give these queries: their records are theirs. */
type RefinedBy<T, F> = {
  readonly [K in keyof F & keyof T]-?: F[K] extends (query: never) => PromiseLike<(infer R)[]>
    ? LoadedWith<LoadedHandle<T[K]>, R>
    : LoadedHandle<T[K]>;
};

/** What stands first wins where the two say the same: the narrower records. */
type LoadedWith<Loaded, R> = Loaded extends { readonly length: number }
  ? Iterable<R> & { readonly value: readonly R[] } & Loaded
  : Loaded extends { readonly value: infer One }
    ? { readonly value: R | Extract<One, null> } & Loaded
    : Loaded;

type Together<U> = (U extends unknown ? (each: U) => void : never) extends (all: infer All) => void ? All : never;

/** Of a list of names, and of objects that refine associations by name. */
export type IncludedBy<T extends object, I> = LoadedBy<T, Extract<I, AssociationName<T>>> &
  Together<I extends string ? never : RefinedBy<T, I>>;

/** An association that is loaded with the records of a query. */
export interface Inclusion {
  readonly name: string;
  /** Makes the query over the records at the other end what is wanted of them; undefined for all. */
  readonly refine: ((query: never) => unknown) | undefined;
}

export function inclusions(asked: string | object): Inclusion[] {
  if (typeof asked === 'string') return [{ name: asked, refine: undefined }];
  return Object.entries(asked).map(([name, refine]) => ({ name, refine: refine as Inclusion['refine'] }));
}
