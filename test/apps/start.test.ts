import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase } from 'bellwether/testing';
import type { TestDatabase } from 'bellwether/testing';
import { SAMPLES } from '../../apps/catalogue';

// What `npm start` runs once all is built, with a home, databases and ports of its own.

const PORTS = { PORT: '24100', BELL_PORT: '24200', BANK_PORT: '24300', MICROBLOG_PORT: '24400', AUCTION_PORT: '24500' };

let database: TestDatabase;
let home: string;
const own = (suffix: string) => `${database.name.slice(-50)}_${suffix}`;
beforeAll(async () => {
  database = await createTestDatabase();
  home = mkdtempSync(join(tmpdir(), 'bellwether-start-'));
});
afterAll(async () => {
  for (const suffix of ['m', 'a']) await database.pool.query(`drop database if exists "${own(suffix)}" with (force)`);
  await database.drop();
  rmSync(home, { recursive: true, force: true });
});

let started: ChildProcess | undefined;
let output = '';
afterEach(() => started?.kill('SIGKILL'));

function start(args: readonly string[] = [], more: NodeJS.ProcessEnv = {}): ChildProcess {
  output = '';
  const env = {
    ...process.env,
    DATABASE_URL: database.url,
    MICROBLOG_DATABASE: own('m'),
    AUCTION_DATABASE: own('a'),
    HOME: home,
    XDG_STATE_HOME: home,
    ...PORTS,
    ...more,
  };
  started = spawn(process.execPath, ['dist/apps/start.js', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [started.stdout!, started.stderr!]) stream.on('data', (text) => (output += String(text)));
  return started;
}

/** Asks again until the answer is right; the time of the test is the bound. */
async function until<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    if (started?.exitCode !== null) throw new Error(`It has ended:\n${output}`);
    const answer = await ask().catch(() => undefined);
    if (answer !== undefined) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const urlIn = (name: string) => new RegExp(`^${name}: .*(http://localhost:\\d+)`, 'm').exec(output)?.[1];
const healthy = (name: string) =>
  until(async () => {
    const url = urlIn(name);
    return url !== undefined && (await fetch(`${url}/health`)).ok ? url : undefined;
  });

/** All processes below this one, told by the system. */
function descendants(pid: number): number[] {
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const [, parent] = /\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'utf8')) ?? [];
        return [[Number(name), Number(parent)] as const];
      } catch {
        return []; // it has ended meanwhile
      }
    });
  const below = (of: number): number[] =>
    parents.filter(([, parent]) => parent === of).flatMap(([child]) => [child, ...below(child)]);
  return below(pid);
}
const isAlive = (pid: number) => {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};
async function allGone(pids: readonly number[]): Promise<void> {
  while (pids.some(isAlive)) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** Those that are built, and serve. */
const NAMES = SAMPLES.flatMap(({ programs }) => programs)
  .filter(({ script, port }) => port !== undefined && existsSync(`dist/apps/${script}.js`))
  .map(({ name }) => name);

test('npm start opens all applications, a page that leads to them and a bell that rings; SIGTERM ends all', async () => {
  const parent = start();
  const urls = await Promise.all(NAMES.map(healthy));
  for (const url of urls) expect((await fetch(url)).status).toBe(200);
  const bell = await healthy('bell');
  const rung = await fetch(`${bell}/ring`, { method: 'POST', headers: { Prefer: 'wait=20' } });
  expect(await rung.json()).toMatchObject({ ring: { status: 'rung' } });
  const front = await (await fetch(`http://localhost:${PORTS.PORT}/`)).text();
  for (const url of urls) expect(front).toContain(`<a href="${url}">`);
  expect(front).toMatch(/PostgreSQL \d+\.\d+/);
  const processes = descendants(parent.pid!);
  const ended = once(parent, 'exit');
  parent.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
  await allGone(processes);
});

test('an application that dies is shown, and started again; and none is left when npm start is killed', async () => {
  const parent = start(['bank'], { PORT: PORTS.BANK_PORT });
  await healthy('bank');
  await healthy('bell');
  const bank = descendants(parent.pid!).find((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(join('bank', 'main.js')),
  )!;
  process.kill(bank, 'SIGKILL');
  await until(() => Promise.resolve(/bank: has ended \(SIGKILL\); it is started again/.test(output) || undefined));
  await allGone([bank]);
  await healthy('bank');
  const processes = descendants(parent.pid!);
  expect(processes.length).toBeGreaterThan(2);
  parent.kill('SIGKILL');
  await allGone(processes);
});

test('what is wrong with the database is said once', async () => {
  const parent = start([], { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing' });
  expect(await once(parent, 'close')).toEqual([1, null]);
  expect(output.match(/Nothing listens at 127\.0\.0\.1:1/g)).toHaveLength(1);
  expect(output).toContain('Remedy: Start PostgreSQL there');
});

test('an application that there is none of is named, with those that there are', async () => {
  const parent = start(['blank']);
  expect(await once(parent, 'close')).toEqual([2, null]);
  expect(output).toMatch(/no sample application "blank". There are: bank/);
});
