import type { Express } from 'express';
import { migrationStatus, sql } from 'bellwether';
import type { Database } from 'bellwether';
import { logFailure } from './problem';

const PATIENCE_MS = 3_000;

export interface HealthOf {
  readonly db: Database;
  readonly name: string;
  /** Folder of the migrations. */
  readonly migrations: string;
}

/** `GET /health`: 200 while the application can do its work, 503 while it cannot. Says nothing that is secret. */
export function addHealth(app: Express, { db, name, migrations }: HealthOf): void {
  app.get('/health', async (_request, response) => {
    const own = {
      application: name,
      uptimeS: Math.round(process.uptime()),
      pool: db.poolState,
      serverVersion: serverVersion(db),
    };
    response.set('Cache-Control', 'no-store');
    try {
      const facts = await askDatabase(db, migrations);
      response.status(facts.migrations.pending === 0 ? 200 : 503);
      response.json({ status: facts.migrations.pending === 0 ? 'ok' : 'migrations are pending', ...own, ...facts });
    } catch (error) {
      logFailure(error);
      response.status(503).json({ status: 'the database does not answer', ...own });
    }
  });
}

async function askDatabase(db: Database, folder: string) {
  const begunAt = performance.now();
  return db.use({ signal: AbortSignal.timeout(PATIENCE_MS) }, async () => {
    const { rows } = await sql<{ name: string; bytes: string; connections: number }>`
      select current_database() as name, pg_database_size(current_database())::text as bytes,
        (select count(*)::int from pg_stat_activity where datname = current_database()) as connections
    `.execute(db.kysely());
    const answerMs = Math.round(performance.now() - begunAt);
    const known = await migrationStatus(db, { folder });
    const pending = known.filter(({ state }) => state === 'pending').length;
    return { database: { ...rows[0], answerMs }, migrations: { applied: known.length - pending, pending } };
  });
}

/** `18.4`, as people say it. */
export function serverVersion({ serverVersion: number }: Pick<Database, 'serverVersion'>): string {
  return `${Math.floor(number / 10_000)}.${number % 10_000}`;
}
