import { setImmediate } from 'node:timers/promises';
import type { Pool, PoolClient, QueryResult } from 'pg';
import type { IsolationLevel } from 'bellwether';

/** `2: select 1` is a statement of transaction 2. */
export type Step = `${1 | 2 | 3}: ${string}`;

/** What a step gave: its rows, or the SQLSTATE of its error. A COMMIT that is answered by ROLLBACK failed. */
export type Outcome = { readonly rows: readonly Record<string, number>[] } | { readonly failed: string };

/**
 * Plays one statement after the other, each transaction on a session of its own. A step that has to wait for
 * another transaction is left waiting, and the schedule goes on; later steps of its transaction come after it.
 *
 * @returns what each step gave, in the order of the steps
 */
export async function play(pool: Pool, isolation: IsolationLevel, steps: readonly Step[]): Promise<Outcome[]> {
  const players = new Map<string, Player>();
  for (const name of new Set(steps.map((step) => step[0]!))) {
    players.set(name, await Player.begin(await pool.connect(), isolation));
  }
  try {
    const outcomes: Promise<Outcome>[] = [];
    for (const step of steps) {
      outcomes.push(players.get(step[0]!)!.send(step.slice(3)));
      for (const player of players.values()) await player.untilAnsweredOrBlocked(pool);
    }
    return await Promise.all(outcomes);
  } finally {
    for (const player of players.values()) await player.end();
  }
}

class Player {
  readonly #client: PoolClient;
  readonly #pid: number;
  #unanswered = 0;

  private constructor(client: PoolClient, pid: number) {
    this.#client = client;
    this.#pid = pid;
  }

  static async begin(client: PoolClient, isolation: IsolationLevel): Promise<Player> {
    // Asked before BEGIN: inside, the question would fix the transaction's snapshot.
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    await client.query(`begin isolation level ${isolation}`);
    return new Player(client, rows[0]!.pid);
  }

  async send(statement: string): Promise<Outcome> {
    this.#unanswered += 1;
    try {
      const answer: QueryResult<Record<string, number>> = await this.#client.query(statement);
      const isUndone = statement === 'commit' && answer.command !== 'COMMIT';
      return isUndone ? { failed: answer.command } : { rows: answer.rows };
    } catch (error) {
      return { failed: (error as { code: string }).code };
    } finally {
      this.#unanswered -= 1;
    }
  }

  async untilAnsweredOrBlocked(pool: Pool): Promise<void> {
    while (this.#unanswered > 0) {
      const { rows } = await pool.query('select from (select pg_blocking_pids($1) as p) b where p <> $2', [
        this.#pid,
        '{}',
      ]);
      await setImmediate(); // an answer that is here already is taken in first
      if (rows.length > 0 && this.#unanswered > 0) return;
    }
  }

  async end(): Promise<void> {
    await this.#client.query('rollback');
    this.#client.release();
  }
}
