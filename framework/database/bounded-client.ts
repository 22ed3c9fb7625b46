import type { Duplex } from 'node:stream';
import { Client } from 'pg';
import type { ClientConfig } from 'pg';

/** What the driver's connection does once its socket, or TLS over it, is there. */
interface Listening {
  attachListeners(stream: Duplex): void;
}

/**
 * The driver's client with what the pool needs of it: a bound of its own for the server's first answer, since the
 * driver has one option for that and for the wait for a free session; and no uncaught exception, which would end
 * the process, when what answers is not PostgreSQL, or ends a session that nobody listens to.
 */
export function boundedClient(connectTimeoutMs: number): typeof Client {
  return class extends Client {
    constructor(config?: string | ClientConfig) {
      super({ ...(config as ClientConfig | undefined), connectionTimeoutMillis: connectTimeoutMs });
      // Between the pool and whoever borrows it nobody listens, and a server that goes down may say so just then.
      this.on('error', () => undefined); // the next statement fails for it
      const connection = (this as unknown as { connection: Listening }).connection;
      const attach = connection.attachListeners.bind(connection);
      connection.attachListeners = (stream) => {
        attach(stream);
        closeOnGarbage(stream);
      };
    }
  };
}

/** The driver's parser throws, in the middle of reading, at messages that it does not understand. */
function closeOnGarbage(stream: Duplex): void {
  for (const read of stream.listeners('data') as ((bytes: Buffer) => void)[]) {
    stream.off('data', read);
    stream.on('data', (bytes: Buffer) => {
      try {
        read(bytes);
      } catch (error) {
        stream.destroy(error as Error);
      }
    });
  }
}
