import { spawn, type ChildProcess } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { createTestDatabase } from 'bellwether/testing';
import { Client } from 'pg';
import { claimName, isAlive, livingClaims, takeClaim } from '../../framework/embedded/claim';
import {
  embeddedStatus,
  startEmbedded,
  stopEmbedded,
  type EmbeddedStatus,
} from '../../framework/embedded/embedded-server';

type Running = Extract<EmbeddedStatus, { state: 'running' }>;

let projectFolder: string;
let here: { projectFolder: string; purpose: 'test' };
const children: ChildProcess[] = [];

beforeAll(() => {
  projectFolder = realpathSync(mkdtempSync(join(tmpdir(), 'bellwether-embedded-')));
  chmodSync(projectFolder, 0o755); // as a checkout is; what happens to closed ones is a test of its own
  writeFileSync(join(projectFolder, 'package.json'), '{}');
  here = { projectFolder, purpose: 'test' };
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await stopEmbedded(here);
});
afterAll(() => rmSync(projectFolder, { recursive: true, force: true }));

/** Another process that starts the server, and uses it until it is killed. Settles at its first line. */
async function otherProcess(onProgress = ''): Promise<{ child: ChildProcess; line: string }> {
  const source = require.resolve('../../framework/embedded/embedded-server');
  const script = `
    const { createJiti } = require(${JSON.stringify(require.resolve('jiti'))});
    const load = createJiti(${JSON.stringify(source)}).import(${JSON.stringify(source)});
    const options = { ...${JSON.stringify(here)}, onProgress(step) { ${onProgress} } };
    load.then((embedded) => embedded.startEmbedded(options)).then(({ url }) => console.log(url));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  for await (const line of createInterface(child.stdout)) return { child, line };
  throw new Error('the other process ended without a line');
}

/** Waits until something is so that other processes bring about; the test fails when it is not within 20 s. */
async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 20_000; !(await isSo()); await pause(25))
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
}

async function runningStatus(): Promise<Running> {
  const status = await embeddedStatus(here);
  if (status.state !== 'running') throw new Error(`expected a running server; it is ${status.state}`);
  return status;
}

async function ask(url: string, sql: string): Promise<unknown> {
  const client = new Client(url);
  client.on('error', () => {}); // the tests kill servers
  await client.connect();
  try {
    return Object.values((await client.query<Record<string, unknown>>(sql)).rows[0] ?? {})[0];
  } finally {
    await client.end();
  }
}
const answers = (url: string) =>
  ask(url, 'select 1').then(
    () => true,
    () => false,
  );

const stateFolder = () => join(projectFolder, '.bellwether', 'test');
const claims = () => join(stateFolder(), 'claims');

describe('the embedded server', () => {
  test('five processes that start at once share one server, which ends when all are killed', async () => {
    const others = await Promise.all([1, 2, 3, 4, 5].map(() => otherProcess()));
    const { url, postmasterPid, supervisorPid, leases } = await runningStatus();
    expect(new Set(others.map(({ line }) => line))).toEqual(new Set([url]));
    expect([...leases].sort()).toEqual(others.map(({ child }) => child.pid).sort());
    for (const { child } of others) child.kill('SIGKILL');
    await until('the server has gone', () => !isAlive(postmasterPid) && !isAlive(supervisorPid));
    expect(readdirSync(claims())).toEqual([]);
  });

  test('a killed first start leaves nothing that breaks the second', async () => {
    rmSync(join(stateFolder(), 'data'), { recursive: true, force: true });
    const { child } = await otherProcess('console.log(step)');
    const [claim] = livingClaims(claims());
    process.kill(claim?.pid ?? 0, 'SIGKILL');
    child.kill('SIGKILL');
    mkdirSync(join(stateFolder(), 'data.draft-left'), { recursive: true });
    const { url } = await startEmbedded(here);
    expect(await ask(url, 'select current_database()')).toBe('bellwether');
    expect(readdirSync(stateFolder()).filter((name) => name.includes('draft'))).toEqual([]);
  });

  test('Ctrl-C during the first start lets the cluster be finished, and then stops the server', async () => {
    rmSync(join(stateFolder(), 'data'), { recursive: true, force: true });
    const { child } = await otherProcess('console.log(step)');
    child.kill('SIGINT');
    await until('the cluster is whole', () => existsSync(join(stateFolder(), 'data', 'PG_VERSION')));
    expect(await answers((await startEmbedded(here)).url)).toBe(true);
  });

  test('what a crash left behind is swept away: pid file, claim and record', async () => {
    await (await startEmbedded(here)).release();
    const record = readFileSync(join(stateFolder(), 'running.json'));
    await stopEmbedded(here);
    const stale = [claimName(process.pid) + '0', claimName(process.pid).replace(/^\d+/, '999999999')];
    for (const name of stale) writeFileSync(join(claims(), name), '');
    writeFileSync(join(stateFolder(), 'running.json'), record);
    const lines = [process.pid, join(stateFolder(), 'data'), 1, 15000, '', '127.0.0.1', '', 'ready', ''];
    writeFileSync(join(stateFolder(), 'data', 'postmaster.pid'), lines.join('\n'));
    const { url } = await startEmbedded(here);
    expect(await answers(url)).toBe(true);
  });

  test.each([
    ['the supervisor', (status: Running) => status.supervisorPid],
    ['the server', (status: Running) => status.postmasterPid],
  ])('when %s is killed, a process that uses the server gets it back under the same address', async (_, victim) => {
    const { url } = await startEmbedded(here);
    const before = await runningStatus();
    process.kill(victim(before), 'SIGKILL');
    await until('the old server has gone', () => !isAlive(before.postmasterPid));
    await until('a new one runs', async () => (await embeddedStatus(here)).state === 'running');
    expect(await answers(url)).toBe(true);
    expect((await runningStatus()).supervisorPid).not.toBe(before.supervisorPid);
  });

  test('nothing is left when the supervisor and all users are killed', async () => {
    const { child } = await otherProcess();
    const { postmasterPid, supervisorPid } = await runningStatus();
    child.kill('SIGKILL');
    process.kill(supervisorPid, 'SIGKILL');
    await until('the server has gone', () => !isAlive(postmasterPid));
  });

  test('stop ends it whoever uses it, and its users do not start it again', async () => {
    await startEmbedded(here);
    const { postmasterPid } = await runningStatus();
    expect(await stopEmbedded(here)).toBe(true);
    expect(isAlive(postmasterPid)).toBe(false);
    expect((await embeddedStatus(here)).state).toBe('stopped');
    expect(await stopEmbedded(here)).toBe(false);
  });

  test('kept, it outlives its users', async () => {
    const { child } = await otherProcess();
    await (await startEmbedded({ ...here, isKept: true })).release();
    child.kill('SIGKILL');
    await until('its users have left', async () => (await runningStatus()).leases.length === 0);
    expect((await runningStatus()).isKept).toBe(true);
  });

  test('a project that only its owner may enter has a server too, with data elsewhere if need be', async () => {
    const closed = realpathSync(mkdtempSync(join(tmpdir(), 'bellwether-closed-')));
    const there = { projectFolder: closed, purpose: 'test' } as const;
    const { url } = await startEmbedded(there);
    expect(await answers(url)).toBe(true);
    const dataFolder = String(await ask(url, 'show data_directory'));
    expect(dataFolder.startsWith(closed)).toBe(process.getuid?.() !== 0);
    await stopEmbedded(there);
    for (const folder of [closed, dataFolder]) rmSync(folder, { recursive: true, force: true });
  });

  test('it stops when its folder is deleted', async () => {
    await (await startEmbedded({ ...here, isKept: true })).release();
    const { postmasterPid } = await runningStatus();
    rmSync(claims(), { recursive: true });
    await until('the server has gone', () => !isAlive(postmasterPid));
  });

  test('it lets in who knows the password, takes another port when its own is taken, and sits below the lent ports', async () => {
    await (await startEmbedded(here)).release();
    const first = new URL((await runningStatus()).url);
    await stopEmbedded(here);
    const squatter = createServer().listen(Number(first.port), '127.0.0.1');
    const { url } = await startEmbedded(here);
    squatter.close();
    expect(new URL(url).port).not.toBe(first.port);
    expect(Number(new URL(url).port)).toBeLessThan(32_768);
    await expect(ask(url.replace(first.password, 'wrong'), 'select 1')).rejects.toMatchObject({ code: '28P01' });
    expect(await ask(url, 'show listen_addresses')).toBe('127.0.0.1');
    expect(await ask(url, `select lower('ÄÉ') || (to_tsvector('simple', 'Äpfel') @@ 'äpfel'::tsquery)`)).toBe('äétrue');
  });
});

describe('what keeps it from starting is told', () => {
  test('a file where the folder should be', async () => {
    const broken = mkdtempSync(join(tmpdir(), 'bellwether-broken-'));
    writeFileSync(join(broken, '.bellwether'), '');
    await expect(startEmbedded({ projectFolder: broken })).rejects.toMatchObject({ code: 'E_EMBEDDED_PERMISSION' });
    rmSync(broken, { recursive: true });
  });

  test('data of another version', async () => {
    await (await startEmbedded(here)).release();
    await stopEmbedded(here);
    writeFileSync(join(stateFolder(), 'data', 'PG_VERSION'), '12\n');
    await expect(startEmbedded(here)).rejects.toMatchObject({
      code: 'E_EMBEDDED_VERSION',
      details: { dataVersion: '12', binaryVersion: '18' },
    });
    writeFileSync(join(stateFolder(), 'data', 'PG_VERSION'), '18\n');
  });

  test('a setting that PostgreSQL refuses, in its own words', async () => {
    const settings = join(stateFolder(), 'data', 'postgresql.auto.conf');
    writeFileSync(settings, 'shared_buffers = lots\n');
    await expect(startEmbedded(here)).rejects.toMatchObject({
      code: 'E_EMBEDDED_START',
      message: expect.stringContaining('invalid value for parameter "shared_buffers"'),
    });
    writeFileSync(settings, '');
  });
});

describe('test databases', () => {
  test('each is empty but for its schema, and gone after drop', async () => {
    const one = await createTestDatabase(['create table note (text text)', `insert into note values ('one')`]);
    const other = await createTestDatabase();
    expect((await one.pool.query('select text from note')).rows).toEqual([{ text: 'one' }]);
    await expect(other.pool.query('select from note')).rejects.toMatchObject({ code: '42P01' });
    await Promise.all([one.drop(), one.drop(), other.drop()]);
    await expect(ask(one.url, 'select 1')).rejects.toMatchObject({ code: '3D000' });
  });

  test('copies of a template, which is prepared once however many ask at once', async () => {
    let prepared = 0;
    const prepare = async (url: string) => {
      prepared += 1;
      await ask(url, 'create table note (text text)');
    };
    const template = { name: 'notes', prepare };
    const copies = await Promise.all([1, 2, 3].map(() => createTestDatabase({ template })));
    for (const { pool } of copies) await pool.query(`insert into note values ('mine')`);
    const counts = await Promise.all(copies.map(({ url }) => ask(url, 'select count(*)::int from note')));
    expect({ prepared, counts }).toEqual({ prepared: 1, counts: [1, 1, 1] });
    for (const copy of copies) await copy.drop();
  });
});

test('two processes never both hold a claim', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bellwether-claims-'));
  const claim = takeClaim(folder);
  expect(livingClaims(folder).map(({ pid }) => pid)).toEqual([process.pid]);
  claim?.release();
  writeFileSync(join(folder, claimName(process.ppid)), '');
  expect(takeClaim(folder)).toBeUndefined();
  expect(readdirSync(folder)).toHaveLength(1);
  rmSync(folder, { recursive: true });
});

test('a claim of another machine or container counts while its holder touches it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bellwether-claims-'));
  const foreign = join(folder, '1-elsewhere-1');
  writeFileSync(foreign, '');
  expect(takeClaim(folder)).toBeUndefined();
  utimesSync(foreign, 0, 0);
  takeClaim(folder)?.release();
  expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
});
