import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Binaries } from './binaries';
import {
  EmbeddedBinariesUnusableError,
  EmbeddedDiskFullError,
  EmbeddedVersionError,
  InitdbFailedError,
} from './errors';
import type { Place, Purpose } from './folders';
import { mayReach, reachableFolder, SYSTEM_FOLDERS, type ServerUser } from './server-user';

/** The name of the superuser and of the database that every cluster has. */
export const OWNER = 'bellwether';

/** A cluster on disk: data that one postmaster at a time may serve. */
export interface Cluster {
  readonly dataFolder: string;
  readonly password: string;
  readonly purpose: Purpose;
}

/**
 * In the project, unless the server's user cannot get there (a checkout below /root): then in a folder of the
 * system's that is named for the project.
 */
export function dataFolderOf(place: Place, user: ServerUser | undefined): string {
  if (!user || mayReach(user, ownFolder(place))) return ownFolder(place);
  return join(reachableFolder(user), systemName(place));
}

/** Wherever the data may lie, whoever the server runs as. */
export const possibleDataFolders = (place: Place) => [
  ownFolder(place),
  ...SYSTEM_FOLDERS.map((folder) => join(folder, systemName(place))),
];

const ownFolder = ({ stateFolder }: Place) => join(stateFolder, 'data');

function systemName({ stateFolder, projectFolder, purpose }: Place): string {
  const hash = createHash('sha256').update(stateFolder).digest('hex').slice(0, 16);
  return `${basename(projectFolder)}-${purpose}-${hash}`;
}

/** Held in the data folder, so that data and password cannot be parted. */
const passwordFile = (dataFolder: string) => join(dataFolder, 'bellwether-password');

/**
 * Opens the cluster, making it first when there is none. It is made under another name and renamed when it is
 * whole, so an interruption at any moment leaves either no cluster or a good one.
 *
 * Only one process at a time may call this for a place: it removes what interrupted attempts left.
 *
 * @throws InitdbFailedError, EmbeddedDiskFullError, EmbeddedVersionError
 */
export async function openCluster(
  place: Place,
  binaries: Binaries,
  user: ServerUser | undefined,
  onProgress: (step: string) => void,
): Promise<Cluster> {
  const dataFolder = dataFolderOf(place, user);
  removeDrafts(dataFolder);
  if (!existsSync(join(dataFolder, 'PG_VERSION'))) {
    onProgress(`creating a PostgreSQL ${binaries.version} cluster in ${dataFolder}`);
    rmSync(dataFolder, { recursive: true, force: true });
    await createCluster(dataFolder, place.purpose, binaries, user);
  }
  const dataVersion = readFileSync(join(dataFolder, 'PG_VERSION'), 'utf8').trim();
  const binaryVersion = binaries.version.split('.')[0] ?? '';
  if (dataVersion !== binaryVersion) throw new EmbeddedVersionError({ dataFolder, dataVersion, binaryVersion });
  return { dataFolder, password: readFileSync(passwordFile(dataFolder), 'utf8'), purpose: place.purpose };
}

function removeDrafts(dataFolder: string): void {
  const parent = dirname(dataFolder);
  const drafts = readdirSync(parent).filter((name) => name.startsWith(`${basename(dataFolder)}.draft-`));
  // An initdb whose supervisor was killed may still write for a moment.
  for (const draft of drafts) rmSync(join(parent, draft), { recursive: true, force: true, maxRetries: 5 });
}

async function createCluster(
  dataFolder: string,
  purpose: Purpose,
  binaries: Binaries,
  user: ServerUser | undefined,
): Promise<void> {
  const draft = `${dataFolder}.draft-${randomBytes(4).toString('hex')}`;
  const passwords = `${draft}-password`;
  try {
    mkdirSync(draft, { mode: 0o700 });
    writeFileSync(passwords, randomBytes(24).toString('hex'), { mode: 0o600 });
    if (user) for (const path of [draft, passwords]) chownSync(path, user.uid, user.gid);
    await runInitdb(binaries.initdb, initdbArguments(draft, passwords, purpose), draft, user);
    renameSync(passwords, passwordFile(draft));
    renameSync(draft, dataFolder);
  } finally {
    for (const path of [draft, passwords]) rmSync(path, { recursive: true, force: true, maxRetries: 5 });
  }
}

/**
 * The builtin provider sorts and folds case alike on every system. The password is 192 random bits, which more
 * than one round of hashing does not make harder to guess, only slower to log in with.
 */
function initdbArguments(dataFolder: string, passwords: string, purpose: Purpose): string[] {
  const settings = {
    max_connections: '300',
    max_pred_locks_per_transaction: '256',
    timezone: 'UTC',
    scram_iterations: '1',
  };
  return [
    `--pgdata=${dataFolder}`,
    `--username=${OWNER}`,
    `--pwfile=${passwords}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--locale=C',
    '--no-instructions',
    ...(purpose === 'test' ? ['--no-sync'] : []),
    ...Object.entries(settings).map(([name, value]) => `--set=${name}=${value}`),
  ];
}

/** Tries the system's C.UTF-8 for what PostgreSQL still asks the system (words of full-text search), then C. */
async function runInitdb(initdb: string, args: string[], draft: string, user: ServerUser | undefined): Promise<void> {
  const first = await run(initdb, [...args, '--lc-ctype=C.UTF-8'], user);
  const last = /invalid locale name/.test(first.output) ? await run(initdb, args, user) : first;
  if (last.status === 0) return;
  if (/No space left on device|Disk quota exceeded|Check free disk space/.test(last.output))
    throw new EmbeddedDiskFullError({ path: draft });
  throw new InitdbFailedError({ dataFolder: draft, status: last.status, output: last.output.trim() });
}

function run(program: string, args: string[], user: ServerUser | undefined) {
  return new Promise<{ status: number | null; output: string }>((resolve, reject) => {
    const child = spawn(program, args, {
      ...spawnAs(user),
      cwd: dirname(program),
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let output = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.on('error', (error: NodeJS.ErrnoException) =>
      // The file is there: what the system does not find is the loader that it names.
      reject(
        error.code === 'ENOENT'
          ? new EmbeddedBinariesUnusableError({ file: program, reason: 'its loader is missing' }, error)
          : error,
      ),
    );
    child.on('close', (status) => resolve({ status, output }));
  });
}

/** The server's programs get no setting of the caller's environment: PGDATA or LC_ALL would change what they do. */
export function spawnAs(user: ServerUser | undefined) {
  const { PATH = '/usr/bin:/bin', SystemRoot } = process.env;
  const env = { PATH, LC_ALL: 'C', ...(SystemRoot && { SystemRoot }) };
  return { env, windowsHide: true, ...(user && { uid: user.uid, gid: user.gid }) };
}
