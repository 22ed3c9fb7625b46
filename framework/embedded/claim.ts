import { execFileSync } from 'node:child_process';
import {
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';

/**
 * The right to be the one supervisor of a folder, as a file whose name says which process holds it. It needs no
 * clean-up after a crash: a name whose process is gone counts for nothing.
 *
 * Invariant: two living processes never both hold a claim on a folder. Each writes its own name *before* it
 * looks at the others', so of two that try at once at least one sees the other, and gives way. No process ever
 * removes a name that may be somebody's: names are never used twice.
 */
export interface Claim {
  readonly file: string;
  release(): void;
}

const HEARTBEAT_MS = 1_000;
const STALE_MS = 15_000;

/** @returns nothing when a living process holds the claim, or is trying for it at this moment */
export function takeClaim(folder: string): Claim | undefined {
  const name = claimName(process.pid);
  const file = join(folder, name);
  writeFileSync(file, '', { mode: 0o600 });
  const heartbeat = setInterval(() => existsSync(file) && utimesSync(file, new Date(), new Date()), HEARTBEAT_MS);
  const release = () => {
    clearInterval(heartbeat.unref());
    rmSync(file, { force: true });
  };
  if (livingClaims(folder).every((other) => other.name === name)) return { file, release };
  release();
  return undefined;
}

/** As it stands in the folder: number, world, and start of the process, so that no two ever have the same. */
export const claimName = (pid: number) => `${pid}-${world()}-${startOf(pid) ?? UNKNOWN}`;

const UNKNOWN = 'unknown';

export interface LivingClaim {
  readonly name: string;
  readonly pid: number;
  /** False for a process of another machine or container that shares the folder. */
  readonly isOfThisWorld: boolean;
}

/**
 * The claims of living processes; those of dead ones are removed on the way. A process number of another world
 * says nothing here, so such a claim lives as long as its holder touches it.
 */
export function livingClaims(folder: string): LivingClaim[] {
  const claims = readdirSync(folder).map((name) => {
    const [pid = '', where, start] = name.split('-');
    return { name, pid: Number(pid), start, isOfThisWorld: where === world() };
  });
  const isLiving = ({ name, pid, start, isOfThisWorld }: (typeof claims)[number]) => {
    if (!isOfThisWorld) return isFresh(join(folder, name));
    if (!(pid > 0) || !isAlive(pid)) return false;
    const startNow = startOf(pid) ?? UNKNOWN;
    return startNow === start || startNow === UNKNOWN || start === UNKNOWN;
  };
  const living = claims.filter(isLiving);
  for (const dead of claims) if (!living.includes(dead)) rmSync(join(folder, dead.name), { force: true });
  return living;
}

function isFresh(file: string): boolean {
  const { mtimeMs } = statSync(file, { throwIfNoEntry: false }) ?? {};
  return mtimeMs !== undefined && Date.now() - mtimeMs < STALE_MS;
}

/** Whether a process runs under this number. One that has ended but was not waited for does not count. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' && statOf(pid)?.state !== 'Z';
  }
  return statOf(pid)?.state !== 'Z';
}

/**
 * What tells a process from a later one under the same number: on Linux the tick since the boot that it started at.
 *
 * @returns undefined where the system does not tell
 */
export function startOf(pid: number): string | undefined {
  if (process.platform === 'linux') return statOf(pid)?.startTicks;
  if (process.platform === 'win32') return undefined;
  try {
    const started = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return createHash('sha256').update(started).digest('hex').slice(0, 12);
  } catch {
    return undefined; // no such process, or no ps: the number alone has to do
  }
}

/** @see proc(5): the name in parentheses may hold anything, so fields are counted from its end */
function statOf(pid: number): { state: string; startTicks: string } | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', startTicks: fields[19] ?? '' };
  } catch {
    return undefined; // gone, or hidden from this user (hidepid)
  }
}

/** Within which process numbers have one meaning: on Linux one boot and one process namespace. */
function world(): string {
  if (process.platform !== 'linux') return hostname().replaceAll('-', '_');
  const boot = readFact(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8));
  const namespace = readFact(() => readlinkSync('/proc/self/ns/pid').replace(/\D/g, ''));
  return `${boot}.${namespace}`;
}

function readFact(read: () => string): string {
  try {
    return read();
  } catch {
    return 'x'; // a sandbox that hides it: the other facts have to do
  }
}
