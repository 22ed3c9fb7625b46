import { spawn, spawnSync } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTo, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseServerUser } from '../../../framework/embedded/server-user';

/** A pooler in front of a server. */
export interface Pooler {
  readonly url: string;
  close(): Promise<void>;
}

export interface PoolerOptions {
  /** Start-up parameters that are dropped instead of refused. */
  readonly ignores?: string;
}

const found = spawnSync('pgbouncer', ['--version'], { encoding: 'utf8' });

/** As it names itself; undefined where it is not installed. */
export const PGBOUNCER = found.status === 0 ? found.stdout.split('\n')[0]! : undefined;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The real one, in transaction mode, with five sessions; as another user where this one is root, which it refuses. */
export async function startPgBouncer(url: string, { ignores = '' }: PoolerOptions = {}): Promise<Pooler> {
  const target = new URL(url);
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'pgbouncer-'));
  const file = join(folder, 'pgbouncer.ini');
  const name = target.pathname.slice(1);
  const { hostname, username, password } = target;
  writeFileSync(
    file,
    `[databases]
${name} = host=${hostname} port=${target.port} dbname=${name} user=${decodeURIComponent(username)} password=${decodeURIComponent(password)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
ignore_startup_parameters = ${ignores}
`,
  );
  const user = chooseServerUser(process.cwd(), []);
  if (user) for (const path of [folder, file]) chownSync(path, user.uid, user.gid);
  const child = spawn('pgbouncer', ['-q', file], { stdio: ['ignore', 'ignore', 'pipe'], ...user });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await listening(port, ended);
  target.host = `127.0.0.1:${port}`;
  const close = async () => {
    child.kill('SIGINT');
    await ended;
    rmSync(folder, { recursive: true });
  };
  return { url: target.href, close };
}

async function listening(port: number, ended: Promise<void>): Promise<void> {
  let isOver = false;
  void ended.then(() => (isOver = true));
  while (!isOver) {
    const isThere = await new Promise<boolean>((resolve) => {
      const socket = connectTo(port, '127.0.0.1', () => resolve(true));
      socket.on('error', () => resolve(false)).on('close', () => resolve(false));
      socket.on('connect', () => socket.destroy());
    });
    if (isThere) return;
  }
  throw new Error('pgbouncer ended instead of listening.');
}

/** What a client sees of a pooler, where there is none: refused or dropped options, and process numbers made up. */
export async function startStandIn(url: string, { ignores = '' }: PoolerOptions = {}): Promise<Pooler> {
  const target = new URL(url);
  const { port, hostname } = target;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connectTo(Number(port), hostname);
    for (const [socket, other] of [[client, upstream] as const, [upstream, client] as const]) {
      sockets.add(socket);
      socket.on('error', () => other.destroy()).on('close', () => other.destroy());
    }
    client.once('data', (startup: Buffer) => {
      const at = startup.indexOf('\0options\0');
      if (at >= 0 && ignores === '') {
        client.end(refusal('unsupported startup parameter: options'));
        return;
      }
      upstream.write(at >= 0 ? withoutOptions(startup, at) : withRealKey(startup));
      client.pipe(upstream);
    });
    upstream.on('data', (bytes: Buffer) => client.write(withOtherKey(bytes)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  target.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return { url: target.href, close };
}

function refusal(text: string): Buffer {
  const fields = Buffer.from(`SFATAL\0C08P01\0M${text}\0\0`);
  const head = Buffer.from('E\0\0\0\0');
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

function withoutOptions(startup: Buffer, at: number): Buffer {
  const end = startup.indexOf(0, at + '\0options\0'.length);
  const rest = Buffer.concat([startup.subarray(0, at + 1), startup.subarray(end + 1)]);
  rest.writeInt32BE(rest.length, 0);
  return rest;
}

/** What the stand-in adds to process numbers. */
const MADE_UP = 1_000_000;

/** BackendKeyData: K, length 12, process, key. */
function withOtherKey(bytes: Buffer): Buffer {
  const at = bytes.indexOf(Buffer.from([0x4b, 0, 0, 0, 12]));
  if (at >= 0) bytes.writeInt32BE(bytes.readInt32BE(at + 5) + MADE_UP, at + 5);
  return bytes;
}

/** CancelRequest: length 16, a code, process, key. */
function withRealKey(startup: Buffer): Buffer {
  if (startup.length === 16) startup.writeInt32BE(startup.readInt32BE(8) - MADE_UP, 8);
  return startup;
}
