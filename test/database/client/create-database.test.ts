import { connect, createDatabase, sql } from 'bellwether';
import type { BellwetherError } from 'bellwether';
import { createTestDatabase } from 'bellwether/testing';
import type { TestDatabase } from 'bellwether/testing';

let first: TestDatabase;
const made: string[] = [];
const url = () => first.url;
/** Begins as the databases of the run do, so that its tear-down would find it too. */
const nameOf = (suffix: string) => {
  const name = `${first.name}_${suffix}`.slice(-63);
  made.push(name);
  return name;
};
const errorOf = (promise: Promise<unknown>) => promise.then(fail, (error: unknown) => error as BellwetherError);
const fail = () => {
  throw new Error('It was not refused.');
};

beforeAll(async () => (first = await createTestDatabase()));
afterAll(async () => {
  for (const name of made) {
    await first.pool.query(`drop database if exists "${name.replace(/"/g, '""')}" with (force)`);
  }
  await first.drop();
});

async function currentDatabase(database: string): Promise<string> {
  const db = await connect({ url: url(), database });
  try {
    const { rows } = await sql<{ name: string }>`select current_database() as name`.execute(db.kysely());
    return rows[0]!.name;
  } finally {
    await db.close();
  }
}

test.each(['plain', `O'Neill's "shop" 100% & ö`])('%s: created once, and connected to by name', async (suffix) => {
  const name = `${first.name.slice(-30)}_${suffix}`;
  made.push(name);
  expect(await createDatabase(name, { url: url() })).toBe(true);
  expect(await createDatabase(name, { url: url() })).toBe(false);
  expect(await currentDatabase(name)).toBe(name);
});

test('of many that create it at once, one does, and all find it there', async () => {
  const name = nameOf('at_once');
  const created = await Promise.all(Array.from({ length: 8 }, () => createDatabase(name, { url: url() })));
  expect(created.filter(Boolean)).toHaveLength(1);
  expect(await currentDatabase(name)).toBe(name);
});

test('a name that is mistyped: the error says how to create it', async () => {
  const error = await errorOf(connect({ url: url(), database: 'micorblog' }));
  expect(error).toMatchObject({ code: 'E_CONNECTION_FAILED', recovery: 'fix-the-setup' });
  expect(error.message).toContain('no database "micorblog"');
  expect(error.remedy).toContain(`createDatabase('micorblog')`);
});

test('without the right to, the error says who may', async () => {
  const role = `role_${first.name.slice(-20)}`;
  await first.pool.query(`create role "${role}" login password 'x'`);
  try {
    const theirs = new URL(url());
    theirs.username = role;
    theirs.password = 'x';
    const error = await errorOf(createDatabase(nameOf('forbidden'), { url: theirs.href }));
    expect(error).toMatchObject({
      code: 'E_CREATE_DATABASE',
      recovery: 'fix-the-setup',
      details: { sqlState: '42501' },
    });
    expect(error.remedy).toMatch(/createdb/);
  } finally {
    await first.pool.query(`drop role "${role}"`);
  }
});

test.each([
  ['empty', ''],
  ['too long', 'x'.repeat(64)],
  ['with ?', 'a?b'],
])('%s: no name', async (_what, name) => {
  expect((await errorOf(createDatabase(name, { url: url() }))).code).toBe('E_INVALID_OPTION');
  expect((await errorOf(connect({ url: url(), database: name }))).code).toBe('E_INVALID_OPTION');
});
