import type { AttributeName } from '../attributes/types';
import type { SnakeCase } from '../schema/naming';

/** A row of a model's table as kysely sees it: columns by their default names. */
export type RowOf<T extends object> = { [K in AttributeName<T> as SnakeCase<K>]: T[K] };
