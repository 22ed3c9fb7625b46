import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, statSync, type Stats } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { EmbeddedPermissionError, EmbeddedUserError } from './errors';

/** Whom the server runs as when Bellwether itself runs as root, which PostgreSQL refuses. */
export interface ServerUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Chooses an existing user: the one that owns the data already, else the project's owner, so that both may share
 * the data, else the usual unprivileged ones. No user is made and neither `su` nor `sudo` is needed.
 *
 * @param possibleData folders in which the data may lie; PostgreSQL insists on owning them
 * @returns undefined when this process is not root: the server then runs as whoever started it
 * @throws EmbeddedUserError when there is none that root can become (as in a container with one mapped user)
 */
export function chooseServerUser(projectFolder: string, possibleData: readonly string[]): ServerUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const owners = [...possibleData.filter((folder) => existsSync(folder)), projectFolder];
  const preferred = owners.map((folder) => statSync(folder).uid);
  const candidates = serverUserCandidates(readFileSync('/etc/passwd', 'utf8'), preferred);
  const chosen = candidates.find(({ uid, gid }) => spawnSync('/bin/sh', ['-c', ':'], { uid, gid }).status === 0);
  if (!chosen) throw new EmbeddedUserError({ tried: candidates.map(({ name }) => name) });
  return chosen;
}

const USUAL_NAMES = ['postgres', '_postgres', 'nobody', 'daemon'];

/** Best first. initdb looks its user up by number, so only those with an entry in the password file count. */
export function serverUserCandidates(passwd: string, preferred: readonly number[]): ServerUser[] {
  const users = passwd.split('\n').flatMap((line): ServerUser[] => {
    const [name = '', , uid = '', gid = ''] = line.split(':');
    return /^\d+$/.test(uid) && /^\d+$/.test(gid) && uid !== '0' ? [{ name, uid: +uid, gid: +gid }] : [];
  });
  const owners = preferred.flatMap((owner) => users.filter(({ uid }) => uid === owner));
  return [...owners, ...USUAL_NAMES.flatMap((name) => users.filter((user) => user.name === name))];
}

/** Whether the user can pass through every folder above `path`. Access lists beyond the mode are not seen. */
export function mayReach(user: ServerUser, path: string): boolean {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (!mayDo(user, statSync(folder), 0o1)) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** @param bits 4 to read, 2 to write, 1 to execute or pass through */
export function mayDo(user: ServerUser, { uid, gid, mode }: Stats, bits: number): boolean {
  const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0;
  return ((mode >> shift) & bits) === bits;
}

/** Best first. */
export const SYSTEM_FOLDERS = ['/var/lib', '/var/tmp', tmpdir()].map((parent) => join(parent, 'bellwether'));

/**
 * A folder of root's that the server's user can pass through, for what it cannot reach where it lies (a
 * checkout below /root). Kept across restarts of the machine where the system has such a place.
 */
export function reachableFolder(user: ServerUser): string {
  for (const folder of SYSTEM_FOLDERS) {
    try {
      mkdirSync(folder, { mode: 0o711 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') continue;
    }
    const stats = lstatSync(folder); // not through a link: somebody else may have planted one
    const isOurs = stats.isDirectory() && stats.uid === 0 && (stats.mode & 0o022) === 0;
    if (isOurs && mayReach(user, join(folder, 'x'))) return folder;
  }
  throw new EmbeddedPermissionError({ path: SYSTEM_FOLDERS.join(', '), reason: `not reachable by ${user.name}` });
}
