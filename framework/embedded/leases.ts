import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { FAREWELL, onLines, type ControlReply, type ControlRequest } from './control';

/** The supervisor's side of the leases: who holds one, and when nobody is left. */
export interface LeaseDesk {
  readonly port: number;
  readonly token: string;
  /** Settles when somebody asks for the end, or nobody has held a lease for the grace period. */
  readonly finished: Promise<'told to stop' | 'nobody left'>;
  /** Refuses newcomers and tells the holders that this is the end. */
  bidFarewell(): void;
  /** Closes all connections, which tells those who asked for the end that it has come. */
  close(): void;
}

export interface LeaseTimes {
  /** How long to stay after the last holder has left. */
  readonly graceMs: number;
  /** How long to wait for the first one. */
  readonly firstMs: number;
}

export async function openLeaseDesk({ graceMs, firstMs }: LeaseTimes): Promise<LeaseDesk> {
  const token = randomBytes(24).toString('hex');
  const leases = new Map<Socket, number>();
  const sockets = new Set<Socket>();
  let isKept = false;
  let isStopping = false;
  let finish: (reason: 'told to stop' | 'nobody left') => void;
  const finished = new Promise<'told to stop' | 'nobody left'>((resolve) => (finish = resolve));
  const watch = (patienceMs: number) =>
    setTimeout(() => leases.size === 0 && !isKept && finish('nobody left'), patienceMs);
  let timer = watch(firstMs);

  const answer = (socket: Socket, request: ControlRequest): ControlReply => {
    if (request.verb === 'stop') finish('told to stop');
    if (request.verb === 'lease' && !isStopping) {
      clearTimeout(timer);
      isKept ||= request.isKept === true;
      leases.set(socket, request.pid);
    }
    return { isGranted: !isStopping, leases: [...leases.values()], isKept };
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      sockets.delete(socket);
      if (!leases.delete(socket) || leases.size > 0) return;
      clearTimeout(timer);
      timer = watch(graceMs);
    });
    onLines(socket, (line) => {
      const request = parseRequest(line, token);
      if (request) socket.write(JSON.stringify(answer(socket, request)) + '\n');
      else socket.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => server.on('error', reject).listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    token,
    finished,
    bidFarewell() {
      isStopping = true;
      for (const socket of leases.keys()) socket.write(FAREWELL + '\n');
    },
    close() {
      clearTimeout(timer);
      for (const socket of sockets) socket.end();
      server.close();
    },
  };
}

/** @returns undefined for anything that does not come from somebody who knows the token */
function parseRequest(line: string, token: string): ControlRequest | undefined {
  try {
    const request = JSON.parse(line) as ControlRequest;
    const given = Buffer.from(String(request.token));
    return given.length === token.length && timingSafeEqual(given, Buffer.from(token)) ? request : undefined;
  } catch {
    return undefined; // not JSON: some other program has found the port
  }
}
