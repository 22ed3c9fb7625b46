/** One of the sessions that waited for one another. */
export interface DeadlockProcess {
  /** Of its server process. */
  readonly pid: number;
  /** Whether it is the one that PostgreSQL ended. */
  readonly isVictim: boolean;
  /** The lock, in the server's words: `ShareLock on transaction 757`. */
  readonly waitsFor: string;
  readonly blockedBy: number;
  /** What it was doing, without parameter values; undefined where that was not to be learnt. */
  readonly sql: string | undefined;
}

const reports = new WeakMap<Error, readonly DeadlockProcess[]>();

/** What is known of the deadlock that PostgreSQL answered with this error; none where it gave no detail. */
export function deadlockOf(error: Error): readonly DeadlockProcess[] {
  return reports.get(error) ?? [];
}

/** Whom to ask what a session was doing. */
export interface DeadlockWitnesses {
  /** About a session of this process. */
  statementOf(pid: number): string | undefined;
  /** About others, by their process id. Never fails, never takes long. */
  ask(pids: readonly number[]): Promise<ReadonlyMap<number, string>>;
}

/** Finds out who waited for whom and with which statements, for {@link deadlockOf}. */
export async function noteDeadlock(
  error: Error & { readonly detail?: string },
  sql: string,
  witnesses: DeadlockWitnesses,
): Promise<void> {
  const waits = waitsIn(error.detail ?? '');
  const known = waits.map((wait, index) => {
    const isVictim = index === 0; // src/backend/storage/lmgr/deadlock.c, DeadLockReport: begins with its own process
    return { ...wait, isVictim, sql: isVictim ? sql : witnesses.statementOf(wait.pid) };
  });
  const strangers = known.filter((process) => process.sql === undefined).map(({ pid }) => pid);
  const said = strangers.length > 0 ? await witnesses.ask(strangers) : undefined;
  const processes = known.map((process) => Object.freeze({ ...process, sql: process.sql ?? said?.get(process.pid) }));
  reports.set(error, Object.freeze(processes));
}

/** By its numbers, since the server says it in its own language: "Process 1 waits for … ; blocked by process 2." */
function waitsIn(detail: string): Pick<DeadlockProcess, 'pid' | 'waitsFor' | 'blockedBy'>[] {
  return detail.split('\n').flatMap((line) => {
    const numbers = line.match(/\d+/g) ?? [];
    if (numbers.length < 2) return [];
    const waitsFor = /waits for (.*?); blocked by/.exec(line)?.[1] ?? line;
    return [{ pid: Number(numbers[0]), waitsFor, blockedBy: Number(numbers.at(-1)) }];
  });
}

/** Statements of strangers may have values written into them. */
export function withoutValues(sql: string): string {
  return sql
    .replace(/\$(\w*)\$.*?\$\1\$/gs, '?')
    .replace(/'(?:[^']|'')*'/g, '?')
    .replace(/(?<![\w$"])\d+(?:\.\d+)?/g, '?');
}
