import type { AssociationHandle } from '../attributes/types';

/** A handle whose records are known to be loaded, so that reading them needs no waiting. */
export declare const whenLoaded: unique symbol;
export interface LoadableHandle<Loaded> {
  /** What the handle is once its association is included. */
  readonly [whenLoaded]: Loaded;
}

/** The part of a model's type that `include` makes certain. */
export type LoadedBy<T, A extends keyof T> = {
  readonly [K in A]-?: NonNullable<T[K]> extends AssociationHandle & LoadableHandle<infer Loaded> ? Loaded : T[K];
};
