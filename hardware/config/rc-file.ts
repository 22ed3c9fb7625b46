import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { nameOf } from './environment';
import type { Given, Source } from './given';
import { unknownName } from './given';
import { isOptionName, OPTIONS } from './options';
import type { Option } from './values';

/** @param path undefined for `~/.bellbotrc`, which need not be there */
export function readRcFile(
  path: string | undefined,
  environment: Readonly<NodeJS.ProcessEnv>,
): Source & { readonly warnings: readonly string[] } {
  const file = path ?? join(environment.HOME || homedir(), '.bellbotrc');
  const shown = path ?? '~/.bellbotrc';
  try {
    const source = parseRc(readFileSync(file, 'utf8'), shown);
    return { ...source, warnings: isOpen(file) && hasSecret(source) ? [openWarning(shown)] : [] };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && path === undefined) return { given: [], mistakes: [], warnings: [] };
    if (code === undefined) throw error;
    return { given: [], mistakes: [`${shown}: cannot be read (${code}).`], warnings: [] };
  }
}

/** Lines `NAME=value`, as a shell would read them: with or without `export`, quotes and comments. */
export function parseRc(content: string, shown: string): Source {
  const given: Given[] = [];
  const mistakes: string[] = [];
  for (const [index, line] of content
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    const from = `${shown}, line ${index + 1}`;
    const [, variable, quoted, bare] =
      /^\s*(?:export\s+)?([\w-]+)\s*=\s*(?:("[^"]*"|'[^']*')|([^"'\s]\S*)?)\s*(?:\s#.*)?$/.exec(line) ?? [];
    if (variable === undefined) {
      mistakes.push(`${from}: is no line NAME=value.`); // its text may hold a key
      continue;
    }
    const name = nameOf(variable);
    if (!isOptionName(name)) mistakes.push(unknownName(`${variable} (${from})`, name, (known) => known));
    else if (given.some((other) => other.name === name)) mistakes.push(`${name} (${from}): is given before.`);
    else given.push({ name, text: quoted?.slice(1, -1) ?? bare ?? '', from });
  }
  return { given, mistakes };
}

function hasSecret({ given }: Source): boolean {
  return given.some(({ name }) => (OPTIONS[name] as Option<unknown>).isSecret);
}

const isOpen = (file: string) => process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0;
const openWarning = (shown: string) => `${shown} holds a key and others can read it: chmod 600 ${shown}`;
