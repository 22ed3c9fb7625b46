import { createServer, connect as connectTo } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

/** What to do with bytes: hand them on, hold them for good, or cut the connection instead of handing them on. */
export type Verdict = 'pass' | 'hold' | 'cut';
export type Direction = 'to server' | 'to client';

/** A network between the framework and PostgreSQL that fails on demand. */
export class FaultyNetwork {
  readonly url: string;
  /** Looks at each piece of what goes by. */
  judge: (bytes: Buffer, direction: Direction, pair: number) => Verdict = () => 'pass';
  /** Whether new connections are refused. */
  isClosed = false;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #pairs = 0;

  private constructor(server: Server, url: string, target: URL) {
    this.#server = server;
    this.url = url;
    server.on('connection', (client) => this.#join(client, target));
  }

  /** Listens on a free port of this machine, in front of the server at `url`. */
  static async before(url: string): Promise<FaultyNetwork> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const target = new URL(url);
    const front = new URL(url);
    front.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    return new FaultyNetwork(server, front.href, target);
  }

  /** Ends all connections without a word. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cutAll();
    await closed;
  }

  #join(client: Socket, target: URL): void {
    if (this.isClosed) {
      client.destroy();
      return;
    }
    const pair = ++this.#pairs;
    const server = connectTo(Number(target.port), target.hostname);
    let isHeld = false;
    const cut = () => {
      client.destroy();
      server.destroy();
    };
    const forward = (from: Socket, to: Socket, direction: Direction) => {
      this.#sockets.add(from);
      from.on('error', cut);
      from.on('close', () => {
        this.#sockets.delete(from);
        if (!isHeld) cut(); // behind a silent network, neither side hears of the other's end
      });
      from.on('data', (bytes: Buffer) => {
        const verdict = this.judge(bytes, direction, pair);
        if (verdict === 'pass') to.write(bytes);
        else if (verdict === 'cut') cut();
        else isHeld = true;
      });
    };
    forward(client, server, 'to server');
    forward(server, client, 'to client');
  }
}
