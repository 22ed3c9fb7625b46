import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidMigrationError } from './errors';
import { parseFileNames } from './files';

const TYPESCRIPT = `import { migration, sql } from 'bellwether';

export default migration({
  up: async (db) => {
    await sql\`select 1\`.execute(db);
  },
  down: async (db) => {
    await sql\`select 1\`.execute(db);
  },
});
`;

const SQL = `-- migrate:up

-- migrate:down
`;

export interface NewMigration {
  readonly folder: string;
  /** In any spelling: `create accounts`, `CreateAccounts`. */
  readonly purpose: string;
  readonly language: 'ts' | 'sql';
  /** Its timestamp, in UTC. */
  readonly now: Date;
}

/**
 * Makes the file of a new migration, and the folder with it if need be.
 *
 * @returns its path
 * @throws InvalidMigrationError when the purpose has no letter or digit, or the file is there already
 */
export async function newMigration({ folder, purpose, language, now }: NewMigration): Promise<string> {
  const fileName = `${fileNameOf(purpose, now)}.${language}`;
  parseFileNames([fileName]);
  await mkdir(folder, { recursive: true });
  const path = join(folder, fileName);
  try {
    await writeFile(path, language === 'sql' ? SQL : TYPESCRIPT, { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new InvalidMigrationError({
      what: `${path} is there already.`,
      remedy: 'Use it, or name another.',
      cause: error,
    });
  }
  return path;
}

/** @returns like `20261121083000_create_accounts` */
export function fileNameOf(purpose: string, now: Date): string {
  const words = purpose
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '');
  if (words === '') {
    throw new InvalidMigrationError({
      what: 'A migration needs a purpose, in letters or digits.',
      remedy: 'Say what it does: bellwether migrate new create_accounts.',
    });
  }
  return `${now.toISOString().replace(/\D/g, '').slice(0, 14)}_${words}`;
}
