import { currentSession } from '../transaction/current';
import { checkDefinition } from './definition';
import type { MigrationDefinition } from './definition';
import { InvalidMigrationError } from './errors';
import type { MigrationFile } from './files';
import { moduleLoader } from './module-loader';
import { parseSqlFile, splitStatements } from './sql-file';

/** A migration that is ready to run. */
export interface LoadedMigration extends MigrationDefinition {
  readonly file: MigrationFile;
}

/**
 * Evaluates a migration's file: the very text that its checksum was taken of, so nothing cached and nothing that was
 * saved in between.
 *
 * @throws InvalidMigrationError when it cannot be evaluated, or does not export a migration
 */
export async function loadMigration(file: MigrationFile): Promise<LoadedMigration> {
  return { ...(file.language === 'sql' ? fromSql(file) : await fromCode(file)), file };
}

async function fromCode({ name, path, text, language }: MigrationFile): Promise<MigrationDefinition> {
  let exported: { default?: unknown; migration?: unknown };
  try {
    const options = { id: path, filename: path, ext: `.${language}`, async: true };
    exported = (await moduleLoader(path).evalModule(text, options)) as typeof exported;
  } catch (error) {
    const message = (error as { message?: string } | undefined)?.message ?? String(error);
    throw new InvalidMigrationError({
      what: `${name} cannot be loaded: ${message}`,
      remedy: 'Correct the file; the cause says where.',
      details: { name, path },
      cause: error,
    });
  }
  // By name first: where there is no default export, the loader answers with the whole module instead. Compiled to
  // CommonJS by some tools, a default export is wrapped once more.
  const byDefault = (exported.default as { default?: unknown } | undefined)?.default ?? exported.default;
  const definition: unknown = exported.migration ?? byDefault;
  checkDefinition(definition, `The export of ${name}`);
  return definition;
}

function fromSql({ name, text }: MigrationFile): MigrationDefinition {
  const { up, down, transaction, safeForOldCode } = parseSqlFile(name, text);
  const runner = (section: string) => async () => {
    const session = currentSession();
    const statements = transaction ? [section] : splitStatements(section);
    for (const statement of statements) await session.execute({ text: statement });
  };
  return {
    up: runner(up),
    ...(down !== undefined && { down: runner(down) }),
    transaction,
    ...(safeForOldCode !== undefined && { safeForOldCode }),
  };
}
