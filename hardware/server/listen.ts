import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { BellBotError } from '../errors';

/** The address to serve at cannot be had. */
export class ListenError extends BellBotError {
  override readonly code = 'E_LISTEN';
  override readonly recovery = 'fix-the-setup';
}

export interface ListenOptions {
  /** Undefined for all addresses. */
  readonly host: string | undefined;
  readonly port: number;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
}

export interface Listening {
  readonly port: number;
  /** Takes no more connections, waits a little for answers under way, and then ends the connections. */
  close(): Promise<void>;
}

/** Connections that wait to be taken; the system has a bound of its own too. */
const BACKLOG = 16_384;
/** How long a request may take to arrive. */
const REQUEST_TIMEOUT_MS = 10_000;
const GRACE_MS = 2_000;
/** Longer than a server under load may take to look at a request that has arrived, or it would be reset. */
const KEEP_ALIVE_MS = 65_000;

/** @throws ListenError */
export async function listen(app: RequestListener, { host, port, tls }: ListenOptions): Promise<Listening> {
  const server = makeServer(app, tls);
  server.requestTimeout = server.headersTimeout = REQUEST_TIMEOUT_MS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(host, port, error)));
    server.listen({ port, backlog: BACKLOG, ...(host !== undefined && { host }) }, resolve);
  });
  return { port: (server.address() as AddressInfo).port, close: () => close(server) };
}

function makeServer(app: RequestListener, tls: ListenOptions['tls']): Server {
  if (!tls) return createServer(app);
  try {
    return createTlsServer(tls, app);
  } catch (error) {
    throw new ListenError({
      what: 'The certificate or its key is not usable for https.',
      remedy: 'Give PEM files that belong together with --cert and --cert-key.',
      cause: error,
    });
  }
}

async function close(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  const grace = setTimeout(() => server.closeAllConnections(), GRACE_MS);
  server.closeIdleConnections();
  await closed;
  clearTimeout(grace);
}

const REASONS: Readonly<Record<string, readonly [what: string, remedy: string]>> = {
  EADDRINUSE: ['is taken by another program', 'End that one, or choose another port with --port.'],
  EACCES: ['is not allowed to this user', 'Choose a port above 1023 with --port.'],
  EADDRNOTAVAIL: ['is at an address that this machine does not have', 'Correct --host.'],
  ENOTFOUND: ['is at a name that is unknown', 'Correct --host.'],
};

function listenError(host: string | undefined, port: number, cause: NodeJS.ErrnoException): ListenError {
  const [what, remedy] = REASONS[cause.code ?? ''] ?? [`cannot be used (${cause.code})`, 'Correct --host and --port.'];
  return new ListenError({
    what: `Port ${port}${host ? ` of ${host}` : ''} ${what}.`,
    remedy,
    details: { host, port },
    cause,
  });
}
