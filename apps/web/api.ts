import type { IsolationLevel, Model } from 'bellwether';
import type { Who } from './pages';
import type { User, Visit } from './visit';

/** A class whose fields carry decorators of class-validator: they are checked, and described, by the same words. */
export type Class<T> = new () => T;

/** What an answer holds: objects of a class, a list of them, or a page of such a list. */
export type Schema<V> = Class<V> | ListSchema<V>;
interface ListSchema<V> {
  readonly of: Class<unknown>;
  readonly shape: 'list' | 'page';
  /** For the compiler alone. */
  readonly view?: V;
}

/** A page of a list; `next` is what `after` is to be for the next one, null behind the last. */
export interface PageView<V> {
  readonly items: readonly V[];
  readonly next: string | null;
}

export const listOf = <V>(of: Class<V>): Schema<readonly V[]> => ({ of, shape: 'list' });
export const pageOf = <V>(of: Class<V>): Schema<PageView<V>> => ({ of, shape: 'page' });

/** One request to the API. */
export interface Call<U extends User, W extends Who, B, Q> {
  readonly body: B;
  readonly query: Q;
  readonly params: Readonly<Record<string, string>>;
  readonly user: W extends 'signed in' ? U : U | undefined;
  readonly visit: Visit<U>;
  /** A key in the path. @throws RecordNotFoundError when it is none */
  id(name?: string): bigint;
  /** Says in the header `ETag` which state of the record the answer shows. */
  tag(record: Model): void;
  /** Holds the request to the state that its header `If-Match` names. @throws PreconditionFailedError */
  assertIfMatch(record: Model): void;
}

/** One thing that can be asked of the API. */
export interface Route<U extends User, W extends Who, B, Q, V> {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** Behind `/api`, as OpenAPI writes it: `/items/{id}/bids`. */
  readonly path: string;
  /** In a few words. */
  readonly summary: string;
  readonly description?: string;
  /** Default `anyone`. */
  readonly who?: W;
  readonly body?: Class<B>;
  readonly query?: Class<Q>;
  /** Without a schema there is no body. Default: 200. */
  readonly answer: { readonly status?: 200 | 201 | 202 | 204; readonly schema?: Schema<V> };
  /** Refusals that are worth telling of, by status. */
  readonly refusals?: Readonly<Record<number, string>>;
  /**
   * The request may carry an `Idempotency-Key`: sent again, it gets the first answer and does nothing. Key and operation
   * are one transaction of this isolation, which is at least the one that the operation declares.
   */
  readonly idempotent?: IsolationLevel;
  /** The request must carry `If-Match`. */
  readonly ifMatch?: boolean;
  readonly handle: (call: Call<U, W, B, Q>) => Promise<V>;
}

export type AnyRoute<U extends User> = Omit<Route<U, Who, unknown, unknown, unknown>, 'handle'> & {
  readonly handle: (call: Call<U, never, never, never>) => Promise<unknown>;
};

export interface ApiFacts {
  readonly title: string;
  readonly version: string;
  readonly description: string;
}

/** An API as a table of what can be asked of it: served, and described, from the same rows. */
export class Api<U extends User = User> {
  readonly routes: AnyRoute<U>[] = [];

  constructor(readonly facts: ApiFacts) {}

  add<W extends Who = 'anyone', B = undefined, Q = undefined, V = void>(route: Route<U, W, B, Q, V>): this {
    this.routes.push(route);
    return this;
  }
}
