import type { Connection, Statement } from '../database/connection';
import { lockKeys } from './hot-rows';

/** Tells whether any was waited for. PostgreSQL hands such locks on in the order in which they were asked for. */
const TAKE =
  `select bool_or(case when pg_try_advisory_lock(key) then false else pg_advisory_lock(key)::text is not null end)` +
  ` from (select set_config('lock_timeout', $2, true)) as patience, unnest($1::bigint[]) as key`;

// All, since a wait that was given up leaves those before it held.
const LEAVE: Statement = { name: 'bw_leave', text: 'select pg_advisory_unlock_all()', writes: false };

/**
 * A place in the queues before hot rows: session-level advisory locks, taken before BEGIN, since a transaction's
 * picture is as old as its first statement, and given back behind its end. Both travel in flights that leave anyway,
 * so the server hands a row on without a round trip in between.
 */
export class Turn {
  readonly #connection: Connection;

  /**
   * To be followed by the transaction in the same flight. When `patienceMs` end, that runs all the same.
   *
   * @param onWait called if there was somebody to wait for
   */
  constructor(connection: Connection, queues: readonly string[], patienceMs: number, onWait: () => void) {
    this.#connection = connection;
    const statement = { name: 'bw_take', text: TAKE, values: [lockKeys(queues), patienceMs], writes: false };
    connection.run(statement).then(
      ({ rows }) => rows[0]![0] === true && onWait(),
      onWait, // out of patience, or the session is gone and all after it fails alike
    );
  }

  /** To be sent right behind what ends the transaction. A session that may still hold its place is closed. */
  async leave(): Promise<void> {
    await this.#connection.run(LEAVE).catch((error: unknown) => this.#connection.discard(error as Error));
  }
}
