import { Logger, runMigrations } from 'graphile-worker';
import type { Database } from '../client/database';
import { currentSession } from '../transaction/current';
import type { Session } from '../transaction/session';
import { isPostgresError } from '../database/sqlstate';
import { JobsInstallError } from './errors';
import { GRAPHILE_MIGRATION, LEASE_LOCKS, QUEUE_SCHEMA, QUEUE_VERSION } from './queue-schema';

const IS_THERE = `select to_regclass('graphile_worker.migrations') is not null
  and to_regprocedure('bellwether_jobs.version()') is not null`;
const VERSIONS = `select (select max(id) from graphile_worker.migrations), bellwether_jobs.version()`;
/** The second number is no lease: those count from 1. */
const LOCK = `select pg_advisory_xact_lock(${LEASE_LOCKS}, -1)`;

/** Longest wait for another process that installs, in milliseconds. */
const WAIT_MS = 60_000;

/**
 * Makes the tables and functions of the queue, or brings them to this version: graphile-worker's in the schema
 * `graphile_worker`, Bellwether's in `bellwether_jobs`. Any number of processes may call it at once. Workers do it
 * when they start. Two round trips when there is nothing to do.
 *
 * @throws JobsInstallError when this user may not create schemas in the database
 */
export async function installJobs(database: Database): Promise<void> {
  await installQueue(database.use(currentSession));
}

export async function installQueue(session: Session): Promise<void> {
  if (await isCurrent(session)) return;
  try {
    await session.transaction(
      { isolation: 'read committed', name: 'install jobs', lockTimeoutMs: WAIT_MS, statementTimeoutMs: 0 },
      async () => {
        await session.execute({ text: LOCK, writes: false });
        if (await isCurrent(session)) return; // another process did it in the meantime
        // On a connection of its own, migration by migration; the lock keeps the others away.
        await runMigrations({ connectionString: session.pool.options.url, logger: SILENT });
        await session.execute({ text: QUEUE_SCHEMA });
      },
    );
  } catch (error) {
    throw explain(error);
  }
}

/** graphile's log tells nothing that is not an event or an error here. */
export const SILENT = new Logger(() => () => undefined);

async function isCurrent(session: Session): Promise<boolean> {
  const { rows } = await session.execute({ text: IS_THERE, writes: false });
  if (rows[0]![0] !== true) return false;
  const [graphile, own] = (await session.execute({ text: VERSIONS, writes: false })).rows[0] as [number, number];
  return graphile >= GRAPHILE_MIGRATION && own >= QUEUE_VERSION;
}

function explain(error: unknown): unknown {
  const source = error instanceof Error && isPostgresError(error.cause) ? error.cause : error;
  if (!isPostgresError(source) || source.code !== '42501') return error;
  return new JobsInstallError({
    what: 'This user may not create the schemas of the queue (SQLSTATE 42501).',
    remedy:
      'Grant it CREATE on the database, or have its owner run `bellwether jobs install`, as the user that enqueues.',
    cause: error,
  });
}
