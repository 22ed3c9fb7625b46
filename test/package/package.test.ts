import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { createTestDatabase } from 'bellwether/testing';
import type { TestDatabase } from 'bellwether/testing';

const run = promisify(execFile);
const PROJECT = resolve(__dirname, '../..');
const TSC = join(PROJECT, 'node_modules/typescript/bin/tsc');

let folder: string;
let database: TestDatabase;

/** What the README tells to paste: each block whose first line names its file. */
async function pasteFromReadme(): Promise<string[]> {
  const readme = await readFile(join(PROJECT, 'README.md'), 'utf8');
  const blocks = [...readme.matchAll(/^```(?:ts|json)\n\/\/ (\S+)\n([\s\S]*?)^```/gm)];
  for (const [, name, text] of blocks) {
    await mkdir(dirname(join(folder, name!)), { recursive: true });
    await writeFile(join(folder, name!), text!);
  }
  return blocks.map(([, name]) => name!);
}

const inFolder = (command: string, args: readonly string[]) =>
  run(command, [...args], { cwd: folder, env: { ...process.env, DATABASE_URL: database.url } });

beforeAll(async () => {
  if (!existsSync(join(PROJECT, 'dist/framework/index.js'))) throw new Error('Run npm run build first.');
  folder = await mkdtemp(join(tmpdir(), 'bellwether-package-'));
  database = await createTestDatabase();
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
    cwd: PROJECT,
  });
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'stranger', private: true }));
  // The platform binaries of the embedded server are large and not what is looked at here.
  const quiet = ['--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts', '--omit=optional'];
  await run('npm', ['install', ...quiet, `./${filename}`, 'class-validator', '@types/node@20'], { cwd: folder });
}, 180_000);

afterAll(async () => {
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

test('what the README shows works when pasted into an empty project', async () => {
  const names = await pasteFromReadme();
  expect(names).toEqual(['tsconfig.json', 'migrations/20260101000000_create_accounts.ts', 'models.ts', 'main.ts']);
  const { stdout: migrated } = await inFolder(join(folder, 'node_modules/.bin/bellwether'), ['migrate', 'up']);
  expect(migrated).toContain('20260101000000_create_accounts');
  await inFolder(process.execPath, [TSC]);
  const { stdout } = await inFolder(process.execPath, ['dist/main.js']);
  expect(stdout).toMatch(/moved 250\nann-\S+ 750n 1\nben-\S+ 250n 1\ninsufficient funds\n/);
  expect(stdout).toContain("message: 'is taken'");
});

test('modules can import it too, by name', async () => {
  await writeFile(
    join(folder, 'module.mjs'),
    `import { Model, connect, sql, migration } from 'bellwether';
     import { createTestDatabase } from 'bellwether/testing';
     console.log([Model, connect, sql, migration, createTestDatabase].map((it) => typeof it).join());`,
  );
  const { stdout } = await inFolder(process.execPath, ['module.mjs']);
  expect(stdout).toBe('function,function,function,function,function\n');
});

test('what the exports map does not name cannot be imported', async () => {
  const script = `try { require('bellwether/dist/framework/model/model.js') } catch (error) { console.log(error.code) }`;
  const { stdout } = await inFolder(process.execPath, ['-e', script]);
  expect(stdout).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED\n');
});

test('the package holds the framework and nothing of the samples or the tests', async () => {
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--dry-run', '--json'], { cwd: PROJECT });
  const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
  const foreign = files.map(({ path }) => path).filter((path) => !/^(dist\/framework|docs)\//.test(path));
  expect(foreign.sort()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']);
});

test('every error of the public API has a code of its own', () => {
  const codes = new Map<string, string[]>();
  for (const file of declarationFiles()) {
    for (const [, name, code] of file.matchAll(/class (\w+) extends[\s\S]*?readonly code = "(\w+)"/g)) {
      codes.set(code!, [...(codes.get(code!) ?? []), name!]);
    }
  }
  expect(codes.size).toBeGreaterThan(40);
  expect([...codes].filter(([, names]) => names.length > 1)).toEqual([]);
});

function declarationFiles(): string[] {
  return readdirSync(join(PROJECT, 'dist/framework'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.d.ts'))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
}
