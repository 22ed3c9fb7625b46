import { connect } from 'node:net';

/** The session whose statement is to be cancelled, and where its server is. */
export interface CancelTarget {
  readonly host: string;
  readonly port: number;
  readonly processID: number;
  readonly secretKey: number;
}

const CANCEL_REQUEST = 80_877_102;
const PATIENCE_MS = 2_000;

/**
 * Asks the server to cancel what a session is doing, on a connection of its own, as the protocol wants it (PostgreSQL
 * manual, section 54.2.9). Unencrypted, as libpq's PQcancel is: there is nothing in it to read but the session's key.
 *
 * @returns whether the server has taken it: the signal is then sent, and can hit nothing that is sent from now on
 */
export function requestCancel({ host, port, processID, secretKey }: CancelTarget): Promise<boolean> {
  const message = Buffer.alloc(16);
  [16, CANCEL_REQUEST, processID, secretKey].forEach((value, index) => message.writeInt32BE(value, 4 * index));
  return new Promise((resolve) => {
    const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
    let isSent = false;
    const end = (isTaken: boolean) => {
      resolve(isTaken);
      socket.destroy();
    };
    socket.setTimeout(PATIENCE_MS, () => end(false));
    socket.on('connect', () => socket.write(message, () => (isSent = true)));
    socket.on('error', () => end(isSent)); // the server hangs up without a word, which may look like a reset
    socket.on('close', () => end(isSent));
    socket.resume();
  });
}
