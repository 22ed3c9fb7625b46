import { createHash, randomBytes } from 'node:crypto';
import { Client, Pool } from 'pg';
import { urlOfDatabase } from '../database/database-url';
import { startEmbedded } from '../embedded/embedded-server';

/** A database of a test file's own: it may commit, and run beside other files. */
export interface TestDatabase {
  readonly name: string;
  readonly url: string;
  /** Connects when first used, with at most 20 connections, and does not keep the process running. */
  readonly pool: Pool;
  /** Closes the pool, ends every other session of the database too, and removes it. May be called twice. */
  drop(): Promise<void>;
}

/** A database that is prepared once a test run, and then copied: copying takes a fraction of migrating. */
export interface TestTemplate {
  /** Names the template within the run; files that give the same name share it. */
  readonly name: string;
  /** Runs once a run, however many files and workers ask at once. */
  readonly prepare: (url: string) => Promise<void>;
}

/** SQL to run in an empty database, or a template to copy. */
export type TestSchema = string | readonly string[] | { readonly template: TestTemplate };

/** Set by the test run's set-up for its workers: the server on which databases are made. */
export const ADMIN_URL_VARIABLE = 'BELLWETHER_TEST_ADMIN_URL';
/** Set by the test run's set-up: a word that marks all databases of the run. */
export const RUN_VARIABLE = 'BELLWETHER_TEST_RUN';

const ownRun = `${process.pid}_${randomBytes(3).toString('hex')}`;
let made = 0;

/**
 * Makes a database with a name of its own, on the server of the test run, or of TEST_DATABASE_URL, or else on the
 * project's embedded test server, which is started when needed. DATABASE_URL is never used.
 *
 * Cost: about 50 ms.
 */
export async function createTestDatabase(schema: TestSchema = []): Promise<TestDatabase> {
  const adminUrl = await testServerUrl();
  const name = `${databasePrefix()}_${process.pid}_${++made}_${randomBytes(3).toString('hex')}`;
  if (typeof schema === 'object' && 'template' in schema) {
    const template = await ensureTemplate(adminUrl, schema.template);
    await createDatabase(adminUrl, name, template);
  } else {
    await createDatabase(adminUrl, name);
    await withClient(urlOfDatabase(adminUrl, name), async (client) => {
      for (const statements of [schema].flat()) await client.query(statements);
    });
  }
  return testDatabase(adminUrl, name);
}

/** Removes every database of this test run, for its tear-down. */
export async function dropTestDatabases(adminUrl: string): Promise<void> {
  await withClient(adminUrl, async (client) => {
    const found = await client.query<{ name: string }>(
      'select quote_ident(datname) as name from pg_database where starts_with(datname, $1)',
      [`${databasePrefix()}_`],
    );
    for (const { name } of found.rows) await client.query(`drop database if exists ${name} with (force)`);
  });
}

/** An administrator's address on the server that this test run uses. */
export async function testServerUrl(): Promise<string> {
  const given = process.env[ADMIN_URL_VARIABLE] ?? process.env.TEST_DATABASE_URL;
  return given ?? (embeddedUrl ??= startEmbedded({ purpose: 'test' }).then(({ url }) => url));
}
let embeddedUrl: Promise<string> | undefined;

const databasePrefix = () => `bellwether_test_${process.env[RUN_VARIABLE] ?? ownRun}`;

function testDatabase(adminUrl: string, name: string): TestDatabase {
  const url = urlOfDatabase(adminUrl, name);
  const pool = new Pool({ connectionString: url, max: 20, allowExitOnIdle: true });
  pool.on('error', () => {}); // an idle connection that `drop` or the test ended; the pool replaces it
  let dropped: Promise<void> | undefined;
  const remove = async () => {
    await pool.end();
    await withClient(adminUrl, (client) => client.query(`drop database if exists "${name}" with (force)`));
  };
  return { name, url, pool, drop: () => (dropped ??= remove()) };
}

async function createDatabase(adminUrl: string, name: string, template = 'template1'): Promise<void> {
  await withClient(adminUrl, (client) => client.query(`create database "${name}" template "${template}"`));
}

/** It gets its final name when it is whole, so one that failed half-way is never copied. */
async function ensureTemplate(adminUrl: string, { name, prepare }: TestTemplate): Promise<string> {
  const template = `${databasePrefix()}_t_${createHash('sha256').update(name).digest('hex').slice(0, 12)}`;
  const draft = `${template}_draft`;
  await withClient(adminUrl, async (admin) => {
    await admin.query('select pg_advisory_lock(hashtextextended($1, 0))', [template]);
    const found = await admin.query('select from pg_database where datname = $1', [template]);
    if (found.rowCount === 1) return;
    await admin.query(`drop database if exists "${draft}" with (force)`);
    await admin.query(`create database "${draft}"`);
    await prepare(urlOfDatabase(adminUrl, draft));
    await admin.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [draft]);
    await admin.query(`alter database "${draft}" rename to "${template}"`);
  });
  return template;
}

async function withClient<T>(connectionString: string, body: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString });
  await client.connect();
  try {
    return await body(client);
  } finally {
    await client.end();
  }
}
