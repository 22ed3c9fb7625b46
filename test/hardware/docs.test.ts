import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BELL_OPTIONS, OPTIONS } from '../../hardware/config/options';
import type { Option } from '../../hardware/config/values';

const FOLDER = join(__dirname, '../../docs');
const text = readFileSync(join(FOLDER, 'bellbot.md'), 'utf8');

/** The cells of each row of the document's tables, whatever their width. */
const rows = text
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('\\|', '|')),
  );

test.each(Object.entries<Option<unknown>>(OPTIONS))(
  'the table says of %s what --help says',
  (name, { help, range, fallbackText }) => {
    expect(rows.filter(([option]) => option === `\`${name}\``)).toContainEqual([
      `\`${name}\``,
      help,
      range ?? '',
      fallbackText,
    ]);
  },
);

test("the tables name no option that there isn't", () => {
  const options = rows.filter(([, , range, fallback]) => range !== undefined && fallback !== undefined);
  const named = options.map(([option]) => /^`([a-z-]+)`$/.exec(option!)?.[1]).filter((name) => name !== undefined);
  expect(named).toEqual(Object.keys(OPTIONS));
});

test('what a bell of the file may set is told', () => {
  const told = /A bell may set (.*?);/s.exec(text)![1]!;
  expect([...told.matchAll(/`([a-z-]+)`/g)].map(([, name]) => name)).toEqual(Object.keys(BELL_OPTIONS));
});

test('every code of a problem is told, with its status', () => {
  const source = readFileSync(join(__dirname, '../../hardware/server/problem.ts'), 'utf8');
  const codes = [...source.matchAll(/^ {2}(E_[A-Z_]+): \[(\d+)/gm)].map(([, code, status]) => [status, code]);
  expect(codes.length).toBeGreaterThan(10);
  const told = rows.flatMap(([status, codes]) =>
    [...(codes ?? '').matchAll(/`(E_[A-Z_]+)`/g)].map(([, code]) => [status, code]),
  );
  expect(told).toEqual(expect.arrayContaining(codes));
});

test('what the symptoms quote is what BellBot says', () => {
  const hardware = join(__dirname, '../../hardware');
  const files = readdirSync(hardware, { recursive: true, encoding: 'utf8' });
  const sources = files.filter((file) => file.endsWith('.ts') && !/^(dist|node_modules)/.test(file));
  const said = sources.map((file) => readFileSync(join(hardware, file), 'utf8')).join('\n');
  const symptoms = text.slice(text.indexOf('## When something is wrong')).matchAll(/^\| [^|"]*"([^"]+)"/gm);
  const parts = [...symptoms].flatMap(([, quoted]) => quoted!.split('…')).map((part) => part.trim());
  expect(parts.length).toBeGreaterThan(6);
  expect(parts.filter((part) => !said.includes(part))).toEqual([]);
});

test('every picture, page and heading that it leads to is there', () => {
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
  const anchors = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => `#${anchorOf(heading!)}`);
  const isThere = (target: string) =>
    target.startsWith('https://') ||
    (target.startsWith('#') ? anchors.includes(target) : existsSync(join(FOLDER, target)));
  expect(targets.filter((target) => !isThere(target))).toEqual([]);
});

const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, '')
    .replaceAll(' ', '-');
