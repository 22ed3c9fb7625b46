import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readlinkSync, realpathSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Binaries } from './binaries';
import { isAlive } from './claim';
import { spawnAs, type Cluster } from './cluster';
import { EmbeddedDiskFullError, EmbeddedNoPortError, EmbeddedStartFailedError, EmbeddedTimeoutError } from './errors';
import type { ServerUser } from './server-user';

/** Below the range from which systems lend ports to outgoing connections, which could take ours for seconds. */
export const PORTS = { first: 15_000, last: 29_999 } as const;
const PORT_ATTEMPTS = 200;
const START_TIMEOUT_MS = 120_000;
const FAST_STOP_MS = 10_000;

export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  /** Settles when the server has ended, for whatever reason. */
  readonly ended: Promise<void>;
  /** Ends sessions and transactions, writes a checkpoint, and returns when the process is gone. */
  stop(): Promise<void>;
}

export interface PostmasterSpec {
  readonly cluster: Cluster;
  readonly binaries: Binaries;
  readonly user: ServerUser | undefined;
  readonly logFile: string;
  readonly preferredPort: number;
}

/**
 * Starts the server on the preferred port or the next free one, and waits until it accepts connections.
 *
 * Only one process at a time may call this for a cluster.
 *
 * @throws EmbeddedStartFailedError, EmbeddedDiskFullError, EmbeddedNoPortError, EmbeddedTimeoutError
 */
export async function startPostmaster(spec: PostmasterSpec): Promise<Postmaster> {
  await clearOldPostmaster(spec.cluster.dataFolder);
  let port = spec.preferredPort;
  for (let attempt = 0; attempt < PORT_ATTEMPTS; attempt++) {
    const started = (await isFree(port)) ? await startOn(port, spec) : 'port taken';
    if (typeof started === 'object') return started;
    if (started === 'port taken') port = port === PORTS.last ? PORTS.first : port + 1;
    else await pause(100);
  }
  throw new EmbeddedNoPortError({ ...PORTS, tried: PORT_ATTEMPTS });
}

/** A port that stays the same for one folder as long as nobody else takes it. */
export function usualPort(stateFolder: string): number {
  const hash = createHash('sha256').update(stateFolder).digest().readUInt32BE(0);
  return PORTS.first + (hash % (PORTS.last - PORTS.first + 1));
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().on('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/**
 * Runs the server, and interrupts it when standard input ends, which happens however the supervisor ends:
 * so no `kill -9` leaves a server behind. The shell's own end is the server's.
 */
const DEAD_MANS_SWITCH = `
exec 3<&0
"$@" </dev/null 3<&- & server=$!
(read -r line; kill -INT $server) <&3 >/dev/null 2>&1 & watch=$!
exec 3<&-
wait $server; status=$?
kill $watch 2>/dev/null
exit $status`;

type Obstacle = 'port taken' | 'sessions remain';

/** @returns an obstacle when it makes sense to try again: on the next port, or in a moment */
async function startOn(port: number, spec: PostmasterSpec): Promise<Postmaster | Obstacle> {
  const { dataFolder } = spec.cluster;
  const log = openSync(spec.logFile, 'a', 0o600);
  const logStart = statSync(spec.logFile).size;
  const child = spawnServer(port, spec, log);
  closeSync(log);
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()).on('error', () => resolve()));
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
    const file = readPostmasterFile(dataFolder);
    if (file?.isReady && file.port === port)
      return { pid: file.pid, port, ended, stop: () => stopChild(child, file.pid, dataFolder, ended, spec) };
    if (Date.now() > deadline) {
      child.stdin?.end();
      throw new EmbeddedTimeoutError({ stateFolder: dataFolder, waitedMs: START_TIMEOUT_MS, waitedFor: 'PostgreSQL' });
    }
    await pause(15);
  }
  const output = readFileSync(spec.logFile).subarray(logStart).toString('utf8').trim();
  const obstacle = OBSTACLES.find(([complaint]) => complaint.test(output));
  if (obstacle) return obstacle[1];
  if (/No space left on device|Check free disk space/.test(output))
    throw new EmbeddedDiskFullError({ path: dataFolder });
  throw new EmbeddedStartFailedError({ dataFolder, logFile: spec.logFile, output: output.slice(-4000) });
}

/** The server logs in English: see `spawnAs`. The second is said until sessions of a killed server have ended. */
const OBSTACLES: readonly (readonly [RegExp, Obstacle])[] = [
  [/Address already in use[^]*could not create any TCP\/IP sockets/, 'port taken'],
  [/pre-existing shared memory block .* is still in use/, 'sessions remain'],
];

function spawnServer(port: number, { binaries, cluster, user }: PostmasterSpec, log: number): ChildProcess {
  const server = [binaries.postgres, '-D', cluster.dataFolder, ...serverSettings(port, cluster)];
  const options = { ...spawnAs(user), cwd: cluster.dataFolder };
  return process.platform === 'win32'
    ? spawn(binaries.postgres, server.slice(1), { ...options, stdio: ['ignore', log, log] })
    : spawn('/bin/sh', ['-c', DEAD_MANS_SWITCH, 'bellwether', ...server], { ...options, stdio: ['pipe', log, log] });
}

/** Loopback only, and no socket file that other users could find. Test data need not outlive a power cut. */
function serverSettings(port: number, { purpose }: Cluster): string[] {
  const shared = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    logging_collector: 'off',
    log_checkpoints: 'off',
  };
  const careless = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', log_min_messages: 'log' };
  const settings = { ...shared, ...(purpose === 'test' ? careless : {}) };
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

async function stopChild(
  child: ChildProcess,
  pid: number,
  dataFolder: string,
  ended: Promise<void>,
  { binaries, user }: PostmasterSpec,
): Promise<void> {
  if (child.stdin) child.stdin.end();
  else execFileSync(binaries.pgCtl, ['stop', '-m', 'fast', '-D', dataFolder], spawnAs(user));
  await stopPid(pid, 'already asked');
  await ended;
}

/** Fast shutdown, then immediate shutdown, then the end; returns when the process is gone. */
async function stopPid(pid: number, first: NodeJS.Signals | 'already asked'): Promise<void> {
  const steps: [NodeJS.Signals | 'already asked', number][] = [
    [first, FAST_STOP_MS],
    ['SIGQUIT', 5_000],
    ['SIGKILL', 5_000],
  ];
  for (const [signal, patienceMs] of steps) {
    if (signal !== 'already asked' && isAlive(pid)) process.kill(pid, signal);
    for (const deadline = Date.now() + patienceMs; Date.now() < deadline; await pause(15)) if (!isAlive(pid)) return;
  }
}

export interface PostmasterFile {
  readonly pid: number;
  readonly dataFolder: string;
  readonly startedAtMs: number;
  readonly port: number;
  readonly isReady: boolean;
}

/**
 * What the server says of itself in postmaster.pid.
 *
 * @see PostgreSQL source, src/include/utils/pidfile.h, for the lines' meaning
 */
export function readPostmasterFile(dataFolder: string): PostmasterFile | undefined {
  try {
    const lines = readFileSync(join(dataFolder, 'postmaster.pid'), 'utf8').split('\n');
    const isReady = lines[7]?.trim() === 'ready';
    const startedAtMs = Number(lines[2]) * 1000;
    return { pid: Number(lines[0]), dataFolder: lines[1] ?? '', startedAtMs, port: Number(lines[3]), isReady };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The server that lives on this folder, though nobody watches over it. */
export function findOrphan(dataFolder: string): number | undefined {
  const file = readPostmasterFile(dataFolder);
  return file && isAlive(file.pid) && servesFolder(file, dataFolder) ? file.pid : undefined;
}

/** A server's working directory is its data folder; where the system does not tell, its own word has to do. */
function servesFolder(file: PostmasterFile, dataFolder: string): boolean {
  try {
    if (process.platform === 'linux') return readlinkSync(`/proc/${file.pid}/cwd`) === realpathSync(dataFolder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
  }
  return file.dataFolder === dataFolder;
}

/**
 * Ends a server whose supervisor was killed, and removes the file that a crash left: its number may belong to
 * some other process by now, which PostgreSQL would take for a running server.
 */
export async function clearOldPostmaster(dataFolder: string): Promise<void> {
  const orphan = findOrphan(dataFolder);
  if (orphan !== undefined) await stopPid(orphan, 'SIGINT');
  rmSync(join(dataFolder, 'postmaster.pid'), { force: true });
}
