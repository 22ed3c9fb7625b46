import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * A path inside the project, whether this file runs compiled from `dist/` or from its source. What is not compiled
 * (migrations, which are read as they are written, and what the browser gets) stands in one place only.
 */
export function inProject(...path: string[]): string {
  for (let folder = __dirname; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return join(folder, ...path);
    if (folder === dirname(folder)) throw new Error(`No package.json stands above ${__dirname}.`);
  }
}
