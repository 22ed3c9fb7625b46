import type { Pool as DriverPool, PoolClient } from 'pg';
import type { EventBus } from '../telemetry/events';
import { assertNotAborted, unlessAborted } from './abort';
import type { Signals } from './abort';
import { Connection } from './connection';
import { describeConnectFailure, isRefusedStartupParameter } from './connect-failure';
import { driverPool } from './driver-pool';
import { AbortedError, DatabaseClosedError, PoolExhaustedError } from './errors';
import type { ResolvedPoolOptions } from './options';

/** The pool of sessions of one database. */
export class Pool {
  readonly options: ResolvedPoolOptions;
  readonly #bus: EventBus;
  readonly #connections = new WeakMap<PoolClient, Connection>();
  #driver: DriverPool;
  #sendsDefaults = true;
  #closing: Promise<void> | undefined;
  #retiredBefore = 0;
  readonly #awaited = new Set<Promise<PoolClient>>();

  constructor(options: ResolvedPoolOptions, bus: EventBus) {
    this.options = options;
    this.#bus = bus;
    this.#driver = this.#newDriver();
  }

  /** Whether the server took our defaults (isolation, timeouts) with the start-up packet. A pooler may refuse. */
  get sendsDefaults(): boolean {
    return this.#sendsDefaults;
  }

  /** Borrows a session for the time of `body`, and gives it back on every path. The signals call off the wait for it. */
  async borrow<T>(body: (connection: Connection) => Promise<T>, signals: Signals = []): Promise<T> {
    const connection = await this.#acquire(signals);
    try {
      return await body(connection);
    } finally {
      if (connection.isOutdated) this.#retire(connection);
      connection.release();
    }
  }

  async #acquire(signals: Signals): Promise<Connection> {
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
        client = await unlessAborted(signals, awaited);
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
      if (!connection) this.#connections.set(client, (connection = new Connection(client, this.options)));
      if (connection.bornAt >= this.#retiredBefore) return connection;
      connection.discard(new Error('The schema has changed since this session prepared its statements.'));
      connection.release();
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
    if (this.#sendsDefaults && isRefusedStartupParameter(error)) {
      this.#sendsDefaults = false;
      const refused = this.#driver;
      this.#driver = this.#newDriver();
      void refused.end();
      return this.#acquire(signals);
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
      sendsDefaults: this.#sendsDefaults,
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
