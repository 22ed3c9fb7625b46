import type { Session } from '../transaction/session';

/** Two numbers that mean this lock; it exists once in each database. ASCII "bell" and "migr". */
const KEY = [0x62656c6c, 0x6d696772] as const;

/** Pause between two tries for the lock, in milliseconds. */
const PAUSE_MS = 100;
/** How often a migrator says that it still waits, in milliseconds. */
const REMINDER_MS = 30_000;

const TRY = `select pg_try_advisory_xact_lock(${KEY.join(', ')})`;

// Without this a migrator that is killed leaves its statement running, and the lock held, until the statement ends.
// Only servers on Linux know how to look.
const NOTICE_A_DEAD_CLIENT = `select set_config(name, '2000', true) from pg_settings
  where name = 'client_connection_check_interval' and version() like '%linux%'`;

const HOLDER = `select l.pid, a.xact_start from pg_locks l left join pg_stat_activity a on a.pid = l.pid
  where l.locktype = 'advisory' and l.granted and l.classid = ${KEY[0]} and l.objid = ${KEY[1]} and l.objsubid = 2
    and l.database = (select oid from pg_database where datname = current_database())`;

/**
 * Runs `body` in a transaction that holds the migrators' lock, when no other migrator holds it any more.
 *
 * The lock belongs to the transaction, so it ends with it, however that ends, and works behind a pooler that lends
 * sessions for a transaction only. `body` must read again what is applied, which `read committed` lets it see: a
 * stronger level would show it the time before the wait.
 *
 * It is tried for, in a short transaction each time, instead of waited for: a waiting statement holds a snapshot, and
 * `create index concurrently` waits for every older snapshot, so that a migrator that builds an index would wait for
 * the one that waits for it, without PostgreSQL seeing a deadlock.
 */
export async function withMigrationLock<T>(
  session: Session,
  { lockTimeoutMs, onProgress }: { readonly lockTimeoutMs: number; readonly onProgress: (step: string) => void },
  body: () => Promise<T>,
): Promise<T> {
  const report = waitReporter(onProgress);
  for (;;) {
    const options = {
      isolation: 'read committed',
      statementTimeoutMs: 0,
      idleTimeoutMs: 0,
      lockTimeoutMs,
      attempts: 5,
      name: 'migration',
    } as const;
    const outcome = await session.transaction(options, async () => {
      const { rows } = await session.execute({ text: TRY, writes: false });
      if (rows[0]![0] !== true) return { isHeldBy: await holder(session) };
      await session.execute({ text: NOTICE_A_DEAD_CLIENT, writes: false });
      return { value: await body() };
    });
    if ('value' in outcome) return outcome.value;
    report(outcome.isHeldBy);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

export interface LockHolder {
  readonly pid: number;
  /** Start of its transaction; null where this user may not know. */
  readonly since: Date | null;
}

/** Whoever holds the lock now. */
export async function holder(session: Session): Promise<LockHolder | undefined> {
  const { rows } = await session.execute({ text: HOLDER, writes: false });
  if (!rows[0]) return undefined;
  const [pid, since] = rows[0] as [number, Date | null];
  return { pid, since };
}

/** Says whom it waits for: at once, when it is another one, and from time to time. */
function waitReporter(onProgress: (step: string) => void): (holder: LockHolder | undefined) => void {
  let saidPid: number | undefined;
  let saidAt = 0;
  return (held) => {
    if (!held) return; // it let go in between
    if (held.pid === saidPid && performance.now() - saidAt < REMINDER_MS) return;
    saidPid = held.pid;
    saidAt = performance.now();
    onProgress(`waiting for another migrator (pid ${held.pid}, since ${held.since?.toISOString() ?? 'unknown'})`);
  };
}
