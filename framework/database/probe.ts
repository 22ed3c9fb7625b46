import type { SpokenEngine } from '../theory/engines';
import { engineCalling } from '../theory/engines';
import type { Pool } from './pool';
import type { Statement } from './statement';
import { UnsupportedServerError } from './errors';
import { maskedUrl } from './options';
import { translateDatabaseError } from './sqlstate';

export interface ServerFacts {
  /** As PostgreSQL counts: 180004 is 18.4. */
  readonly versionNumber: number;
  readonly isReplica: boolean;
  readonly engine: SpokenEngine | 'unknown';
}

const OLDEST = 140000;

const PROBE: Statement = {
  text: `select current_setting('server_version_num')::int, pg_is_in_recovery(), version(), pg_backend_pid(),
    current_setting('default_transaction_isolation'), pg_snapshot_xmax(pg_current_snapshot())::text`,
  writes: false,
};

/**
 * One round trip that tells whether this is a server that the framework can keep its promises on, and whether a
 * pooler is in between: then the process at the other end is not the one that was told when the session was opened.
 */
export async function probeServer(pool: Pool): Promise<ServerFacts> {
  const { rows } = await pool
    .borrow(async (connection) => {
      const result = await connection.run(PROBE);
      const [, , , pid, isolation, xid] = result.rows[0] as [number, boolean, string, number, string, string];
      pool.noteTransactionId(BigInt(xid));
      const isOurs = pid === connection.processID && isolation === pool.options.isolation;
      if (pool.ownsSessions && !isOurs) pool.disownSessions(connection);
      return result;
    })
    .catch((error: unknown) => {
      throw translateDatabaseError(error);
    });
  const [versionNumber, isReplica, version] = rows[0] as [number, boolean, string];
  if (versionNumber < OLDEST) {
    throw new UnsupportedServerError({
      what: `The server is PostgreSQL ${Math.floor(versionNumber / 10000)}; Bellwether needs 14 or newer.`,
      remedy: 'Upgrade the server, or point DATABASE_URL at a newer one.',
      details: { versionNumber, url: maskedUrl(pool.options.url) },
    });
  }
  return { versionNumber, isReplica, engine: engineCalling(version) };
}
