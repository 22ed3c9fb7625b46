import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { StoreSetupError } from './errors';

/** Which process holds a lock: where the system tells it, so that a number that is used again is not mistaken for it. */
interface Holder {
  readonly pid: number;
  readonly startedAt: string | null;
  readonly boot: string | null;
}

/**
 * Makes `path` for the time that this process uses what it stands for. A lock whose process has ended is taken over.
 *
 * @returns removes it
 * @throws StoreSetupError when another process holds it
 */
export function lockFile(path: string, what: string): () => void {
  const mine = JSON.stringify(holderOf(process.pid));
  for (const isLast of [false, true]) {
    if (create(path, mine)) return () => rmSync(path, { force: true });
    const holder = read(path);
    if (isLast || (holder && isAlive(holder))) throw inUse(path, what, holder);
    rmSync(path, { force: true });
  }
  throw inUse(path, what, undefined);
}

function create(path: string, content: string): boolean {
  try {
    const file = openSync(path, 'wx', 0o600);
    writeSync(file, content);
    closeSync(file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function read(path: string): Holder | undefined {
  try {
    const { pid, startedAt, boot } = JSON.parse(readFileSync(path, 'utf8')) as Holder;
    return { pid, startedAt, boot };
  } catch {
    return undefined; // torn by a crash, or gone meanwhile
  }
}

function isAlive(holder: Holder): boolean {
  if (holder.pid === process.pid) return false; // of a container's life before, where numbers are the same
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const now = holderOf(holder.pid);
  return now.startedAt === holder.startedAt && now.boot === holder.boot;
}

/** @see proc(5): field 22 of `stat` is the time at which the process started, after the name, which may hold anything */
function holderOf(pid: number): Holder {
  const startedAt = contentOf(`/proc/${pid}/stat`)?.split(') ').at(-1)?.split(' ')[19] ?? null;
  return { pid, startedAt, boot: contentOf('/proc/sys/kernel/random/boot_id')?.trim() ?? null };
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // not every system has it
  }
}

const inUse = (path: string, what: string, holder: Holder | undefined) =>
  new StoreSetupError({
    what: `Another BellBot${holder ? ` (process ${holder.pid})` : ''} uses ${what}.`,
    remedy: `Give this one a store of its own with --store; or, if there is no other, remove ${path}.`,
    details: { path, pid: holder?.pid },
  });
