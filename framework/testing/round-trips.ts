import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

/** A way to a database that counts the round trips on the wire. */
export interface RoundTripCounter {
  /** The same database, through the counter. */
  readonly url: string;
  /**
   * Runs `body` and counts its round trips: how often something was sent after an answer. What is sent before
   * the answer to what came before it travels in the same flight, and costs no trip of its own.
   */
  count(body: () => Promise<unknown>): Promise<number>;
  /** Cuts all connections that go through it. */
  close(): Promise<void>;
}

/**
 * Listens on a free port of this machine and passes everything on to the server of `url`, without encryption.
 *
 * Answers are held for a moment, so that what a client sends at once is seen as sent at once even if the
 * server answers its first part sooner than the client sends its last.
 */
export async function countRoundTrips(url: string): Promise<RoundTripCounter> {
  const target = new URL(url);
  const tap = new Tap(target.hostname, Number(target.port || 5432));
  target.host = `127.0.0.1:${await tap.listen()}`;
  return {
    url: target.href,
    count: async (body) => {
      const before = tap.trips;
      await body();
      return tap.trips - before;
    },
    close: () => tap.close(),
  };
}

/** How long an answer is held, in milliseconds: longer than a client takes between two writes of one turn. */
const HOLD_MS = 5;

class Tap {
  trips = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(host: string, port: number) {
    this.#server = createServer((client) => this.#join(client, connect({ host, port })));
  }

  listen(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(0, '127.0.0.1', () => resolve((this.#server.address() as AddressInfo).port));
    });
  }

  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #join(client: Socket, upstream: Socket): void {
    let isWaiting = false;
    client.on('data', (bytes: Buffer) => {
      if (!isWaiting) this.trips += 1;
      isWaiting = true;
      upstream.write(bytes);
    });
    upstream.on('data', (bytes: Buffer) => {
      setTimeout(() => {
        isWaiting = false;
        client.write(bytes);
      }, HOLD_MS);
    });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
  }
}
