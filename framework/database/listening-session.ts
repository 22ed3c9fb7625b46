import type { Client } from 'pg';
import { boundedClient } from './bounded-client';
import { describeConnectFailure } from './connect-failure';
import type { ResolvedPoolOptions } from './options';

export interface ListeningOptions extends Pick<ResolvedPoolOptions, 'url' | 'connectTimeoutMs' | 'applicationName'> {
  /** How often the server is asked for a sign of life, and how long each answer may take, in milliseconds. */
  readonly heartbeatMs: number;
}

export interface ListeningEvents {
  readonly onNotification: (channel: string, payload: string) => unknown;
  /** Once, when a session that was open has ended by itself. */
  readonly onLost: (error: Error) => unknown;
}

// So that the server, too, notices within half a minute that this machine is gone: what it cannot send to a dead
// listener holds up its queue. And it is not to end the session for being idle, which is what listening is.
const SETTINGS = `set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3;
  set idle_session_timeout = 0; set statement_timeout = 0`;

/** What the driver's client has and its types leave out. */
interface Driver {
  readonly processID: number;
  readonly connection: { readonly stream: { destroy(): void; ref(): void; unref(): void } };
}

/**
 * A session that hears notifications. Statements are answered within `heartbeatMs`, or the session is lost. It does
 * not keep the process running, but while a statement is under way.
 */
export class ListeningSession {
  readonly #client: Client;
  readonly #options: ListeningOptions;
  #underWay = 0;
  #isOpen = false;
  #lostBy: Error | undefined;
  #heartbeat: NodeJS.Timeout | undefined;

  private constructor(options: ListeningOptions, { onNotification, onLost }: ListeningEvents) {
    this.#options = options;
    this.#client = new (boundedClient(options.connectTimeoutMs))({
      connectionString: options.url,
      application_name: `${options.applicationName} listener`,
      keepAlive: true,
      pipeline: true,
    });
    this.#client.on('notification', ({ channel, payload = '' }) => onNotification(channel, payload));
    this.#client.on('error', (error) => (this.#lostBy ??= error));
    this.#client.once('end', () => {
      clearInterval(this.#heartbeat);
      if (this.#isOpen) onLost(this.#lostBy ?? new Error('Connection terminated.'));
    });
  }

  /** @throws ConnectionFailedError or ServerResourcesError */
  static async open(options: ListeningOptions, events: ListeningEvents): Promise<ListeningSession> {
    const session = new ListeningSession(options, events);
    try {
      await session.#client.connect();
      await session.run(SETTINGS);
    } catch (error) {
      session.#sever(error as Error);
      throw describeConnectFailure(error, options.url);
    }
    session.#isOpen = true;
    const beat = () => void session.run('select 1').catch(() => undefined); // `onLost` tells
    session.#heartbeat = setInterval(beat, options.heartbeatMs).unref();
    return session;
  }

  get #driver(): Driver {
    return this.#client as unknown as Driver;
  }

  /** Whether what answers is the process that the server named: a pooler names one of its own. */
  async isTheServers(): Promise<boolean> {
    const [row] = await this.run('select pg_backend_pid()');
    return row![0] === this.#driver.processID;
  }

  /** Sends one statement, or several without values. Rejects with the driver's own error. */
  async run(text: string): Promise<unknown[][]> {
    const { heartbeatMs } = this.#options;
    const timer = setTimeout(
      () => this.#sever(new Error(`Connection terminated: the server said nothing for ${heartbeatMs} ms.`)),
      heartbeatMs,
    );
    if (this.#underWay++ === 0) this.#driver.connection.stream.ref();
    try {
      return (await this.#client.query<unknown[]>({ text, rowMode: 'array' })).rows;
    } catch (error) {
      throw this.#lostBy ?? error;
    } finally {
      clearTimeout(timer);
      if (--this.#underWay === 0) this.#driver.connection.stream.unref();
    }
  }

  /** Never throws. */
  async close(): Promise<void> {
    this.#isOpen = false;
    const timer = setTimeout(() => this.#sever(new Error('Closed.')), this.#options.heartbeatMs);
    await this.#client.end().catch(() => undefined); // it is gone, which is what is wanted
    clearTimeout(timer);
  }

  /** Closes the socket: the driver's own way of closing waits for answers, and none may come. */
  #sever(reason: Error): void {
    this.#lostBy ??= reason;
    this.#driver.connection.stream.destroy();
  }
}
