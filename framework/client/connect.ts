import { InvalidOptionError } from '../core/invalid-option-error';
import { urlOfDatabase } from '../database/database-url';
import { resolvePoolOptions } from '../database/options';
import type { PoolOptions } from '../database/options';
import { probeServer } from '../database/probe';
import { Replicas } from '../database/replicas';
import { Listener } from '../notifications/listener';
import type { IsolationLevel } from '../theory/isolation';
import { offerAsDefault } from '../transaction/current';
import { Session } from '../transaction/session';
import { addressOf } from './address';
import type { AddressOptions } from './address';
import { Database } from './database';

export interface ConnectOptions<L extends IsolationLevel = IsolationLevel>
  extends AddressOptions, Partial<Omit<PoolOptions, 'isolation' | 'url'>> {
  /** The database, instead of the one that the address names; see {@link createDatabase}. */
  readonly database?: string;
  /** Isolation of what declares none, single statements too. Default `serializable`. */
  readonly isolation?: L;
  /**
   * Addresses of streaming replicas of the same server: inside of `db.session(…)` reads go there, else nothing does.
   * Each gets a pool of its own, with these same options; at repeatable read, since a replica refuses serializable.
   */
  readonly replicas?: readonly string[];
  /** How long nothing is sent to a replica that could not be reached, in milliseconds. Default 5,000. */
  readonly replicaRetryMs?: number;
  /** About the session of `db.listen(…)`. */
  readonly listen?: {
    /** Address to listen at, where the other one leads through a pooler. Default: the same. */
    readonly url?: string;
    /**
     * How often the session is asked for a sign of life, and how long the answer may take, in milliseconds. Default
     * 10,000.
     */
    readonly heartbeatMs?: number;
  };
}

/**
 * Connects to the database at `url`, else at `DATABASE_URL`, else to the embedded server of the project, which
 * is started when it is not running; to another database of that server where `database` names one. The first one that
 * is connected serves all models.
 *
 * Costs one round trip, to find out that the server is there and new enough.
 *
 * @throws ConnectionFailedError, InvalidDatabaseUrlError or UnsupportedServerError, at once and with the remedy
 */
export async function connect<L extends IsolationLevel = 'serializable'>({
  url,
  database,
  onProgress,
  replicas = [],
  replicaRetryMs = 5_000,
  listen = {},
  ...options
}: ConnectOptions<L> = {}): Promise<Database<L>> {
  const inDatabase = (address: string) => (database === undefined ? address : urlOfDatabase(address, database));
  const server = await addressOf({ url, onProgress }, database);
  try {
    const session = new Session(resolvePoolOptions({ ...options, url: server.url }));
    const { pool, bus } = session;
    if (replicas.length > 0) {
      session.replicas = new Replicas(replicas.map(inDatabase), pool.options, bus, replicaRetryMs);
    }
    try {
      const facts = await probeServer(session.pool);
      session.engine = facts.engine;
      offerAsDefault(session);
      return new Database(session, facts, listenerOf(session, listen, inDatabase), server.release);
    } catch (error) {
      await session.pool.close();
      throw error;
    }
  } catch (error) {
    await server.release();
    throw error;
  }
}

function listenerOf(
  { pool: { options }, bus }: Session,
  { url: given, heartbeatMs = 10_000 }: NonNullable<ConnectOptions['listen']>,
  inDatabase: (address: string) => string,
): Listener {
  const url = given === undefined ? options.url : inDatabase(given);
  if (!(heartbeatMs >= 1)) throw new InvalidOptionError('listen.heartbeatMs', 'a number from 1 upwards', heartbeatMs);
  const { connectTimeoutMs, applicationName, acquireTimeoutMs: patienceMs } = resolvePoolOptions({ ...options, url });
  return new Listener({ url, connectTimeoutMs, applicationName, heartbeatMs, patienceMs }, bus);
}
