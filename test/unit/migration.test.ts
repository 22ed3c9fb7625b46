import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as framework from 'bellwether';
import type { BellwetherError } from '../../framework/core/errors';
import { migration } from '../../framework/migration/definition';
import { MigrationFailedError } from '../../framework/migration/errors';
import { checksumOf, hasChanged, parseFileNames, readMigrationFiles } from '../../framework/migration/files';
import { loadMigration } from '../../framework/migration/load';
import { fileNameOf, newMigration } from '../../framework/migration/new-migration';
import { describeHistory, planDown, planUp } from '../../framework/migration/plan';
import type { AppliedMigration, PlanOptions } from '../../framework/migration/plan';
import { parseSqlFile, splitStatements } from '../../framework/migration/sql-file';

const file = (name: string, checksum = 'ts:1') => ({ name, checksum });
const record = (name: string, facts: Partial<AppliedMigration> = {}): AppliedMigration => ({
  name,
  checksum: 'ts:1',
  appliedAt: new Date(0),
  durationMs: 1,
  unfinished: null,
  ...facts,
});
const namesOf = (list: readonly { name: string }[]) => list.map(({ name }) => name).join(' ');

/** What a call does: its value, or code and details of its error. */
function outcome(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    const { code, details } = error as BellwetherError;
    return { code, ...details };
  }
}

describe('what is applied next', () => {
  interface Row {
    story: string;
    files: string;
    applied: AppliedMigration[];
    options?: PlanOptions;
    expected: unknown;
  }
  const rows: Row[] = [
    { story: 'nothing yet', files: 'b a', applied: [], expected: 'a b' },
    { story: 'all of it', files: 'a b', applied: [record('a'), record('b')], expected: '' },
    { story: 'a part', files: 'a b c', applied: [record('a')], expected: 'b c' },
    {
      story: 'one without a file',
      files: 'b',
      applied: [record('a')],
      expected: { code: 'E_MIGRATION_FILE_MISSING', names: ['a'] },
    },
    {
      story: 'one without a file, allowed',
      files: 'a c',
      applied: [record('a'), record('b')],
      options: { allowMissingFiles: true },
      expected: 'c',
    },
    {
      story: 'one whose file has changed',
      files: 'a',
      applied: [record('a', { checksum: 'ts:2' })],
      expected: { code: 'E_MIGRATION_CHANGED', names: ['a'] },
    },
    { story: 'one compiled since', files: 'a', applied: [record('a', { checksum: 'js:2' })], expected: '' },
    {
      story: 'a newer one than one that is pending',
      files: 'a b c',
      applied: [record('b')],
      expected: { code: 'E_MIGRATION_ORDER', names: ['a'], newestApplied: 'b' },
    },
    {
      story: 'a newer one, order being of no matter',
      files: 'a b c',
      applied: [record('b')],
      options: { allowOutOfOrder: true },
      expected: 'a c',
    },
    { story: 'one unfinished', files: 'a b', applied: [record('a', { unfinished: 'up' })], expected: 'b' },
  ];
  test.each(rows)('applied: $story', ({ files, applied, options, expected }) => {
    const candidates = files.split(' ').map((name) => file(name));
    expect(outcome(() => namesOf(planUp(candidates, applied, options)))).toEqual(expected);
  });
});

describe('what is taken back next', () => {
  test.each([
    [1, 'a'],
    [2, 'a b'],
    [9, 'a b'],
  ])('%i step(s): by the order of applying, not of names', (steps, expected) => {
    const applied = [record('b', { checksum: 'ts:changed' }), record('a')];
    expect(namesOf(planDown([file('a'), file('b')], applied, steps))).toBe(expected);
  });

  test('one without a file is refused', () => {
    const act = () => planDown([file('a')], [record('a'), record('b')], 1);
    expect(outcome(act)).toEqual({ code: 'E_MIGRATION_FILE_MISSING', names: ['b'] });
  });
});

test('the status names the state of each, and never throws', () => {
  const applied = [record('b'), record('c', { checksum: 'ts:2' }), record('d'), record('e', { unfinished: 'down' })];
  const states = describeHistory([file('a'), file('b'), file('c'), file('e'), file('f')], applied);
  expect(states.map(({ name, state }) => `${name} ${state}`)).toEqual([
    'a late',
    'b applied',
    'c changed',
    'd missing',
    'e unfinished',
    'f pending',
  ]);
});

describe('names of files', () => {
  const refused = (what: RegExp): unknown =>
    expect.objectContaining({ message: expect.stringMatching(what) as string });
  test.each<[files: string, expected: unknown]>([
    ['20250102000000_b.sql 20250101000000_a.ts', 'ts:20250101000000_a sql:20250102000000_b'],
    ['20250101000000_a.d.ts 20250101000000_a.js 20250101000000_a.js.map README.md .x.ts', 'js:20250101000000_a'],
    ['20250101000000_a.mts 20250101000001_a.cjs', 'ts:20250101000000_a js:20250101000001_a'],
    ['helpers.ts', refused(/helpers.ts is not a name for a migration.*\n.*into a subfolder/)],
    ['2025_a.ts', refused(/not a name/)],
    ['20250101000000_A.ts', refused(/not a name/)],
    ['20250101000000-a.sql', refused(/not a name/)],
    ['20251301000000_a.ts', refused(/not a name/)],
    ['20250230000000_a.ts', refused(/not a name/)],
    ['20250101000000_a.ts 20250101000000_a.js', refused(/same timestamp.*\n.*Keep one of the two/)],
    ['20250101000000_a.ts 20250101000000_b.ts', refused(/same timestamp.*\n.*another timestamp/)],
  ])('%s', (files, expected) => {
    const act = () => parseFileNames(files.split(' ')).map(({ name, language }) => `${language}:${name}`);
    let seen: unknown;
    try {
      seen = act().join(' ');
    } catch (error) {
      seen = error;
      expect((error as BellwetherError).code).toBe('E_INVALID_MIGRATION');
    }
    expect(seen).toEqual(expected);
  });

  test.each([
    ['create_accounts', '20261121083000_create_accounts'],
    ['CreateAccounts', '20261121083000_create_accounts'],
    [' Add the 2nd owner! ', '20261121083000_add_the_2nd_owner'],
  ])('"%s" becomes %s', (purpose, expected) => {
    expect(fileNameOf(purpose, new Date('2026-11-21T08:30:00.999Z'))).toBe(expected);
  });
});

describe('a file counts as changed when', () => {
  const text = 'select 1;\n';
  const stored = checksumOf('sql', text);
  test.each<[string, string, boolean]>([
    ['its text differs', checksumOf('sql', 'select 2;\n'), true],
    ['only its line ends differ', checksumOf('sql', '\uFEFFselect 1;\r\n'), false],
    ['it is in another language', checksumOf('ts', text), true],
  ])('%s: %#', (_, present, expected) => expect(hasChanged(stored, present)).toBe(expected));

  test('TypeScript and what was compiled from it cannot be told apart', () => {
    expect(hasChanged(checksumOf('ts', 'a'), checksumOf('js', 'b'))).toBe(false);
  });
});

describe('SQL files', () => {
  test('sections and flags', () => {
    const text = '-- by Ada\r\n-- migrate:no-transaction\r\n\n-- migrate:up\r\na;\n  -- migrate:down \nb;';
    const expected = { up: 'a;', down: 'b;', transaction: false, safeForOldCode: undefined };
    expect(parseSqlFile('x', text)).toEqual(expected);
  });

  test.each<[string, RegExp]>([
    ['select 1;', /has SQL before/],
    ['-- nothing', /no line `-- migrate:up`/],
    ['-- migrate:down\n', /no line `-- migrate:up`/],
    ['-- migrate:up\n-- migrate:up', /two sections up/],
    ['-- migrate:upp', /`migrate:upp`, which is unknown/],
    ['-- migrate:up\n-- migrate:no-transaction', /misplaced/],
  ])('%j is refused', (text, what) => expect(() => parseSqlFile('x', text)).toThrow(what));

  test.each<[string, string[]]>([
    ['a; b ;', ['a', 'b']],
    [' ;; -- only ; words\n /* and /* ; */ ; */', []],
    [`select ';', ";", 'it''s;', E'\\';' ; b`, [`select ';', ";", 'it''s;', E'\\';'`, 'b']],
    [`select 'a\\'; select 'b'`, [`select 'a\\'`, `select 'b'`]],
    ['do $$ begin; end $$; do $x$ a; $$ ; $x$; b$c$; d$', ['do $$ begin; end $$', 'do $x$ a; $$ ; $x$', 'b$c$', 'd$']],
    ['a /* ; */ ; -- ; \n b', ['a /* ; */', '-- ; \n b']],
  ])('%j is split', (text, statements) => expect(splitStatements(text)).toEqual(statements));
});

describe('what a file exports', () => {
  let folder: string;
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'bellwether-load-'))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function load(fileName: string, text: string) {
    rmSync(folder, { recursive: true, force: true });
    folder = mkdtempSync(join(tmpdir(), 'bellwether-load-'));
    writeFileSync(join(folder, fileName), text);
    const [only] = await readMigrationFiles(folder);
    return loadMigration(only!);
  }
  const IMPORT = `import { migration, sql, BellwetherError } from 'bellwether';\n`;

  test.each<[string, string, string]>([
    ['by default', 'ts', `${IMPORT}export default migration({ up: async (db: unknown): Promise<void> => {} });`],
    ['by name', 'ts', `${IMPORT}const m = migration({ up: async () => {} });\nexport { m as migration };`],
    [
      'compiled to CommonJS',
      'js',
      `exports.__esModule = true; exports.default = require('bellwether').migration({ up: async () => {} });`,
    ],
    ['an ECMAScript module', 'mjs', `${IMPORT}await 0; export default migration({ up: async () => {} });`],
  ])('%s, .%s', async (_, extension, text) => {
    const { up } = await load(`20250101000000_a.${extension}`, text);
    expect(typeof up).toBe('function');
  });

  test('it gets the copy of the package that is running', async () => {
    const text = `${IMPORT}export default migration({ up: async () => ({ BellwetherError, sql }) });`;
    const { up } = await load('20250101000000_a.ts', text);
    const imported = (await up(undefined as never)) as typeof framework;
    expect(imported.BellwetherError).toBe(framework.BellwetherError);
    expect(imported.sql).toBe(framework.sql);
  });

  test.each<[string, RegExp]>([
    ['export const x = 1;', /has no function up/],
    ['export default 1;', /is not made by migration/],
    ['export default {};', /has no function up/],
    ['export default { up() {}, transactional: false };', /unknown option "transactional"/],
    ['export default { up() {}, down: 1 };', /down that is no function/],
    ['export default { up() {}, transaction: "no" };', /neither true nor false/],
    ['export default {{;', /cannot be loaded: .*Unexpected token/],
    [`import 'no-such-package';`, /cannot be loaded: Cannot find module/],
  ])('%s is refused', async (text, what) => {
    await expect(load('20250101000000_a.ts', text)).rejects.toMatchObject({
      code: 'E_INVALID_MIGRATION',
      message: expect.stringMatching(what) as string,
    });
  });

  test('a migration may name any table and column', () => {
    const definition = migration({
      up: async (db) => {
        await db.schema.createTable('accounts').addColumn('id', 'bigint').execute();
        await db.insertInto('accounts').values({ id: 1n, owner: 'Ada' }).execute();
        await db.updateTable('accounts').set({ owner: 'Bob' }).where('id', '=', 1n).execute();
      },
    });
    expect(Object.isFrozen(definition)).toBe(true);
    // @ts-expect-error there is no such option
    expect(() => migration({ up: () => Promise.resolve(), isolation: 'serializable' })).toThrow(/unknown option/);
  });

  test.each(['ts', 'sql'] as const)('a new one in %s can be loaded as it is', async (language) => {
    const into = join(folder, 'made', language);
    const request = { folder: into, purpose: 'try it', language, now: new Date('2026-11-21T08:30:00Z') };
    const path = await newMigration(request);
    expect(path).toBe(join(into, `20261121083000_try_it.${language}`));
    const [made] = await readMigrationFiles(into);
    expect(await loadMigration(made!)).toMatchObject({ down: expect.any(Function) as unknown });
    await expect(newMigration(request)).rejects.toMatchObject({ code: 'E_INVALID_MIGRATION' });
    expect(readFileSync(path, 'utf8')).toBe(made!.text);
  });
});

test('a folder that is not there is named, with the remedy', async () => {
  await expect(readMigrationFiles('/no/such/folder')).rejects.toMatchObject({
    code: 'E_MIGRATION_FOLDER',
    details: { folder: '/no/such/folder' },
  });
});

test('a failure keeps its cause, and names what was finished before', () => {
  const cause = new Error('boom\nand more');
  const error = new MigrationFailedError({ name: 'b', direction: 'up', finished: ['a'] }, cause);
  expect(error.message).toBe(
    'b failed to go up; nothing of it is left: boom\n  Remedy: Correct it and run the command again; the cause holds the words of the server.',
  );
  expect(error).toMatchObject({ cause, details: { name: 'b', finished: ['a'], leftUnfinished: false } });
});
