import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { get, poster } from './client';

const HARDWARE = resolve(__dirname, '../../hardware');
const BIN = join(HARDWARE, 'bin/bellbot.js');

let home: string;
let store: string;
const running: ChildProcess[] = [];
beforeAll(() => {
  if (!existsSync(join(HARDWARE, 'dist/main.js'))) throw new Error('Run npm run build first.');
});
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'bellbot-process-'));
  store = join(home, 'rings.jsonl');
});
afterEach(async () => {
  for (const process of running.splice(0)) process.kill('SIGKILL');
  await rm(home, { recursive: true, force: true });
});

interface BellBot {
  /** Resolves with what was matched, once it is said. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
  readonly output: () => string;
  readonly process: ChildProcess;
  readonly ended: Promise<number | null>;
}

function bellbot(args: readonly string[], environment: Record<string, string> = {}): BellBot {
  const env = { PATH: process.env.PATH, HOME: home, ...environment };
  const child = spawn(process.execPath, [BIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.push(child);
  let text = '';
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part) => {
      text += part;
      for (const listener of listeners) listener();
    });
  }
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const says = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((told, failed) => {
      const look = () => {
        const match = pattern.exec(text);
        if (!match) return;
        listeners.delete(look);
        told(match);
      };
      listeners.add(look);
      look();
      void ended.then(() => failed(new Error(`It ended without saying ${pattern}:\n${text}`)));
    });
  return { says, output: () => text, process: child, ended };
}

const serving = async (args: readonly string[] = [], environment: Record<string, string> = {}) => {
  const bell = bellbot(['--board', 'simulated', '--port', '0', ...args], environment);
  const [, url] = await bell.says(/listens at (http:\S+)/);
  await bell.says(/board is (ready|simulated)/);
  return { ...bell, url: url!.replace('localhost', '127.0.0.1'), post: poster(url!.replace('localhost', '127.0.0.1')) };
};

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s: the strike is finished, what waits is kept, the process ends with 0',
  async (name) => {
    const bell = await serving(['sdelay=700', 'pdelay=800']);
    const struck = bell.post('/ring', { why: 'struck' }, { Prefer: 'wait=20' });
    for (;;) if ((await get(`${bell.url}/bells`)).text.includes('"degrees":90')) break;
    const { body } = await bell.post('/ring', { why: 'waits' });
    bell.process.kill(name);
    expect((await struck).body.ring).toMatchObject({ status: 'rung' });
    expect(await bell.ended).toBe(0);
    await expect(fetch(bell.url)).rejects.toThrow();

    const again = await serving(['sdelay=700', 'pdelay=800']);
    const kept = async () => (await get(`${again.url}/rings/${body.ring!.id}`)).body.ring?.status;
    while ((await kept()) !== 'rung') await new Promise((next) => setImmediate(next));
    again.process.kill(name);
    expect(await again.ended).toBe(0);
  },
);

test('after kill -9 in a strike, that ring has failed and is not struck again; its key is known', async () => {
  const bell = await serving([`--store=${store}`, 'sdelay=5000', 'pdelay=5000']);
  const { body } = await bell.post('/ring', { sale: 7 });
  for (;;) if ((await get(`${bell.url}/bells`)).text.includes('"degrees":90')) break;
  bell.process.kill('SIGKILL');
  await bell.ended;
  const again = await serving([`--store=${store}`]);
  const told = await again.post('/ring', { sale: 7 }, { Prefer: 'wait=5' });
  expect(told.status).toBe(503);
  expect(told.body.ring).toMatchObject({ id: body.ring!.id, error: expect.stringContaining('may have been struck') });
  expect((await get(`${again.url}/bells`)).text).toContain('"degrees":75');
});

test('without a key it says that it is for this machine only, and is', async () => {
  const bell = await serving();
  expect(bell.output()).toContain('There is no key, so only this machine can reach it.');
  expect(bell.url).toContain('127.0.0.1');
});

test('with a key it listens at all addresses, and says nothing of the key', async () => {
  const bell = await serving([], { BELLBOT_KEY: 's3cret-of-the-bell' });
  expect(bell.output()).not.toContain('only this machine');
  expect((await bell.post('/ring')).status).toBe(401);
  expect((await bell.post('/ring', { key: 's3cret-of-the-bell' })).status).toBe(202);
  bell.process.kill('SIGTERM');
  await bell.ended;
  expect(bell.output()).not.toContain('s3cret');
});

test('a port in use is a clear error, and nothing is left behind', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  const bell = bellbot(['board=simulated', `port=${port}`, `store=${store}`]);
  expect(await bell.ended).toBe(1);
  expect(bell.output()).toContain(`Port ${port} of 127.0.0.1 is taken by another program.`);
  expect(bell.output()).not.toContain('    at ');
  expect(existsSync(`${store}.lock`)).toBe(false);
  other.close();
});

test('two of them do not share a store', async () => {
  const first = await serving([`store=${store}`]);
  const second = bellbot(['board=simulated', 'port=0', `store=${store}`]);
  expect(await second.ended).toBe(1);
  expect(second.output()).toContain(`process ${first.process.pid}`);
});

test.each([
  ['without a key', [], /not open: Without a key anybody could ring/],
  ['without a token', ['key=s3cret-of-the-bell'], /not open: ngrok wants a token/],
  ['without a network', ['key=s3cret-of-the-bell', 'ngrok-token=tok3n'], /not open: ngrok could not be reached/],
])('a tunnel %s is a clear error, and the server goes on', async (_what, args, error) => {
  const bell = await serving(['--tunnel', ...args]);
  await bell.says(error);
  await bell.says(/goes on without it/);
  expect((await get(`${bell.url}/health`)).status).toBe(200);
  expect(bell.output()).not.toMatch(/s3cret|tok3n/);
});

test('a serial port that is not there: the server says so and goes on looking; rings wait', async () => {
  const bell = bellbot(['port=0', 'board=/dev/ttyNOWHERE', 'connect-timeout=500', 'wait-limit=1000']);
  const [, url] = await bell.says(/listens at (http:\S+)/);
  await bell.says(/goes on looking for the board/);
  const { status, body } = await poster(url!.replace('localhost', '127.0.0.1'))('/ring', {}, { Prefer: 'wait=20' });
  expect([status, body.ring?.error]).toEqual([503, 'The board is not connected, so the bell was not struck.']);
  bell.process.kill('SIGTERM');
  expect(await bell.ended).toBe(0);
});

test('mistakes are named and end it with 2; help, version and check end it with 0', async () => {
  const wrong = bellbot(['--prot', '3000', 'pin=99']);
  expect(await wrong.ended).toBe(2);
  expect(wrong.output()).toContain('--prot: there is no such option. Did you mean --proto?\n  - pin=99 (command line)');
  for (const [args, said] of [
    [['--help'], '--pdelay'],
    [['--version'], '0.1.0'],
    [['--check'], 'sdelay'],
  ] as const) {
    const bell = bellbot(args);
    expect(await bell.ended).toBe(0);
    expect(bell.output()).toContain(said);
  }
  await writeFile(join(home, '.bellbotrc'), 'export BELLBOT_KEY=s3cret-of-the-bell\n');
  const check = bellbot(['--check']);
  await check.ended;
  expect(check.output()).toMatch(/^key +\*{8}/m);
});
