import { InvalidOptionError } from '../core/invalid-option-error';

/** Longer identifiers are cut by the server (NAMEDATALEN). */
const MOST_BYTES = 63;

/** @throws InvalidOptionError for a name that no server takes, or that no address can hold */
export function checkDatabaseName(name: string): void {
  const bytes = Buffer.byteLength(name);
  // The driver decodes as `decodeURI` does, which leaves `%3F` and `%23` as they are.
  if (bytes > 0 && bytes <= MOST_BYTES && !/[?#\0]/.test(name)) return;
  throw new InvalidOptionError('database', `a name of 1 to ${MOST_BYTES} bytes, without ? and #`, name);
}

/** The same server and user, another database. */
export function urlOfDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${encodeURI(name)}`;
  return changed.href;
}
