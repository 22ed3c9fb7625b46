import type { Signals } from '../database/abort';
import type { Connection } from '../database/connection';
import type { Pool } from '../database/pool';
import { allEnded } from './all-ended';
import { runWith, surroundings } from './surroundings';

declare module './surroundings' {
  interface Surroundings {
    /** The reads that the running code is one of. */
    readonly flight?: Flight;
  }
}

/**
 * Starts reads that need nothing of one another, so that what they send at once leaves in one flight: in the
 * transaction around them, else on one session of the pool. What they read next goes on as soon as they can.
 *
 * @throws as {@link allEnded}: in a transaction, what is sent behind one that fails does so because of it
 */
export async function readTogether<T>(reads: readonly (() => Promise<T>)[]): Promise<T[]> {
  const start = () => allEnded(reads.map((read) => read()));
  if (reads.length < 2 || currentFlight()) return start();
  const flight = new Flight();
  try {
    return await runWith({ flight }, start);
  } finally {
    flight.isOver = true;
  }
}

/** Borrows a session for one statement: that of the reads that it is started together with, or else one of its own. */
export function borrowInFlight<T>(
  pool: Pool,
  body: (connection: Connection) => Promise<T>,
  signals: Signals,
): Promise<T> {
  const flight = currentFlight();
  return flight ? flight.at(pool, signals).lend(body) : pool.borrow(body, signals);
}

/** Those first that reads beside this one are sent to: what is read later on one server is no older. */
export function inFlightFirst<S extends { readonly pool: Pool }>(servers: readonly S[]): readonly S[] {
  const flight = currentFlight();
  if (!flight) return servers;
  const rank = ({ pool }: S) => (flight.has(pool) ? 0 : 1);
  return servers.toSorted((one, other) => rank(one) - rank(other));
}

/** None for what was started beside the reads and goes on after them. */
function currentFlight(): Flight | undefined {
  const { flight } = surroundings();
  return flight?.isOver ? undefined : flight;
}

/** One session of each pool for all reads under way; none while there are none, so that nobody waits with one in hand. */
class Flight {
  isOver = false;
  readonly #shared = new Map<Pool, SharedSession>();

  has(pool: Pool): boolean {
    return this.#shared.get(pool)?.isOpen ?? false;
  }

  at(pool: Pool, signals: Signals): SharedSession {
    let shared = this.#shared.get(pool);
    if (!shared?.isOpen) this.#shared.set(pool, (shared = new SharedSession(pool, signals)));
    return shared;
  }
}

class SharedSession {
  readonly #pool: Pool;
  readonly #taken: Promise<Connection>;
  #connection: Connection | undefined;
  #reads = 0;
  #isOver = false;

  constructor(pool: Pool, signals: Signals) {
    this.#pool = pool;
    this.#taken = pool.take(signals);
  }

  /** Whether it can take another read: what was lost with a session is read again on a new one. */
  get isOpen(): boolean {
    return !this.#isOver && (this.#connection?.isSound ?? true);
  }

  async lend<T>(body: (connection: Connection) => Promise<T>): Promise<T> {
    this.#reads += 1;
    try {
      return await body((this.#connection = await this.#taken));
    } finally {
      this.#reads -= 1;
      this.#isOver = this.#reads === 0 || !this.#connection;
      if (this.#reads === 0 && this.#connection) this.#pool.giveBack(this.#connection);
    }
  }
}
