import type { Pool } from '../database/pool';
import type { TransactionIdentity } from './open-transaction';

/** How long a lost COMMIT is looked up, in milliseconds, and how long one look may take. */
const PATIENCE_MS = 10_000;
const ONE_LOOK_MS = 3_000;

// A session that hangs in COMMIT keeps its locks and stays `in progress`: it is ended first. It is found by
// its transaction, not by its process id, which may be a pooler's or somebody else's by now.
const END_OLD_SESSION = `select pg_terminate_backend(pid) from pg_stat_activity
  where backend_xid = $1::text::xid8::xid and pid <> pg_backend_pid()`;

/**
 * Asks the server, on a new connection, what became of a transaction whose COMMIT got no answer.
 *
 * @returns undefined when it cannot be known: the id was lost too, or the server stays out of reach
 * @see PostgreSQL manual, section 9.27.8, pg_xact_status; right on the same server, not across a failover
 */
export async function resolveOutcome(
  pool: Pool,
  { xid, mayHaveWritten }: TransactionIdentity,
): Promise<'committed' | 'not committed' | undefined> {
  if (!mayHaveWritten || xid === null) return 'not committed'; // there was nothing to commit
  if (xid === undefined) return undefined;
  const deadline = performance.now() + PATIENCE_MS;
  for (let pauseMs = 10; performance.now() < deadline; pauseMs = Math.min(pauseMs * 2, 500)) {
    const status = await soon(statusOf(pool, xid).catch(() => OUT_OF_REACH));
    if (status === 'committed') return 'committed';
    if (status === 'aborted') return 'not committed';
    if (status === null) return undefined; // too old for the server to remember
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return undefined;
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

async function statusOf(pool: Pool, xid: string): Promise<'committed' | 'aborted' | 'in progress' | null> {
  return pool.borrow(async (connection) => {
    await connection.run({ text: END_OLD_SESSION, values: [xid], writes: false });
    const { rows } = await connection.run({
      text: 'select pg_xact_status($1::text::xid8)',
      values: [xid],
      writes: false,
    });
    return rows[0]![0] as 'committed' | 'aborted' | 'in progress' | null;
  });
}
