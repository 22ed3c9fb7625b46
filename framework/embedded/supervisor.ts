import { dirname } from 'node:path';
import { chownSync, existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { uptime } from 'node:os';
import { Client } from 'pg';
import { prepareBinaries } from './binaries';
import { takeClaim, type Claim } from './claim';
import { dataFolderOf, openCluster, possibleDataFolders, OWNER, type Cluster } from './cluster';
import { asEmbeddedError, packError, type PackedError } from './errors';
import {
  claimsFolder,
  portFile,
  readIfThere,
  removeRunning,
  serverLogFile,
  sharedPaths,
  writePrivately,
  writeRunning,
} from './folders';
import type { Place } from './folders';
import { openLeaseDesk, type LeaseDesk } from './leases';
import {
  clearOldPostmaster,
  PORTS,
  readPostmasterFile,
  startPostmaster,
  usualPort,
  type Postmaster,
} from './postmaster';
import { chooseServerUser } from './server-user';

/** What the supervisor tells the process that launched it; nothing more after the last three. */
export type BootMessage =
  | { readonly kind: 'progress'; readonly step: string }
  | { readonly kind: 'ready' }
  | { readonly kind: 'occupied' }
  | { readonly kind: 'failed'; readonly error: PackedError };

const GRACE_MS = 2_000;
const FIRST_LEASE_MS = 10_000;
const WATCH_MS = 1_000;
const MAX_LOG_BYTES = 5_000_000;

/**
 * The life of the process that watches over one server: takes the claim, starts the server, grants leases, and
 * stops the server when nobody needs it, when told to (by request or by signal), or when the state folder has
 * been deleted beneath it. Its own death, even by `kill -9`, ends the server too (see `startPostmaster`).
 */
export async function supervise(place: Place, report: (message: BootMessage) => void): Promise<void> {
  const told = new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => resolve());
  });
  let claim: Claim | undefined;
  try {
    claim = takeClaim(claimsFolder(place));
    if (!claim) return report({ kind: 'occupied' });
    const server = await boot(place, (step) => report({ kind: 'progress', step }));
    report({ kind: 'ready' });
    await watchOver(place, server, claim, told);
  } catch (error) {
    report({ kind: 'failed', error: packError(asEmbeddedError(error, place.stateFolder)) });
  } finally {
    claim?.release();
  }
}

interface Server {
  readonly postmaster: Postmaster;
  readonly desk: LeaseDesk;
  readonly url: string;
}

async function boot(place: Place, onProgress: (step: string) => void): Promise<Server> {
  const user = chooseServerUser(place.projectFolder, possibleDataFolders(place));
  const binaries = prepareBinaries(user, dirname(place.stateFolder));
  await discardDoubtfulTestData(place, dataFolderOf(place, user));
  const cluster = await openCluster(place, binaries, user, onProgress);
  onProgress(`starting PostgreSQL ${binaries.version}`);
  const logFile = serverLogFile(place);
  if (existsSync(logFile) && statSync(logFile).size > MAX_LOG_BYTES) renameSync(logFile, `${logFile}.1`);
  const postmaster = await startPostmaster({ cluster, binaries, user, logFile, preferredPort: preferredPort(place) });
  try {
    const url = urlOf(cluster, postmaster.port);
    await createDatabaseUnlessThere(cluster, postmaster.port);
    const desk = await openLeaseDesk({ graceMs: GRACE_MS, firstMs: FIRST_LEASE_MS });
    announce(place, cluster, postmaster, desk, url);
    if (user && statSync(place.projectFolder).uid === user.uid)
      for (const path of sharedPaths(place)) if (existsSync(path)) chownSync(path, user.uid, user.gid);
    return { postmaster, desk, url };
  } catch (error) {
    await postmaster.stop();
    throw error;
  }
}

/**
 * A test server does not sync: when the machine has gone down beneath it, its files may be anything, and making new
 * ones takes a second. A mere crash of the server is none: what it has written, the system still has.
 */
async function discardDoubtfulTestData(place: Place, dataFolder: string): Promise<void> {
  const left = place.purpose === 'test' ? readPostmasterFile(dataFolder) : undefined;
  if (!left || left.startedAtMs > Date.now() - uptime() * 1000) return;
  await clearOldPostmaster(dataFolder);
  rmSync(dataFolder, { recursive: true, force: true, maxRetries: 5 });
}

function preferredPort(place: Place): number {
  const last = Number(readIfThere(portFile(place)));
  return last >= PORTS.first && last <= PORTS.last ? last : usualPort(place.stateFolder);
}

const urlOf = ({ password }: Cluster, port: number, database = OWNER) =>
  `postgres://${OWNER}:${password}@127.0.0.1:${port}/${database}`;

async function createDatabaseUnlessThere(cluster: Cluster, port: number): Promise<void> {
  const client = new Client({ connectionString: urlOf(cluster, port, 'postgres') });
  await client.connect();
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [OWNER]);
    if (rowCount === 0) await client.query(`create database ${OWNER}`);
  } finally {
    await client.end();
  }
}

function announce(place: Place, cluster: Cluster, { pid, port }: Postmaster, desk: LeaseDesk, url: string): void {
  writePrivately(portFile(place), String(port));
  writeRunning(place, {
    stateFolder: place.stateFolder,
    supervisorPid: process.pid,
    controlPort: desk.port,
    token: desk.token,
    url,
    postmasterPid: pid,
    dataFolder: cluster.dataFolder,
    startedAt: new Date().toISOString(),
  });
}

async function watchOver(place: Place, server: Server, claim: Claim, told: Promise<void>): Promise<void> {
  const { postmaster, desk } = server;
  let watch: NodeJS.Timeout | undefined;
  const deleted = new Promise<void>((resolve) => {
    watch = setInterval(() => !existsSync(claim.file) && resolve(), WATCH_MS);
  });
  const isAlive = await Promise.race([
    Promise.race([told, deleted, desk.finished]).then(() => true),
    postmaster.ended.then(() => false),
  ]);
  clearInterval(watch);
  removeRunning(place, desk.token);
  if (isAlive) {
    desk.bidFarewell();
    if (place.purpose === 'test') await dropTestDatabases(server.url);
    await postmaster.stop();
  }
  claim.release(); // before the connections close: whoever waited for the end may start anew at once
  desk.close();
}

/** What test runs left that were killed. Nobody can be using it: nobody holds a lease, or all were told to go. */
async function dropTestDatabases(url: string): Promise<void> {
  const client = new Client({ connectionString: url, statement_timeout: 2_000 });
  try {
    await client.connect();
    const leftovers = await client.query<{ name: string }>(
      `select quote_ident(datname) as name from pg_database where datname like 'bellwether\\_test\\_%'`,
    );
    for (const { name } of leftovers.rows) await client.query(`drop database if exists ${name} with (force)`);
  } catch (error) {
    console.error('Could not drop the test databases; they stay until the next time.', error);
  } finally {
    await client.end();
  }
}
