import { BellwetherError } from '../core/errors';
import { StatementError } from '../database/errors';
import { resolvePoolOptions } from '../database/options';
import { checkDatabaseName } from '../database/database-url';
import { Session } from '../transaction/session';
import { addressOf } from './address';
import type { AddressOptions } from './address';

/** The user may not create databases, or the server refused for another reason. */
export class CreateDatabaseError extends BellwetherError {
  override readonly code = 'E_CREATE_DATABASE';
  override readonly recovery = 'fix-the-setup';
}

/** Somebody was faster: found before, or by the index of the catalogue at the same moment. */
const IS_THERE: ReadonlySet<string> = new Set(['42P04', '23505']);

/**
 * Creates a database on the server that `connect()` would use, if it is not there; any number of processes may ask at
 * once. Costs one round trip when it is there; the server takes some 50 ms to create it.
 *
 * @returns whether this call created it
 * @throws CreateDatabaseError, and what `connect()` throws of a server that cannot be reached
 */
export async function createDatabase(name: string, options: AddressOptions = {}): Promise<boolean> {
  checkDatabaseName(name);
  const server = await addressOf({ url: options.url, onProgress: options.onProgress });
  try {
    const session = new Session(resolvePoolOptions({ url: server.url, poolSize: 1, isolation: 'read committed' }));
    try {
      return await createIn(session, name);
    } finally {
      await session.pool.close();
    }
  } finally {
    await server.release();
  }
}

async function createIn(session: Session, name: string): Promise<boolean> {
  const find = { text: 'select from pg_database where datname = $1', values: [name], writes: false };
  if ((await session.execute(find)).rows.length > 0) return false;
  const quoted = `"${name.replace(/"/g, '""')}"`;
  try {
    await session.execute({ text: `create database ${quoted}` });
    return true;
  } catch (error) {
    if (!(error instanceof StatementError)) throw error;
    if (IS_THERE.has(error.details.sqlState)) return false;
    throw refusal(error, quoted);
  }
}

function refusal(error: StatementError, quoted: string): CreateDatabaseError {
  const isForbidden = error.details.sqlState === '42501';
  return new CreateDatabaseError({
    what: `The database ${quoted} could not be created (SQLSTATE ${error.details.sqlState}).`,
    remedy: isForbidden
      ? `Let a superuser create it, with this user as its owner (create database ${quoted} owner …), or grant the right (alter role … createdb).`
      : 'Look at the cause.',
    details: { sqlState: error.details.sqlState },
    cause: error,
  });
}
