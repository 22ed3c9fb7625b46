import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'bellwether';
import type { Database } from 'bellwether';
import { createTestDatabase, type TestDatabase } from 'bellwether/testing';
import type { PoolClient } from 'pg';
import type { BellwetherError } from '../../framework/core/errors';
import { migrate, migrationStatus, plannedMigrations, redo, rollback } from '../../framework/migration/migrate';

let server: TestDatabase;
let db: Database;
let folder: string;
let progress: string[];
const gates: PoolClient[] = [];

beforeAll(async () => {
  server = await createTestDatabase();
  // Hostile to long work: migrations must not be bound by what the application asks for itself.
  db = await connect({ url: server.url, poolSize: 1, statementTimeoutMs: 100, idleInTransactionTimeoutMs: 100 });
});
beforeEach(async () => {
  await server.pool.query('drop schema public cascade; create schema public');
  folder = mkdtempSync(join(tmpdir(), 'bellwether-migration-'));
  progress = [];
});
afterEach(() => {
  for (const gate of gates.splice(0)) gate.release(true);
  rmSync(folder, { recursive: true, force: true });
});
afterAll(async () => {
  await db.close();
  await server.drop();
});

const write = (files: Record<string, string>) => {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
};
const options = () => ({ folder, onProgress: (step: string) => void progress.push(step) });
const up = () => migrate(db, options());
const sqlFile = (upSql: string, downSql?: string, flags = '') =>
  `${flags}-- migrate:up\n${upSql}\n${downSql === undefined ? '' : `-- migrate:down\n${downSql}\n`}`;
const bare = (upSql: string, downSql?: string) => sqlFile(upSql, downSql, '-- migrate:no-transaction\n');
const rows = async (text: string) => (await server.pool.query<Record<string, unknown>>(text)).rows;
const tables = async () =>
  (await rows(`select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1`))
    .map(({ relname }) => relname)
    .filter((name) => !['bellwether_migrations', 'bellwether_guards'].includes(name as string));
const recorded = async () =>
  (await rows('select name from bellwether_migrations order by name')).map(({ name }) => name);
const statesOf = async () => (await migrationStatus(db, { folder })).map(({ name, state }) => `${name} ${state}`);

/** Makes `select gate()` wait until it is opened. */
async function closeGate(): Promise<{ open: () => void; waiting: () => Promise<number> }> {
  await server.pool.query(
    `create or replace function gate() returns void language sql as 'select pg_advisory_lock(7)'`,
  );
  const client = await server.pool.connect();
  gates.push(client);
  await client.query('select pg_advisory_lock(7)');
  return {
    open: () => gates.splice(gates.indexOf(client), 1)[0]?.release(true),
    waiting: () =>
      eventually(
        `select pid from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database()) and objid = 7 and not granted`,
      ),
  };
}

const LOCK_HOLDER = `select pid from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database()) and classid = ${0x62656c6c} and granted`;

/** Waits until the query finds a row: the meeting point with another session. */
async function eventually(text: string): Promise<number> {
  for (;;) {
    const [found] = await rows(text);
    if (found) return found.pid as number;
    await pause(5);
  }
}

const terminate = (pid: number) => server.pool.query('select pg_terminate_backend($1)', [pid]);

async function failureOf(act: Promise<unknown>): Promise<BellwetherError> {
  return act.then(
    () => Promise.reject(new Error('It did not fail.')),
    (error: unknown) => error as BellwetherError,
  );
}

const ACCOUNTS = `import { migration, sql } from 'bellwether';
export default migration({
  up: async (db) => {
    await db.schema.createTable('accounts').addColumn('id', 'integer').addColumn('owner', 'text').execute();
    await db.insertInto('accounts').values({ id: 1, owner: 'Ada' }).execute();
    await sql\`update accounts set id = id + \${1}\`.execute(db);
  },
  down: (db) => db.schema.dropTable('accounts').execute(),
});`;
const INDEX = bare(
  `create index concurrently owners on accounts (owner); -- one by one;\nselect 1;`,
  'drop index concurrently owners;',
);
const ENTRIES = sqlFile('create table entries (id int); insert into entries values (1);', 'drop table entries;');
const ALL = {
  '20250101000000_accounts.ts': ACCOUNTS,
  '20250102000000_index.sql': INDEX,
  '20250103000000_entries.sql': ENTRIES,
};
const NAMES = ['20250101000000_accounts', '20250102000000_index', '20250103000000_entries'];

test('up, down and redo of TypeScript, SQL and an index that is built concurrently', async () => {
  write(ALL);
  expect(await statesOf()).toEqual(NAMES.map((name) => `${name} pending`));
  expect(await up()).toEqual({ applied: NAMES });
  expect(await rows('select * from accounts')).toEqual([{ id: 2, owner: 'Ada' }]);
  expect(await rows(`select indisvalid from pg_index where indexrelid = 'owners'::regclass`)).toEqual([
    { indisvalid: true },
  ]);
  expect(await recorded()).toEqual(NAMES);
  expect(await up()).toEqual({ applied: [] });
  expect(await rollback(db, { ...options(), steps: 2 })).toEqual({ rolledBack: [NAMES[2], NAMES[1]] });
  expect(await tables()).toEqual(['accounts']);
  expect(await statesOf()).toEqual([`${NAMES[0]} applied`, `${NAMES[1]} pending`, `${NAMES[2]} pending`]);
  expect(await up()).toEqual({ applied: [NAMES[1], NAMES[2]] });
  write({ '20250103000000_entries.sql': sqlFile('create table entries2 ()', 'drop table entries;') });
  expect(await redo(db, options())).toEqual({ redone: NAMES[2] });
  expect(await tables()).toEqual(['accounts', 'entries2']);
  expect(await statesOf()).toEqual(NAMES.map((name) => `${name} applied`));
});

test('the last one taken back may be one outside of transactions', async () => {
  write({ '20250101000000_accounts.ts': ACCOUNTS, '20250102000000_index.sql': INDEX });
  await up();
  expect(await redo(db, options())).toEqual({ redone: NAMES[1] });
  expect(await recorded()).toEqual(NAMES.slice(0, 2));
});

test('the guards of rules over several rows are made along with the history', async () => {
  write(ALL);
  await up();
  expect(await rows('select count(*)::int as guards from bellwether_guards')).toEqual([{ guards: 4096 }]);
});

test('a plan changes nothing, and tells what is special', async () => {
  write(ALL);
  const seen = await plannedMigrations(db, 'up', { folder });
  expect(seen.map(({ name, transaction }) => [name, transaction])).toEqual(NAMES.map((n, i) => [n, i !== 1]));
  expect(await tables()).toEqual([]);
  expect(await rows(`select to_regclass('bellwether_migrations') as history`)).toEqual([{ history: null }]);
});

test('a migration that fails leaves nothing, and those before it stay', async () => {
  const cause = 'insert into half values (0)';
  write({
    '20250101000000_ok.sql': ENTRIES,
    '20250102000000_bad.sql': sqlFile(`create table half (id int check (id > 0)); ${cause}`),
  });
  const error = await failureOf(up());
  expect(error).toMatchObject({
    code: 'E_MIGRATION_FAILED',
    cause: { code: 'E_CHECK_VIOLATION' },
    details: { name: '20250102000000_bad', finished: ['20250101000000_ok'], leftUnfinished: false },
  });
  expect(await tables()).toEqual(['entries']);
  expect(await recorded()).toEqual(['20250101000000_ok']);
});

test('one that cannot be loaded stops all of them, not half', async () => {
  write({ '20250101000000_ok.sql': ENTRIES, '20250102000000_bad.ts': 'export default {{' });
  expect(await failureOf(up())).toMatchObject({ code: 'E_INVALID_MIGRATION' });
  expect(await tables()).toEqual([]);
});

test('one that fails only at COMMIT is named, too', async () => {
  write({
    '20250101000000_late.sql': sqlFile(
      'create table t (id int unique deferrable initially deferred); insert into t values (1), (1);',
    ),
  });
  expect(await failureOf(up())).toMatchObject({
    code: 'E_MIGRATION_FAILED',
    details: { name: '20250101000000_late' },
    cause: { code: 'E_UNIQUE_VIOLATION' },
  });
  expect(await tables()).toEqual([]);
});

test('a failure that the migration swallows does not count as success', async () => {
  const text = `import { migration, sql } from 'bellwether';
    export default migration({ up: (db) => sql\`select 1/0\`.execute(db).catch(() => undefined) });`;
  write({ '20250101000000_swallow.ts': text });
  expect(await failureOf(up())).toMatchObject({ code: 'E_MIGRATION_FAILED', cause: { code: 'E_TRANSACTION_DOOMED' } });
  expect(await recorded()).toEqual([]);
});

test('one that ends its transaction is found out, and not recorded', async () => {
  write({ '20250101000000_commits.sql': sqlFile('create table t (); commit;') });
  expect(await failureOf(up())).toMatchObject({
    code: 'E_INVALID_MIGRATION',
    message: expect.stringMatching(/ended the transaction that it runs in/),
  });
  expect(await recorded()).toEqual([]);
});

test('what a migration sets in its session ends with it', async () => {
  write({
    '20250101000000_dump.sql': sqlFile(`select set_config('search_path', '', false); create table public.a ();`),
    '20250102000000_after.sql': sqlFile('create table b ();'),
  });
  await up();
  expect(await tables()).toEqual(['a', 'b']);
});

test("the application's time limits do not bind a migration", async () => {
  const waits = `import { migration, sql } from 'bellwether';
    export default migration({ up: async (db) => {
      await sql\`select pg_sleep(0.3)\`.execute(db);
      await new Promise((resolve) => setTimeout(resolve, 300));
      await db.schema.createTable('slow').execute();
    } });`;
  write({ '20250101000000_slow.ts': waits, '20250102000000_bare.sql': bare('select pg_sleep(0.3);') });
  expect(await up()).toEqual({ applied: ['20250101000000_slow', '20250102000000_bare'] });
});

test('a wait for a table in use ends, says so and leaves nothing', async () => {
  write({ '20250101000000_accounts.ts': ACCOUNTS });
  await up();
  const reader = await server.pool.connect();
  await reader.query('begin; select from accounts');
  write({ '20250102000000_alter.sql': sqlFile('create table t (); alter table accounts add email text;') });
  const error = await failureOf(migrate(db, { ...options(), lockTimeoutMs: 50 }));
  await reader.query('rollback');
  reader.release();
  expect(error).toMatchObject({
    code: 'E_MIGRATION_LOCK_TIMEOUT',
    recovery: 'try-later',
    details: { lockTimeoutMs: 50 },
  });
  expect(await tables()).toEqual(['accounts']);
  expect(await up()).toEqual({ applied: ['20250102000000_alter'] });
});

test('one without a down is refused before anything is taken back', async () => {
  write({ '20250101000000_one_way.sql': sqlFile('create table t ();'), '20250102000000_entries.sql': ENTRIES });
  await up();
  const error = await failureOf(rollback(db, { ...options(), steps: 2 }));
  expect(error).toMatchObject({ code: 'E_IRREVERSIBLE_MIGRATION', details: { name: '20250101000000_one_way' } });
  expect(await tables()).toEqual(['entries', 't']);
});

test('folder and database must agree, or the options say otherwise', async () => {
  write({ '20250102000000_b.sql': sqlFile('create table b ();\n') });
  await up();
  write({ '20250102000000_b.sql': sqlFile('create table b ();\n').replaceAll('\n', '\r\n') });
  expect(await up()).toEqual({ applied: [] });
  write({ '20250102000000_b.sql': sqlFile('create table c ();') });
  expect(await failureOf(up())).toMatchObject({
    code: 'E_MIGRATION_CHANGED',
    details: { names: ['20250102000000_b'] },
  });
  rmSync(join(folder, '20250102000000_b.sql'));
  write({ '20250101000000_a.sql': sqlFile('create table a ();') });
  expect(await failureOf(up())).toMatchObject({ code: 'E_MIGRATION_FILE_MISSING' });
  expect(await failureOf(migrate(db, { ...options(), allowMissingFiles: true }))).toMatchObject({
    code: 'E_MIGRATION_ORDER',
  });
  expect(await statesOf()).toEqual(['20250101000000_a late', '20250102000000_b missing']);
  const both = { ...options(), allowMissingFiles: true, allowOutOfOrder: true };
  expect(await migrate(db, both)).toEqual({ applied: ['20250101000000_a'] });
});

describe('a connection that is lost', () => {
  test('in a transaction: nothing is left, and the next call applies it', async () => {
    const gate = await closeGate();
    write({ '20250101000000_gated.sql': sqlFile('create table t (); select gate();') });
    const failing = failureOf(up());
    await terminate(await gate.waiting());
    expect(await failing).toMatchObject({ code: 'E_MIGRATION_FAILED', recovery: 'try-later' });
    expect(await tables()).toEqual([]);
    gate.open();
    expect(await up()).toEqual({ applied: ['20250101000000_gated'] });
  });

  test('outside of transactions: later commands say so, until somebody has looked', async () => {
    const gate = await closeGate();
    write({ '20250101000000_bare.sql': bare('create table t ();\nselect gate();') });
    const failing = failureOf(up());
    const pid = await gate.waiting();
    expect(await statesOf()).toEqual(['20250101000000_bare unfinished']);
    await terminate(pid);
    expect(await failing).toMatchObject({ code: 'E_MIGRATION_FAILED', details: { leftUnfinished: true } });
    gate.open();
    const refused = await failureOf(up());
    expect(refused).toMatchObject({ code: 'E_MIGRATION_UNFINISHED', details: { direction: 'up' } });
    expect(await failureOf(rollback(db, options()))).toMatchObject({ code: 'E_MIGRATION_UNFINISHED' });
    await server.pool.query(`drop table t; ${/delete from [^;]*;/.exec(refused.remedy)![0]}`);
    expect(await up()).toEqual({ applied: ['20250101000000_bare'] });
  });

  test('the one that only holds the lock: the migration outside of it is recorded all the same', async () => {
    const gate = await closeGate();
    write({ '20250101000000_bare.sql': bare('select gate();\ncreate table t ();') });
    const running = up();
    await gate.waiting();
    await terminate(await eventually(LOCK_HOLDER));
    gate.open();
    expect(await running).toEqual({ applied: ['20250101000000_bare'] });
    expect(await statesOf()).toEqual(['20250101000000_bare applied']);
  });
});

test('while an index is built concurrently, another migrator waits without standing in its way', async () => {
  write({ '20250101000000_accounts.ts': ACCOUNTS });
  await up();
  const gate = await closeGate();
  write({ '20250102000000_index.sql': bare('select gate();\ncreate index concurrently owners on accounts (owner);') });
  const first = up();
  await gate.waiting();
  const holder = await eventually(LOCK_HOLDER);
  let second: ReturnType<typeof migrate> | undefined;
  await new Promise<void>((resolve) => {
    const onProgress = (step: string) => {
      expect(step).toMatch(new RegExp(`^waiting for another migrator \\(pid ${holder}, since \\d{4}-`));
      resolve();
    };
    second = migrate(db, { folder, onProgress });
  });
  gate.open();
  expect(await first).toEqual({ applied: ['20250102000000_index'] });
  expect(await second).toEqual({ applied: [] });
});
