import type { Pool } from '../database/pool';
import { isPostgresError } from '../database/sqlstate';
import type { TransactionIdentity } from './open-transaction';

/** How long a lost COMMIT is looked up, in milliseconds, and how long one look may take. */
const PATIENCE_MS = 10_000;
const ONE_LOOK_MS = 3_000;

// A session that hangs in COMMIT keeps its locks and stays `in progress`: it is ended first. It is found by
// its transaction, not by its process id, which may be a pooler's or somebody else's by now.
const END_OLD_SESSION = `select pg_terminate_backend(pid) from pg_stat_activity
  where backend_xid = $1::text::xid8::xid and pid <> pg_backend_pid()`;

// Statistics begin anew when the server recovers from a crash, and at no other time by themselves; a server that was
// shut down in order keeps them (src/backend/utils/activity/pgstat.c, pgstat_discard_stats).
const LOOK = `select pg_xact_status($1::text::xid8), extract(epoch from clock_timestamp() - stats_reset)::float8 * 1000
  from pg_stat_bgwriter where not pg_is_in_recovery()`;

type Outcome = 'committed' | 'not committed';

/** What the server says of a transaction's number. */
interface Sighting {
  /** `never given` when the server knows of no transaction that high; null when it no longer remembers one that low. */
  readonly status: 'committed' | 'aborted' | 'in progress' | 'never given' | null;
  /**
   * Whether it has crashed since the transaction began: then nothing of that one is left but its COMMIT, if it came
   * to that, and the number, if none of its writes had reached the log, is given to another transaction.
   */
  readonly hasCrashed: boolean;
}

/**
 * Asks the server, on a new connection, what became of a transaction whose COMMIT got no answer.
 *
 * @param begunAt a time before it began, by the monotonic clock, in milliseconds
 * @returns undefined when it cannot be known: the id was lost too, or the server stays out of reach, or has crashed
 * and says `committed` of a number that may be another transaction's by now
 * @see PostgreSQL manual, section 9.27.8, pg_xact_status; right on the same server, not across a failover
 */
export async function resolveOutcome(
  pool: Pool,
  { xid, mayHaveWritten }: TransactionIdentity,
  begunAt: number,
): Promise<Outcome | undefined> {
  if (!mayHaveWritten || xid === null) return 'not committed'; // there was nothing to commit
  if (xid === undefined) return undefined;
  const deadline = performance.now() + PATIENCE_MS;
  for (let pauseMs = 10; performance.now() < deadline; pauseMs = Math.min(pauseMs * 2, 500)) {
    const seen = await soon(look(pool, xid, begunAt).catch(() => OUT_OF_REACH));
    const known = seen === OUT_OF_REACH ? 'look again' : verdictOf(seen);
    if (known !== 'look again') return known;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return undefined;
}

function verdictOf({ status, hasCrashed }: Sighting): Outcome | undefined | 'look again' {
  switch (status) {
    case 'aborted':
    case 'never given':
      return 'not committed';
    case 'in progress':
      return hasCrashed ? 'not committed' : 'look again';
    case 'committed':
      return hasCrashed ? undefined : 'committed';
    case null:
      return undefined;
  }
}

const OUT_OF_REACH = 'out of reach' as const;

/** The pool and the server have bounds of their own, which are longer. */
async function soon<T>(answer: Promise<T>): Promise<T | typeof OUT_OF_REACH> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<typeof OUT_OF_REACH>((resolve) => {
    timer = setTimeout(() => resolve(OUT_OF_REACH), ONE_LOOK_MS);
  });
  try {
    return await Promise.race([answer, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

async function look(pool: Pool, xid: string, begunAt: number): Promise<Sighting | typeof OUT_OF_REACH> {
  return pool.borrow(async (connection) => {
    const answer = await connection.run({ text: LOOK, values: [xid], writes: false }).catch((error: unknown) => {
      if (isPostgresError(error) && error.code === '22023') return undefined; // `transaction ID … is in the future`
      throw error;
    });
    if (!answer) return { status: 'never given', hasCrashed: true };
    if (answer.rows.length === 0) return OUT_OF_REACH; // a replica may only not have heard of it yet
    const [status, upForMs] = answer.rows[0] as [Exclude<Sighting['status'], 'never given'>, number];
    const hasCrashed = upForMs < performance.now() - begunAt;
    if (status === 'in progress' && !hasCrashed) {
      await connection.run({ text: END_OLD_SESSION, values: [xid], writes: false });
    }
    return { status, hasCrashed };
  });
}
