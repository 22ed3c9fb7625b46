import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { livingClaims, type LivingClaim } from './claim';
import { ask, FAREWELL, onLines } from './control';
import { asEmbeddedError, EmbeddedElsewhereError, EmbeddedTimeoutError } from './errors';
import {
  claimsFolder,
  findProjectFolder,
  makeStateFolder,
  placeOf,
  readRunning,
  type Place,
  type Purpose,
} from './folders';
import { launchSupervisor } from './launch';
import { clearOldPostmaster, findOrphan } from './postmaster';

export type { Purpose } from './folders';

export interface EmbeddedOptions {
  /** Default: the nearest folder upward from the working directory that holds a package.json. */
  readonly projectFolder?: string;
  /** Each has its own server and data. Default `development`; the data of `test` may be lost in a crash. */
  readonly purpose?: Purpose;
}

export interface StartOptions extends EmbeddedOptions {
  /** Stay up until `stopEmbedded`, also when no process uses the server. Default false. */
  readonly isKept?: boolean;
  /** Told what takes the time, as in `creating a PostgreSQL 18.4 cluster in …`. */
  readonly onProgress?: (step: string) => void;
}

export interface EmbeddedServer {
  /** `postgres://user:password@127.0.0.1:port/database`; the user is a superuser. */
  readonly url: string;
  /** Says that this caller needs the server no more. The end of the process says the same. */
  release(): Promise<void>;
}

export type EmbeddedStatus =
  | { readonly state: 'stopped' | 'starting or stopping'; readonly stateFolder: string }
  | {
      readonly state: 'running';
      readonly stateFolder: string;
      readonly url: string;
      readonly postmasterPid: number;
      readonly supervisorPid: number;
      readonly dataFolder: string;
      /** ISO 8601. */
      readonly startedAt: string;
      /** Numbers of the processes that use the server. */
      readonly leases: readonly number[];
      readonly isKept: boolean;
    };

const START_TIMEOUT_MS = 180_000;
/** Longer than the claim of a machine that has gone down stays fresh. */
const ELSEWHERE_PATIENCE_MS = 20_000;
const STOP_TIMEOUT_MS = 40_000;
const POLL_MS = 40;

/**
 * Gives a running PostgreSQL server of this project, starting it when there is none. Any number of processes
 * may call this at once and share one server, which ends two seconds after the last of them, however they end.
 * Nothing here keeps the event loop alive once the promise has settled.
 *
 * Cost: a few milliseconds when the server runs; about half a second to start it; one or two seconds more the
 * first time in a project.
 *
 * @throws EmbeddedServerError one of its subclasses
 */
export async function startEmbedded(options: StartOptions = {}): Promise<EmbeddedServer> {
  const place = placeFor(options);
  try {
    makeStateFolder(place);
    const { url, socket } = await obtainLease(place, options);
    const lease = { socket, isReleased: false };
    holdOn(place, lease);
    const release = async () => {
      lease.isReleased = true;
      await closed(lease.socket);
    };
    return { url, release };
  } catch (error) {
    throw asEmbeddedError(error, place.stateFolder);
  }
}

/** Starts nothing. */
export async function embeddedStatus(options: EmbeddedOptions = {}): Promise<EmbeddedStatus> {
  const place = placeFor(options);
  const { stateFolder } = place;
  try {
    const record = readRunning(place);
    const answered = record && (await ask(record, { verb: 'status' }));
    answered?.socket.destroy();
    if (!record || !answered?.reply.isGranted)
      return { state: isClaimed(place) ? 'starting or stopping' : 'stopped', stateFolder };
    const { controlPort: _port, token: _token, ...facts } = record;
    return { state: 'running', ...facts, leases: answered.reply.leases, isKept: answered.reply.isKept };
  } catch (error) {
    throw asEmbeddedError(error, stateFolder);
  }
}

/**
 * Stops the server, whoever uses it, and returns when it is gone.
 *
 * @returns whether there was one
 * @throws EmbeddedTimeoutError when it is still there after 40 seconds
 */
export async function stopEmbedded(options: EmbeddedOptions = {}): Promise<boolean> {
  const place = placeFor(options);
  try {
    let wasThere = false;
    for (const deadline = Date.now() + STOP_TIMEOUT_MS; isClaimed(place); await pause(POLL_MS)) {
      wasThere = true;
      const record = readRunning(place);
      const answered = record && (await ask(record, { verb: 'stop' }));
      if (answered) await new Promise((resolve) => answered.socket.on('close', resolve).resume());
      checkDeadline(place, deadline, STOP_TIMEOUT_MS, 'the embedded server to stop');
    }
    const dataFolder = readRunning(place)?.dataFolder;
    if (dataFolder === undefined || findOrphan(dataFolder) === undefined) return wasThere;
    await clearOldPostmaster(dataFolder);
    return true;
  } catch (error) {
    throw asEmbeddedError(error, place.stateFolder);
  }
}

function placeFor({ projectFolder, purpose = 'development' }: EmbeddedOptions): Place {
  return placeOf(projectFolder ?? findProjectFolder(process.cwd()), purpose);
}

const isClaimed = (place: Place) => claimsOn(place).length > 0;

function claimsOn(place: Place): LivingClaim[] {
  try {
    return livingClaims(claimsFolder(place));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []; // never started here
    throw error;
  }
}

function checkDeadline(place: Place, deadline: number, waitedMs: number, waitedFor: string): void {
  if (Date.now() > deadline) throw new EmbeddedTimeoutError({ stateFolder: place.stateFolder, waitedMs, waitedFor });
}

async function obtainLease(place: Place, { isKept = false, onProgress = () => {} }: StartOptions) {
  const began = Date.now();
  for (;;) {
    const record = readRunning(place);
    const claims = claimsOn(place);
    const answered = record && claims.length > 0 ? await ask(record, { verb: 'lease', isKept }) : undefined;
    if (record && answered?.reply.isGranted) return { url: record.url, socket: answered.socket };
    answered?.socket.destroy();
    checkDeadline(place, began + START_TIMEOUT_MS, START_TIMEOUT_MS, 'the embedded server to start');
    if (claims.length === 0) await launchSupervisor(place, onProgress);
    else if (Date.now() > began + ELSEWHERE_PATIENCE_MS && !claims.some(({ isOfThisWorld }) => isOfThisWorld))
      throw new EmbeddedElsewhereError({ stateFolder: place.stateFolder });
    else await pause(POLL_MS * (0.5 + Math.random()));
  }
}

const MAX_RENEWALS = 5;

/**
 * Keeps the lease without keeping the event loop. When its connection breaks without a farewell, the supervisor
 * or the server has crashed: another is started, on the same port, so that this process's pools find it again.
 */
function holdOn(place: Place, lease: { socket: Socket; isReleased: boolean }, renewals = 0): void {
  let isFarewell = false;
  onLines(lease.socket, (line) => (isFarewell ||= line === FAREWELL));
  lease.socket.once('close', () => {
    if (isFarewell || lease.isReleased || renewals === MAX_RENEWALS) return;
    obtainLease(place, {}).then(
      ({ socket }) => {
        lease.socket = socket;
        if (lease.isReleased) socket.destroy();
        else holdOn(place, lease, renewals + 1);
      },
      () => {}, // the caller's next query meets the missing server, and says so
    );
  });
  lease.socket.unref();
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) return resolve();
    socket.once('close', () => resolve());
    socket.ref().end();
  });
}
