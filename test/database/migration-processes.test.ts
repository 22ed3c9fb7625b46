import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { createTestDatabase, type TestDatabase } from 'bellwether/testing';

const DIST = resolve(__dirname, '../../dist');
const ROUNDS = Number(process.env.MIGRATION_ROUNDS ?? 5);

let database: TestDatabase;
let folder: string | undefined;
const children: ChildProcess[] = [];

beforeAll(async () => {
  assertBuilt();
  database = await createTestDatabase();
});
beforeEach(async () => {
  await database.pool.query('drop schema public cascade; create schema public');
  folder = mkdtempSync(join(tmpdir(), 'bellwether-migrators-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  if (folder) rmSync(folder, { recursive: true, force: true });
});
afterAll(() => database?.drop());

/** Other processes run what was built, so what was built must be what is tested. */
function assertBuilt(): void {
  const remedy = 'Run `npm run build` (`npm test` does) before this test.';
  let built: { fileNames: string[]; fileInfos: (string | { version: string })[] };
  try {
    built = JSON.parse(readFileSync(join(DIST, '.tsbuildinfo'), 'utf8')) as typeof built;
  } catch (error) {
    throw new Error(`There is no build in dist/. ${remedy}`, { cause: error });
  }
  const stale = built.fileNames.filter((name, index) => {
    if (!/^\.\.\/framework\/(?:cli|client|database|migration|query|transaction)\//.test(name)) return false;
    const info = built.fileInfos[index]!;
    const digest = createHash('sha256')
      .update(readFileSync(join(DIST, name), 'utf8'))
      .digest('hex');
    return digest !== (typeof info === 'string' ? info : info.version);
  });
  if (stale.length > 0) throw new Error(`The build in dist/ is older than ${stale.join(', ')}. ${remedy}`);
}

interface Migrator {
  readonly child: ChildProcess;
  /** Settles at the line that matches; fails with all that was said when the process ends without it. */
  readonly says: (what: RegExp) => Promise<string>;
  readonly end: Promise<{ status: number | null; signal: string | null; output: string }>;
}

function migrator(...args: string[]): Migrator {
  const child = spawn(
    process.execPath,
    ['--enable-source-maps', join(DIST, 'framework/cli/bin.js'), 'migrate', ...args, '--folder', folder!],
    { env: { ...process.env, DATABASE_URL: database.url }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  children.push(child);
  const lines: string[] = [];
  const waiters = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface(stream).on('line', (line) => {
      lines.push(line);
      for (const wake of waiters) wake();
    });
  }
  const end = new Promise<Awaited<Migrator['end']>>((settle) => {
    child.once('close', (status, signal) => settle({ status, signal, output: lines.join('\n') }));
  });
  const says = (what: RegExp) =>
    new Promise<string>((settle, reject) => {
      const look = () => {
        const found = lines.find((line) => what.test(line));
        if (found !== undefined) settle(found);
      };
      waiters.add(look);
      look();
      void end.then(({ output }) => reject(new Error(`It ended without saying ${String(what)}:\n${output}`)));
    });
  return { child, says, end };
}

const rows = async (text: string) => (await database.pool.query<Record<string, unknown>>(text)).rows;

/** Waits until the query finds something: the meeting point with another process. */
async function eventually(text: string): Promise<Record<string, unknown>> {
  for (;;) {
    const [found] = await rows(text);
    if (found) return found;
    await pause(5);
  }
}

const write = (files: Record<string, string>) => {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder!, name), text);
};

/** Each writes that it ran; two more that would not bear to run twice are a table and an index. */
const FILES = {
  '20250101000000_log.sql': `-- migrate:up\ncreate table ran (name text); insert into ran values ('log');`,
  '20250102000000_accounts.ts': `import { migration, sql } from 'bellwether';
    export default migration({ up: async (db) => {
      await db.schema.createTable('accounts').addColumn('id', 'integer').execute();
      await db.insertInto('ran').values({ name: 'accounts' }).execute();
      await sql\`insert into accounts select generate_series(1, 1000)\`.execute(db);
    } });`,
  '20250103000000_index.ts': `import { migration, sql } from 'bellwether';
    export default migration({ transaction: false, up: async (db) => {
      await sql\`create index concurrently account_ids on accounts (id)\`.execute(db);
      await sql\`insert into ran values ('index')\`.execute(db);
    } });`,
  '20250104000000_entries.sql': `-- migrate:up\ncreate table entries (); insert into ran values ('entries');`,
};

test.each(Array.from({ length: ROUNDS }, (_, index) => index + 1))(
  'three migrators at once apply each migration once, and wait for one another where it can be seen: round %i',
  async () => {
    write(FILES);
    const starter = await database.pool.connect();
    await starter.query(`begin; select pg_advisory_xact_lock(${0x62656c6c}, ${0x6d696772})`);
    const { pid } = (await starter.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]!;
    const three = [migrator('up'), migrator('up'), migrator('up')];
    try {
      for (const { says } of three) await says(new RegExp(`^waiting for another migrator \\(pid ${pid}, since 2`));
    } finally {
      await starter.query('rollback');
      starter.release();
    }
    const ends = await Promise.all(three.map(({ end }) => end));
    expect(ends).toEqual([0, 0, 0].map((status) => expect.objectContaining({ status }) as unknown));
    const said = ends.flatMap(({ output }) => output.match(/^applied .*/gm) ?? []).sort();
    const names = Object.keys(FILES).map((name) => name.replace(/\..*/, ''));
    expect(said).toEqual(names.map((name) => `applied ${name}`));
    expect(await rows('select name from ran order by name')).toEqual(
      ['accounts', 'entries', 'index', 'log'].map((name) => ({ name })),
    );
    expect(await rows('select name, unfinished from bellwether_migrations order by name')).toEqual(
      names.map((name) => ({ name, unfinished: null })),
    );
  },
);

describe.each(['SIGINT', 'SIGKILL'] as const)('%s in the middle of a statement', (signal) => {
  test('leaves nothing applied and no lock, and the next one applies it', async () => {
    write({ '20250101000000_gated.sql': '-- migrate:up\ncreate table t (); select pg_advisory_xact_lock(7);' });
    const gate = await database.pool.connect();
    await gate.query('select pg_advisory_lock(7)');
    const killed = migrator('up', '--lock-timeout', '0'); // or the wait would end by itself
    const waiting = `select pid from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database()) and objid = 7 and not granted`;
    const { pid } = await eventually(waiting);
    killed.child.kill(signal);
    expect(await killed.end).toMatchObject({ status: null, signal });
    await eventually(`select where not exists (select from pg_stat_activity where pid = ${pid as number})`);
    expect(await rows(`select to_regclass('t') as t, count(*)::int as n from bellwether_migrations`)).toEqual([
      { t: null, n: 0 },
    ]);
    gate.release(true);
    expect(await migrator('up').end).toMatchObject({ status: 0, output: expect.stringMatching(/^applied /m) });
  });
});

test('a failure ends with status 1 and says which, why and what to do', async () => {
  write({ '20250101000000_bad.sql': '-- migrate:up\nselect no_such();' });
  const { status, output } = await migrator('up').end;
  expect(status).toBe(1);
  expect(output).toMatch(/20250101000000_bad failed to go up; nothing of it is left: .*no_such/);
  expect(output).toMatch(/Remedy: .*\(E_MIGRATION_FAILED\)/);
});
