// A TCP proxy in a process of its own, which holds back each direction: a network between client and server.

import { fork } from 'node:child_process';
import { createServer, connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

/** Slices of a wait that is finer than timers: they count whole milliseconds. */
const SLICE_MS = 0.05;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

interface Parcel {
  readonly dueAt: number;
  readonly to: Socket;
  /** Undefined for the end of the stream. */
  readonly bytes: Buffer | undefined;
}

/** One delay for all, so what comes first is due first. */
const underWay: Parcel[] = [];

function deliver(): void {
  const now = performance.now();
  while (underWay.length > 0 && underWay[0]!.dueAt <= now) {
    const { to, bytes } = underWay.shift()!;
    if (bytes) to.write(bytes);
    else to.end();
  }
  if (underWay.length === 0) return;
  // Sleeps shortly instead of spinning, since the client and the server need the processors.
  if (underWay[0]!.dueAt - now > 2 * SLICE_MS) Atomics.wait(sleeper, 0, 0, SLICE_MS);
  setImmediate(deliver);
}

function holdBack(from: Socket, to: Socket, delayMs: number): void {
  const send = (bytes: Buffer | undefined) => {
    underWay.push({ dueAt: performance.now() + delayMs, to, bytes });
    if (underWay.length === 1) setImmediate(deliver);
  };
  from.on('data', (bytes: Buffer) => send(bytes));
  from.on('end', () => send(undefined));
  from.on('error', () => to.destroy());
  from.setNoDelay(true);
}

function serve(host: string, port: number, roundTripMs: number): void {
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ host, port, allowHalfOpen: true });
    holdBack(client, upstream, roundTripMs / 2);
    holdBack(upstream, client, roundTripMs / 2);
  });
  server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port));
  process.on('disconnect', () => process.exit());
}

export interface Proxy {
  /** The same database, behind the proxy. */
  readonly url: string;
  close(): void;
}

export function startProxy(url: string, roundTripMs: number): Promise<Proxy> {
  const target = new URL(url);
  const child = fork(__filename, [target.hostname, target.port || '5432', String(roundTripMs)]);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('message', (port) => {
      target.host = `127.0.0.1:${port as number}`;
      resolve({ url: target.href, close: () => child.disconnect() });
    });
  });
}

if (require.main === module) {
  const [host = '', port = '', roundTripMs = ''] = process.argv.slice(2);
  serve(host, Number(port), Number(roundTripMs));
}
