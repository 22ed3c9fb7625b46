import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { connect } from 'bellwether';
import type { BellwetherError } from 'bellwether';
import { errorOf, setUp } from './support';

const { database } = setUp('');

const changed = (change: (url: URL) => void) => {
  const url = new URL(database().url);
  change(url);
  return url.href;
};

const CASES: [what: string, url: () => string, code: string, says: RegExp][] = [
  ['no URL', () => 'not a url', 'E_INVALID_DATABASE_URL', /not a URL/],
  ['another scheme', () => 'mysql://root:secret@localhost/shop', 'E_INVALID_DATABASE_URL', /"mysql"/],
  ['no database', () => 'postgres://localhost:5432', 'E_INVALID_DATABASE_URL', /names no database/],
  [
    'an unknown host',
    () => changed((url) => (url.hostname = 'nowhere.invalid')),
    'E_CONNECTION_FAILED',
    /cannot be resolved/,
  ],
  ['a closed port', () => changed((url) => (url.port = '1')), 'E_CONNECTION_FAILED', /Nothing listens/],
  [
    'a missing database',
    () => changed((url) => (url.pathname = '/missing')),
    'E_CONNECTION_FAILED',
    /no database "missing"/,
  ],
  [
    'a user that is not there',
    () => changed((url) => (url.username = 'nobody_here')),
    'E_CONNECTION_FAILED',
    /refused the user|no role/i,
  ],
];

test.each(CASES)('%s: one clear error at once', async (_what, url, code, says) => {
  const begunAt = performance.now();
  const error = await errorOf(connect({ url: url() }));
  expect(performance.now() - begunAt).toBeLessThan(4_000);
  expect(error.code).toBe(code);
  expect(error.recovery).toBe('fix-the-setup');
  expect(error.message).toMatch(says);
  expect(JSON.stringify([error.message, error.details])).not.toContain('secret');
});

/** A message of PostgreSQL's protocol: its kind, its length, its body. */
function message(kind: string, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([Buffer.from(kind), length, body]);
}

/** The error of connecting to a server that says `answer` to whoever comes. */
async function errorOfConnectingTo(answer: Buffer | 'close'): Promise<BellwetherError> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => (answer === 'close' ? socket.end() : socket.write(answer)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `postgres://me:secret@127.0.0.1:${(server.address() as AddressInfo).port}/mine`;
  const error = await errorOf(connect({ url, connectTimeoutMs: 500 }));
  sockets.forEach((socket) => socket.destroy());
  await new Promise((resolve) => server.close(resolve));
  return error;
}

test('the server ends a session in the breath that opened it: an error like any other, and the process lives', async () => {
  const welcome = [message('R', Buffer.alloc(4)), message('Z', Buffer.from('I'))];
  const farewell = message('E', Buffer.from('SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0'));
  expect((await errorOfConnectingTo(Buffer.concat([...welcome, farewell]))).code).toMatch(/^E_CONNECTION_/);
});

describe('something that is not PostgreSQL answers', () => {
  const GARBAGE: [what: string, answer: Buffer | 'close'][] = [
    ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n')],
    ['noise', Buffer.from(Array.from({ length: 500 }, (_, index) => (index * 7919) % 256))],
    ['nothing, and closes', 'close'],
    ['an unknown kind of login', message('R', Buffer.from([0, 0, 3, 231]))],
    ['a row description cut short', message('T', Buffer.from([0, 9, 65]))],
    ['an unknown message', message('q', Buffer.from([1, 2, 3]))],
    ['a login that is offered nothing', message('R', Buffer.from([0, 0, 0, 10, 0]))],
  ];

  test.each(GARBAGE)('%s: E_CONNECTION_FAILED within connectTimeoutMs', async (_what, answer) => {
    const error = await errorOfConnectingTo(answer);
    expect(error.code).toBe('E_CONNECTION_FAILED');
    expect(JSON.stringify([error.message, error.details])).not.toContain('secret');
  });
});

test('a wrong password', async () => {
  const url = changed((url) => (url.password = 'wrong-secret'));
  const error: unknown = await connect({ url }).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'E_CONNECTION_FAILED', recovery: 'fix-the-setup' });
  expect(String(error)).toMatch(/refused the user/);
  expect(String(error)).not.toContain('wrong-secret');
});
