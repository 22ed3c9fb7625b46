import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidMigrationError, MigrationFolderError } from './errors';

export interface MigrationFile {
  /** File name without extension: `20261121083000_create_accounts`. Sorts in order of creation. */
  readonly name: string;
  readonly path: string;
  readonly language: MigrationLanguage;
  readonly text: string;
  /** See {@link checksumOf}. */
  readonly checksum: string;
}

export type MigrationLanguage = 'ts' | 'js' | 'sql';

const CODE_OR_SQL = /\.(?:[cm]?[tj]s|sql)$/;
const DECLARATIONS = /\.d\.[cm]?ts$/;
const WELL_NAMED = /^(?<name>(?<stamp>\d{14})_[a-z0-9_]+)\.(?:[cm]?(?<code>[tj]s)|(?<sql>sql))$/;

/**
 * Reads a folder of migrations, without running any. Subfolders, hidden files, type declarations and files that are
 * neither code nor SQL are left alone.
 *
 * @returns oldest first
 * @throws MigrationFolderError, or InvalidMigrationError for a name out of form or a timestamp used twice
 */
export async function readMigrationFiles(folder: string): Promise<readonly MigrationFile[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw new MigrationFolderError(folder, error);
  });
  const candidates = entries.filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(
    parseFileNames(candidates).map(async ({ name, language, fileName }) => {
      const path = join(folder, fileName);
      const text = (await readFile(path, 'utf8')).replace(/^\uFEFF/, '');
      return { name, language, path, text, checksum: checksumOf(language, text) };
    }),
  );
}

export interface ParsedName {
  readonly name: string;
  readonly language: MigrationLanguage;
  readonly fileName: string;
}

/** @returns those that are migrations, oldest first */
export function parseFileNames(fileNames: readonly string[]): readonly ParsedName[] {
  const parsed = fileNames
    .filter((name) => CODE_OR_SQL.test(name) && !DECLARATIONS.test(name) && !name.startsWith('.'))
    .map(parseFileName)
    .sort((one, other) => (one.fileName < other.fileName ? -1 : 1));
  for (const [index, { name, fileName }] of parsed.entries()) {
    const before = parsed[index - 1];
    if (before?.name.slice(0, 14) !== name.slice(0, 14)) continue;
    throw new InvalidMigrationError({
      what: `${before.fileName} and ${fileName} have the same timestamp.`,
      remedy:
        before.name === name
          ? 'Keep one of the two; compiled migrations belong in a folder of their own.'
          : 'Give one of them another timestamp, so that their order is certain.',
      details: { fileNames: [before.fileName, fileName] },
    });
  }
  return parsed;
}

function parseFileName(fileName: string): ParsedName {
  const { name, stamp, code } = WELL_NAMED.exec(fileName)?.groups ?? {};
  if (name === undefined || stamp === undefined || !isTime(stamp)) {
    throw new InvalidMigrationError({
      what: `${fileName} is not a name for a migration.`,
      remedy:
        'Name it by time and purpose, like 20261121083000_create_accounts.ts (`bellwether migrate new` does); put helpers into a subfolder.',
      details: { fileName },
    });
  }
  return { name, fileName, language: (code as 'ts' | 'js' | undefined) ?? 'sql' };
}

function isTime(stamp: string): boolean {
  const iso = stamp.replace(/^(....)(..)(..)(..)(..)(..)$/, '$1-$2-$3T$4:$5:$6.000Z');
  const time = new Date(iso);
  return !Number.isNaN(time.getTime()) && time.toISOString() === iso;
}

/**
 * What a file said, for comparison with what it says later: its language, and SHA-256 of its text with line ends as
 * Unix has them, so that a checkout on Windows compares equal.
 */
export function checksumOf(language: MigrationLanguage, text: string): string {
  const normalised = text.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n');
  return `${language}:${createHash('sha256').update(normalised).digest('hex')}`;
}

/**
 * Whether a file is another than the one that was applied. TypeScript and the JavaScript compiled from it cannot be
 * compared; a database may see either, so they count as the same.
 */
export function hasChanged(recorded: string, present: string): boolean {
  const languages = [recorded, present].map((checksum) => checksum.slice(0, checksum.indexOf(':')));
  const isCompiledPair = languages.includes('ts') && languages.includes('js');
  return recorded !== present && !isCompiledPair;
}
