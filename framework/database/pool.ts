import type { Pool as DriverPool, PoolClient } from 'pg';
import type { EventBus } from '../telemetry/events';
import { assertNotAborted, unlessAborted } from './abort';
import type { Signals } from './abort';
import { Connection } from './connection';
import { describeConnectFailure, isRefusedStartupParameter } from './connect-failure';
import { withoutValues } from './deadlock';
import type { DeadlockWitnesses } from './deadlock';
import { driverPool } from './driver-pool';
import { AbortedError, DatabaseClosedError, PoolExhaustedError } from './errors';
import type { ResolvedPoolOptions } from './options';
import { TransactionIds } from './transaction-ids';

/** What processes of the server do, or did last. */
const ACTIVITY = 'select pid, query from pg_stat_activity where pid = any($1::int[]) and query is not null';
const ASK_MS = 500;

/** How much of a pool is in use. */
export interface PoolState {
  /** Most sessions that may be open. */
  readonly most: number;
  readonly open: number;
  /** Open, and lent to nobody. */
  readonly idle: number;
  /** How many callers wait for one. */
  readonly waiting: number;
}

/** The pool of sessions of one database. */
export class Pool {
  readonly options: ResolvedPoolOptions;
  readonly #bus: EventBus;
  readonly #connections = new WeakMap<PoolClient, Connection>();
  #driver: DriverPool;
  #ownsSessions = true;
  #transactionIds: TransactionIds | undefined;
  #closing: Promise<void> | undefined;
  #retiredBefore = 0;
  readonly #byProcess = new Map<number, Connection>();
  readonly #witnesses: DeadlockWitnesses = {
    statementOf: (pid) => this.#byProcess.get(pid)?.doing,
    ask: (pids) => this.#askServer(pids),
  };
  readonly #awaited = new Set<Promise<PoolClient>>();

  constructor(options: ResolvedPoolOptions, bus: EventBus) {
    this.options = options;
    this.#bus = bus;
    this.#driver = this.#newDriver();
  }

  /**
   * Whether each session is one of the server's, for as long as it is open, with the defaults (isolation, timeouts)
   * that travel with the start-up packet. Not so behind a pooler, which refuses or drops them, and lends its
   * sessions by transaction.
   */
  get ownsSessions(): boolean {
    return this.#ownsSessions;
  }

  /** The server's; undefined until it has told where it stands. */
  get transactionIds(): TransactionIds | undefined {
    return this.#transactionIds;
  }

  /** Whether somebody waits for a session. */
  get isAwaited(): boolean {
    return this.#driver.waitingCount > 0;
  }

  get state(): PoolState {
    const { totalCount: open, idleCount: idle, waitingCount: waiting } = this.#driver;
    return { most: this.options.poolSize, open, idle, waiting };
  }

  /** Says that the server has given out 64-bit transaction ids up to about this one. */
  noteTransactionId(latest: bigint): void {
    this.#transactionIds = new TransactionIds(latest);
  }

  /** Says that a pooler was found, by what `connection` was told. */
  disownSessions(connection: Connection): void {
    this.#ownsSessions = false;
    connection.discard(new Error('Opened before it was known that a pooler is in between.'));
  }

  /** Whether statements are prepared under their names. */
  get preparesStatements(): boolean {
    return this.options.preparedStatements ?? this.#ownsSessions;
  }

  /** Borrows a session for the time of `body`, and gives it back on every path. The signals call off the wait for it. */
  async borrow<T>(body: (connection: Connection) => Promise<T>, signals: Signals = []): Promise<T> {
    const connection = await this.take(signals);
    try {
      return await body(connection);
    } finally {
      this.giveBack(connection);
    }
  }

  /** For who does not know yet how long the session is needed: it must come back, on every path. */
  async take(signals: Signals): Promise<Connection> {
    assertNotAborted(signals);
    if (this.#closing) {
      throw new DatabaseClosedError({
        what: 'The database connection was closed.',
        remedy: 'Call connect() again, or close it only after the last query.',
      });
    }
    for (;;) {
      const awaited = this.#driver.connect();
      this.#awaited.add(awaited);
      let client: PoolClient;
      try {
        client = await (signals.length === 0 ? awaited : unlessAborted(signals, awaited));
      } catch (error) {
        if (error instanceof AbortedError) {
          giveBackLater(awaited);
          throw error;
        }
        return this.#recoverFrom(error, signals);
      } finally {
        this.#awaited.delete(awaited);
      }
      let connection = this.#connections.get(client);
      if (!connection) this.#connections.set(client, (connection = this.#newConnection(client)));
      if (connection.bornAt >= this.#retiredBefore) return connection;
      connection.discard(new Error('The schema has changed since this session prepared its statements.'));
      connection.release();
    }
  }

  giveBack(connection: Connection): void {
    if (connection.isOutdated) this.#retire(connection);
    connection.release();
  }

  #newConnection(client: PoolClient): Connection {
    const { statementTimeoutMs } = this.options;
    const options = { statementTimeoutMs, preparedStatements: this.preparesStatements };
    const connection = new Connection(client, options, this.#witnesses);
    const { processID } = connection;
    this.#byProcess.set(processID, connection);
    client.once('end', () => this.#byProcess.delete(processID));
    return connection;
  }

  /** What the server says of sessions that are not this pool's, if there is a session free to ask it on. */
  async #askServer(pids: readonly number[]): Promise<ReadonlyMap<number, string>> {
    const isFree =
      this.#driver.waitingCount === 0 &&
      (this.#driver.idleCount > 0 || this.#driver.totalCount < this.options.poolSize);
    if (!isFree) return new Map();
    try {
      const { rows } = await unlessAborted(
        [AbortSignal.timeout(ASK_MS)],
        this.borrow((connection) => connection.run({ text: ACTIVITY, values: [pids], writes: false })),
      );
      return new Map((rows as [number, string][]).map(([pid, sql]) => [pid, withoutValues(sql)]));
    } catch {
      return new Map(); // the deadlock is told without it
    }
  }

  /** Waits for the sessions that are lent out or waited for, then closes all. */
  close(): Promise<void> {
    return (this.#closing ??= this.#end());
  }

  /** The driver's pool forgets those that wait when it ends, so they come first. */
  async #end(): Promise<void> {
    while (this.#awaited.size > 0) await Promise.allSettled(this.#awaited);
    await this.#driver.end();
  }

  /** All sessions as old as this one hold statements that were prepared for another schema. */
  #retire({ bornAt }: Connection): void {
    if (bornAt >= this.#retiredBefore) this.#retiredBefore = performance.now();
  }

  #recoverFrom(error: unknown, signals: Signals): Promise<Connection> {
    if (this.#ownsSessions && isRefusedStartupParameter(error)) {
      this.#ownsSessions = false;
      const refused = this.#driver;
      this.#driver = this.#newDriver();
      void refused.end();
      return this.take(signals);
    }
    if (error instanceof Error && error.message === 'timeout exceeded when trying to connect') {
      throw new PoolExhaustedError({
        what: `All ${this.options.poolSize} connections of the pool stayed busy for ${this.options.acquireTimeoutMs} ms.`,
        remedy: 'Make transactions shorter, raise poolSize, or wait longer with acquireTimeoutMs.',
        details: { poolSize: this.options.poolSize, acquireTimeoutMs: this.options.acquireTimeoutMs },
        cause: error,
      });
    }
    throw describeConnectFailure(error, this.options.url);
  }

  #newDriver(): DriverPool {
    return driverPool(this.options, {
      pipeline: true,
      sendsDefaults: this.#ownsSessions,
      onLost: (error) => this.#bus.emit('pool:connection-lost', { error }),
    });
  }
}

/** The driver's pool knows no way to stop waiting. */
function giveBackLater(awaited: Promise<PoolClient>): void {
  awaited.then(
    (client) => client.release(),
    () => undefined, // there is nothing to give back
  );
}
