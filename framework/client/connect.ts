import { resolvePoolOptions } from '../database/options';
import type { PoolOptions } from '../database/options';
import { probeServer } from '../database/probe';
import { Replicas } from '../database/replicas';
import { startEmbedded } from '../embedded/embedded-server';
import type { IsolationLevel } from '../theory/isolation';
import { offerAsDefault } from '../transaction/current';
import { Session } from '../transaction/session';
import { Database } from './database';

export interface ConnectOptions<L extends IsolationLevel = IsolationLevel> extends Partial<
  Omit<PoolOptions, 'isolation'>
> {
  /** Isolation of what declares none, single statements too. Default `serializable`. */
  readonly isolation?: L;
  /**
   * Addresses of streaming replicas of the same server: inside of `db.session(…)` reads go there, else nothing does.
   * Each gets a pool of its own, with these same options; at repeatable read, since a replica refuses serializable.
   */
  readonly replicas?: readonly string[];
  /** How long nothing is sent to a replica that could not be reached, in milliseconds. Default 5,000. */
  readonly replicaRetryMs?: number;
  /** Hears what the embedded server does while it starts, which takes a second or two the first time. */
  readonly onProgress?: (step: string) => void;
}

/**
 * Connects to the database at `url`, else at `DATABASE_URL`, else to the embedded server of the project, which
 * is started when it is not running. The first database that is connected serves all models.
 *
 * Costs one round trip, to find out that the server is there and new enough.
 *
 * @throws ConnectionFailedError, InvalidDatabaseUrlError or UnsupportedServerError, at once and with the remedy
 */
export async function connect<L extends IsolationLevel = 'serializable'>({
  onProgress,
  replicas = [],
  replicaRetryMs = 5_000,
  ...options
}: ConnectOptions<L> = {}): Promise<Database<L>> {
  const server = await addressOf(options.url, onProgress);
  try {
    const session = new Session(resolvePoolOptions({ ...options, url: server.url }));
    const { pool, bus } = session;
    if (replicas.length > 0) session.replicas = new Replicas(replicas, pool.options, bus, replicaRetryMs);
    try {
      const facts = await probeServer(session.pool);
      session.engine = facts.engine;
      offerAsDefault(session);
      return new Database(session, facts, server.release);
    } catch (error) {
      await session.pool.close();
      throw error;
    }
  } catch (error) {
    await server.release();
    throw error;
  }
}

interface Address {
  readonly url: string;
  readonly release: () => Promise<void>;
}

async function addressOf(given: string | undefined, onProgress?: (step: string) => void): Promise<Address> {
  const url = given ?? process.env.DATABASE_URL;
  if (url !== undefined && url !== '') return { url, release: () => Promise.resolve() };
  const server = await startEmbedded(onProgress ? { onProgress } : {});
  return { url: server.url, release: () => server.release() };
}
