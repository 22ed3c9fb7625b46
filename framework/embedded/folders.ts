import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** Two servers a project: one whose data are kept, and one for tests, whose data are thrown away. */
export type Purpose = 'development' | 'test';

/** Where the server of one project and purpose keeps what it knows about itself. */
export interface Place {
  readonly projectFolder: string;
  readonly purpose: Purpose;
  /** `.bellwether/<purpose>` in the project. */
  readonly stateFolder: string;
}

/** The nearest folder upward from `from` that holds a package.json; `from` itself when there is none. */
export function findProjectFolder(from: string): string {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder;
    if (folder === dirname(folder)) return resolve(from);
  }
}

/** Resolves links, so that two ways to the same project mean the same server. */
export function placeOf(projectFolder: string, purpose: Purpose): Place {
  const project = existsSync(projectFolder) ? realpathSync(projectFolder) : resolve(projectFolder);
  return { projectFolder: project, purpose, stateFolder: join(project, '.bellwether', purpose) };
}

/**
 * Makes the state folder, which nobody else may list. Root's may be passed through, because the server's
 * data lie in it and the server is not root.
 */
export function makeStateFolder(place: Place): void {
  const mode = process.getuid?.() === 0 ? 0o711 : 0o700;
  const top = dirname(place.stateFolder);
  for (const folder of [top, place.stateFolder, claimsFolder(place)]) {
    if (existsSync(folder)) continue;
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, mode);
  }
  const ignore = join(top, '.gitignore');
  if (!existsSync(ignore)) writeFileSync(ignore, '*\n');
}

export const claimsFolder = (place: Place) => join(place.stateFolder, 'claims');
export const serverLogFile = (place: Place) => join(place.stateFolder, 'server.log');
export const supervisorLogFile = (place: Place) => join(place.stateFolder, 'supervisor.log');
export const portFile = (place: Place) => join(place.stateFolder, 'port');
const runningFile = (place: Place) => join(place.stateFolder, 'running.json');

/** What a running supervisor tells those who look for it. Only the owner may read it. */
export interface RunningRecord {
  readonly stateFolder: string;
  readonly supervisorPid: number;
  /** Loopback port on which the supervisor grants leases to whoever knows the token. */
  readonly controlPort: number;
  readonly token: string;
  readonly url: string;
  readonly postmasterPid: number;
  readonly dataFolder: string;
  /** ISO 8601. */
  readonly startedAt: string;
}

/** The record, or nothing when there is none, it is unreadable, or it was copied here with the project. */
export function readRunning(place: Place): RunningRecord | undefined {
  const text = readIfThere(runningFile(place));
  if (text === undefined) return undefined;
  const record = JSON.parse(text) as RunningRecord;
  return record.stateFolder === place.stateFolder ? record : undefined;
}

export function writeRunning(place: Place, record: RunningRecord): void {
  writePrivately(runningFile(place), JSON.stringify(record, null, 2));
}

/** Removes the record if it is still the one of this token. */
export function removeRunning(place: Place, token: string): void {
  if (readRunning(place)?.token === token) rmSync(runningFile(place), { force: true });
}

/** Paths that must follow the project's owner when root starts that owner's server. */
export const sharedPaths = (place: Place) => [
  dirname(place.stateFolder),
  place.stateFolder,
  claimsFolder(place),
  runningFile(place),
  portFile(place),
  serverLogFile(place),
  supervisorLogFile(place),
];

/** Writes a whole file or none, readable by its owner only. */
export function writePrivately(file: string, text: string): void {
  const draft = `${file}.${process.pid}-${randomBytes(4).toString('hex')}`;
  writeFileSync(draft, text, { mode: 0o600 });
  renameSync(draft, file);
}

/** A file's text; undefined when there is no such file. Other failures are thrown. */
export function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ESRCH') return undefined;
    throw error;
  }
}
