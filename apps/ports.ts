import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { BellwetherError } from 'bellwether';

/** From here on, Linux hands ports out to outgoing connections (ip_local_port_range). */
const FIRST_EPHEMERAL_PORT = 32_768;
const MOST_TRIES = 100;

/** The address to serve at is not one that can be had. */
export class PortError extends BellwetherError {
  override readonly code = 'E_PORT';
  override readonly recovery = 'fix-the-setup';
}

/** The port that a variable of the environment asks for. @throws PortError when it is none */
export function portFrom(variable: string, fallback: number): number {
  const text = process.env[variable] ?? '';
  if (text === '') return fallback;
  if (/^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535) return Number(text);
  throw new PortError({
    what: `${variable} is not a port.`,
    remedy: `Set ${variable} to a whole number from 1 to 65535, or unset it.`,
  });
}

/** Serves at the preferred port, or at the next one that is free. */
export async function listen(
  app: RequestListener,
  { host, preferred }: { readonly host: string; readonly preferred: number },
): Promise<{ readonly server: Server; readonly port: number }> {
  const last = Math.max(preferred, Math.min(preferred + MOST_TRIES, FIRST_EPHEMERAL_PORT - 1));
  for (let port = preferred; port <= last; port++) {
    const server = await listenAt(app, host, port);
    if (server) return { server, port: (server.address() as AddressInfo).port };
  }
  throw new PortError({
    what: `All ports from ${preferred} to ${last} are taken.`,
    remedy: 'Set PORT to a free one.',
    details: { from: preferred, to: last },
  });
}

/** @returns undefined when the port is taken */
function listenAt(app: RequestListener, host: string, port: number): Promise<Server | undefined> {
  const server = createServer(app);
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') return resolve(undefined);
      reject(
        new PortError({
          what: `Serving at ${host}:${port} is not possible (${error.code}).`,
          remedy: error.code === 'EACCES' ? 'Set PORT to one above 1023.' : 'Correct HOST and PORT.',
          cause: error,
        }),
      );
    });
    server.listen(port, host, () => resolve(server));
  });
}
