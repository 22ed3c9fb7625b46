import { checkDatabaseName, urlOfDatabase } from '../database/database-url';
import { resolvePoolOptions } from '../database/options';
import { startEmbedded } from '../embedded/embedded-server';

/** Where a database is to be found. */
export interface AddressOptions {
  /** `postgres://user:password@host:port/database`. Default: `DATABASE_URL`, else the embedded server of the project. */
  readonly url?: string;
  /** Hears what the embedded server does while it starts, which takes a second or two the first time. */
  readonly onProgress?: (step: string) => void;
}

export interface Address {
  readonly url: string;
  /** Says that the embedded server, if it is one, is needed no more. */
  readonly release: () => Promise<void>;
}

/** Options that are there, but perhaps undefined. */
type Asked = { readonly [K in keyof AddressOptions]: AddressOptions[K] | undefined };

/** @param database takes the place of the one that the address names */
export async function addressOf({ url: given, onProgress }: Asked, database?: string): Promise<Address> {
  if (database !== undefined) checkDatabaseName(database);
  const inDatabase = (url: string) => (database === undefined ? url : urlOfDatabase(url, database));
  const url = given ?? process.env.DATABASE_URL;
  if (url !== undefined && url !== '') {
    return { url: inDatabase(resolvePoolOptions({ url }).url), release: () => Promise.resolve() };
  }
  const server = await startEmbedded(onProgress ? { onProgress } : {});
  return { url: inDatabase(server.url), release: () => server.release() };
}
