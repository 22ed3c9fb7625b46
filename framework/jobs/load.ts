import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { moduleLoader } from '../migration/module-loader';
import { InvalidJobError } from './errors';

/**
 * Loads the modules that declare jobs: a file, or every one below a folder, in the order of their names. TypeScript is
 * loaded as it is.
 *
 * @returns their paths
 * @throws InvalidJobError where there is none, or one cannot be loaded
 */
export async function loadJobFiles(path: string): Promise<readonly string[]> {
  const files = await modulesAt(path);
  if (files.length === 0) {
    throw new InvalidJobError({
      what: `There is no file of jobs at ${path}.`,
      remedy: 'Declare the jobs in .ts or .js files below `jobs`, or name their folder with --jobs.',
      details: { path },
    });
  }
  for (const file of files) await load(file);
  return files;
}

async function load(file: string): Promise<void> {
  try {
    await moduleLoader(file).import(file);
  } catch (error) {
    const message = (error as { message?: string } | undefined)?.message ?? String(error);
    throw new InvalidJobError({
      what: `${file} cannot be loaded: ${message}`,
      remedy: 'Correct the file; the cause says where.',
      details: { path: file },
      cause: error,
    });
  }
}

async function modulesAt(path: string): Promise<readonly string[]> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (!found?.isDirectory()) return found ? [path] : [];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && /\.[cm]?[jt]s$/.test(entry.name) && !/\.d\.[cm]?ts$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
