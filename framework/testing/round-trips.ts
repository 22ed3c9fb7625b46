import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

/** A way to a database that counts the round trips on the wire. */
export interface RoundTripCounter {
  /** The same database, through the counter. */
  readonly url: string;
  /**
   * Runs `body` and counts its round trips: how often something was sent after an answer to what had been sent last.
   * What is sent before that travels in the same flight, and costs no trip of its own.
   */
  count(body: () => Promise<unknown>): Promise<number>;
  /** Cuts all connections that go through it. */
  close(): Promise<void>;
}

/**
 * Listens on a free port of this machine and passes everything on to the server of `url`, without encryption.
 *
 * Answers are held until the server has answered all that was sent, as if the way were long: however fast or slow the
 * server is, what a client sends at once is seen as sent at once, and what it sends upon the answers too.
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

/** How long an answer is held at least, in milliseconds: longer than a client takes between two writes of one turn. */
const HOLD_MS = 5;
/** How long at most, in milliseconds, where the server answers the rest only later: it may wait for a lock. */
const MOST_HELD_MS = 200;

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
    const flights = new Flights(() => (this.trips += 1));
    client.on('data', (bytes: Buffer) => {
      flights.sent(bytes);
      upstream.write(bytes);
    });
    const held: Buffer[] = [];
    const deliver = () => {
      flights.delivered();
      if (held.length > 0) client.write(Buffer.concat(held.splice(0))); // as one, so that it is read as one
    };
    upstream.on('data', (bytes: Buffer) => {
      held.push(bytes);
      flights.answered(bytes);
      setTimeout(() => flights.areAnswered && deliver(), HOLD_MS);
      setTimeout(deliver, MOST_HELD_MS).unref();
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

/** The flights of one session: what is sent belongs to the one after the latest that has had an answer. */
class Flights {
  readonly #onFlight: () => void;
  readonly #toServer = new Messages('start-up first');
  readonly #toClient = new Messages();
  /** By number, of what the server has still to answer: a Query or a Sync each, before these a start-up. */
  readonly #underWay: number[] = [];
  #latest = 0;
  #answered = 0;
  #delivered = 0;

  constructor(onFlight: () => void) {
    this.#onFlight = onFlight;
  }

  /** Whether the server has answered all that was sent; while a session begins, it and the client take turns. */
  get areAnswered(): boolean {
    return this.#underWay.length === 0 || this.#answered === 0;
  }

  sent(bytes: Buffer): void {
    const flight = this.#delivered + 1;
    for (const type of this.#toServer.endedBy(bytes)) if (ASKS.includes(type)) this.#underWay.push(flight);
    if (flight === this.#latest) return;
    this.#latest = flight;
    this.#onFlight();
  }

  answered(bytes: Buffer): void {
    for (const type of this.#toClient.endedBy(bytes)) {
      if (type === READY) this.#answered = Math.max(this.#answered, this.#underWay.shift() ?? 0);
    }
  }

  /** Says that the client has got all answers that there are. */
  delivered(): void {
    this.#delivered = this.#answered;
  }
}

/** Of the messages of the protocol (PostgreSQL manual, section 54.7): Query, Sync, FunctionCall; start-up has no letter. */
const ASKS: readonly string[] = ['Q', 'S', 'F', ''];
/** ReadyForQuery: there is one for each of these. */
const READY = 'Z';

/** Takes a stream of bytes apart. */
class Messages {
  #rest: Buffer = Buffer.alloc(0);
  #isTyped: boolean;

  constructor(first?: 'start-up first') {
    this.#isTyped = first === undefined;
  }

  /** The types of the messages that are complete with these bytes. */
  endedBy(bytes: Buffer): string[] {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const types: string[] = [];
    for (;;) {
      const lengthAt = this.#isTyped ? 1 : 0;
      if (this.#rest.length < lengthAt + 4) return types;
      const end = lengthAt + this.#rest.readInt32BE(lengthAt);
      if (this.#rest.length < end) return types;
      types.push(this.#isTyped ? String.fromCharCode(this.#rest[0]!) : '');
      this.#rest = this.#rest.subarray(end);
      this.#isTyped = true;
    }
  }
}
