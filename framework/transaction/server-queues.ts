import type { Connection, Statement } from '../database/connection';
import { lockKeys } from './hot-rows';

/** Tells whether any was waited for. PostgreSQL hands such locks on in the order in which they were asked for. */
const ENTER =
  `select bool_or(case when pg_try_advisory_lock(key) then false else pg_advisory_lock(key)::text is not null end)` +
  ` from (select set_config('lock_timeout', $2, true)) as patience, unnest($1::bigint[]) as key`;

// All, since a wait that was given up leaves those before it held.
const LEAVE: Statement = { name: 'bw_leave', text: 'select pg_advisory_unlock_all()', writes: false };

/**
 * Enters the queues before hot rows that all processes share: session-level advisory locks, taken before BEGIN, since
 * a transaction's picture is as old as its first statement, and given back behind its end. Both travel in flights that
 * leave anyway, so the server hands a row on without a round trip in between.
 *
 * To be followed by the transaction in the same flight. When `patienceMs` end, that runs all the same.
 *
 * @param onWait called if there was somebody to wait for
 */
export function enterQueues(
  connection: Connection,
  queues: readonly string[],
  patienceMs: number,
  onWait: () => void,
): void {
  const statement = { name: 'bw_enter', text: ENTER, values: [lockKeys(queues), patienceMs], writes: false };
  connection.run(statement).then(
    ({ rows }) => rows[0]![0] === true && onWait(),
    onWait, // out of patience, or the session is gone and all after it fails alike
  );
}

/** To be sent right behind what ends the transaction. A session that may still hold its place is closed. */
export async function leaveQueues(connection: Connection): Promise<void> {
  await connection.run(LEAVE).catch((error: unknown) => connection.discard(error as Error));
}
