import { existsSync } from 'node:fs';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase } from 'bellwether/testing';
import type { TestDatabase } from 'bellwether/testing';
import type { Ring } from '../../hardware/bell/ring';
import type { RingStore } from '../../hardware/bell/ring-store';
import { DatabaseStore } from '../../hardware/store/database-store';
import { FileStore } from '../../hardware/store/file-store';
import { MemoryStore } from '../../hardware/store/memory-store';
import { openStore } from '../../hardware/store/open-store';
import { poster } from './client';
import { settled } from './manual-clock';
import { serve } from './serving';
import type { Serving } from './serving';

let folder: string;
let database: TestDatabase;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bellbot-'));
  database = await createTestDatabase();
});
afterAll(async () => {
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

let files = 0;
const newPath = () => join(folder, `rings-${++files}.jsonl`);
const warnings: string[] = [];
const openFile = (path: string, remember = 1000) =>
  FileStore.open({ path, remember, onWarning: (text) => void warnings.push(text) });

const KINDS: Readonly<Record<string, () => Promise<() => Promise<RingStore>>>> = {
  file: () => {
    const path = newPath();
    return Promise.resolve(() => openFile(path));
  },
  database: async () => {
    await database.pool.query(
      'drop table if exists bellbot_rings; drop type if exists bellbot_ring_kind, bellbot_ring_status',
    );
    return () => DatabaseStore.open(database.url, 1000);
  },
};

const serving: Serving[] = [];
afterEach(async () => {
  for (const one of serving.splice(0)) await one.close();
});

async function start(store: RingStore): Promise<{ readonly bell: Serving; readonly post: ReturnType<typeof poster> }> {
  const bell = await serve({ store });
  serving.push(bell);
  return { bell, post: poster(bell.url) };
}

/** As at a crash: its clock stands, so nothing more of it happens. */
async function crash(bell: Serving): Promise<void> {
  serving.splice(serving.indexOf(bell), 1);
  await bell.close();
}

const ring = (id: string, status: Ring['status'] = 'queued'): Ring => ({
  id,
  bell: 'desk',
  kind: 'ring',
  by: 'Ann',
  why: null,
  status,
  queuedAt: '2026-01-01T12:00:00.000Z',
  finishedAt: status === 'queued' || status === 'striking' ? null : '2026-01-01T12:00:01.000Z',
  error: null,
});

describe.each(Object.keys(KINDS))('a %s store', (kind) => {
  let open: () => Promise<RingStore>;
  beforeEach(async () => (open = await KINDS[kind]!()));

  test('an idempotency key rings once, at once or later, over a restart too', async () => {
    const { bell, post } = await start(await open());
    const key = { 'Idempotency-Key': 'sale-7' };
    const answers = await Promise.all(Array.from({ length: 20 }, () => post('/ring', { by: 'Ann' }, key)));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(202));
    expect(new Set(answers.map(({ body }) => body.ring?.id)).size).toBe(1);
    expect(answers.filter(({ body }) => body.replayed)).toHaveLength(19);
    while (bell.board.commands.length < 1) await settled();
    await bell.clock.advance(10_000);
    while ((await bell.service.find(answers[0]!.body.ring!.id))?.status !== 'rung') await settled();
    expect(bell.board.commands).toHaveLength(2);
    await crash(bell);

    const again = await start(await open());
    const later = await again.post('/ring', { idempotency_key: 'sale-7' });
    expect(later.status).toBe(202);
    expect(later.body).toEqual({
      ring: { ...answers[0]!.body.ring, status: 'rung', finishedAt: expect.any(String) },
      replayed: true,
    });
    expect((await again.post('/sweep', {}, key)).status).toBe(422);
    await again.bell.clock.advance(10_000);
    expect(again.bell.board.commands).toEqual([]);
  });

  test('after a crash what waited is rung, in order; what was being struck has failed; what was rung is not rung again', async () => {
    const { bell, post } = await start(await open());
    for (const why of ['rung', 'struck', 'waits', 'waits too']) await post('/ring', { why });
    while (bell.board.commands.length < 1) await settled();
    await bell.clock.advance(999);
    const rungNow = async () => (await bell.service.latest(10)).filter(({ status }) => status === 'rung').length;
    while ((await rungNow()) < 1) await settled();
    await bell.clock.advance(1);
    while (bell.board.commands.length < 3) await settled();
    await crash(bell);

    const { bell: next } = await start(await open());
    const ends = async () => (await next.service.latest(10)).map(({ why, status }) => `${why}: ${status}`).reverse();
    while (next.board.commands.length < 1) await settled();
    expect(await ends()).toEqual(['rung: rung', 'struck: failed', 'waits: striking', 'waits too: queued']);
    expect((await next.service.latest(3))[2]?.error).toBe(
      'BellBot ended during the strike: the bell may have been struck.',
    );
    for (let index = 0; index < 4; index++) {
      await next.clock.advance(500);
      while (
        (await next.service.latest(10)).filter(({ status }) => status === 'rung').length <
        1 + Math.ceil(index / 2)
      )
        await settled();
      while (next.board.commands.length < Math.min(index + 2, 4)) await settled();
    }
    while ((await ends()).at(-1) !== 'waits too: rung') await settled();
    expect(next.board.commands.map(({ degrees }) => degrees)).toEqual([90, 75, 90, 75]);
    while (next.service.hours().at(-1)?.rung !== 3) await settled();
    expect(next.service.hours().at(-1)).toMatchObject({ rung: 3, failed: 1 });
  });

  test('at a graceful stop what is struck is finished, and what waits is left to the next start', async () => {
    const { bell, post } = await start(await open());
    for (const why of ['struck', 'waits']) await post('/ring', { why });
    while (bell.board.commands.length < 1) await settled();
    const stopped = bell.service.stop();
    await bell.clock.advance(500);
    await stopped;
    expect(bell.board.commands.map(({ degrees }) => degrees)).toEqual([90, 75]);
    expect((await bell.service.latest(2)).map(({ status }) => status)).toEqual(['queued', 'rung']);
    expect((await post('/ring')).body.code).toBe('E_STOPPING');
    await bell.clock.advance(10_000);
    expect(bell.board.commands).toHaveLength(2);
    await crash(bell);
    const { bell: next } = await start(await open());
    while (next.board.commands.length < 1) await settled();
    await next.clock.advance(500);
    while ((await next.service.latest(1))[0]?.status !== 'rung') await settled();
  });

  test('a ring of a bell that is no more has failed at the next start', async () => {
    const store = await open();
    await store.accept({ ...ring('x'), bell: 'gone' }, undefined);
    const { bell } = await start(store);
    expect(await bell.service.find('x')).toMatchObject({ status: 'failed', error: 'There is no such bell.' });
  });

  test('one that cannot be kept is not accepted; one that cannot be kept as being struck is not struck', async () => {
    const store = await open();
    const { bell, post } = await start(store);
    jest.spyOn(store, 'accept').mockRejectedValueOnce(new Error('no space'));
    const refused = await post('/ring');
    expect([refused.status, refused.body.code]).toEqual([503, 'E_STORE']);
    jest.spyOn(store, 'record').mockRejectedValueOnce(new Error('no space'));
    const { body } = await post('/ring');
    while ((await bell.service.find(body.ring!.id))?.status !== 'failed') await settled();
    expect(bell.board.commands).toEqual([]);
    expect(bell.service.view().bells[0]?.queued).toBe(0);
  });
});

test('a memory store forgets: at a stop, what waits is told that it failed', async () => {
  const { bell, post } = await start(new MemoryStore({ remember: 10 }));
  await post('/ring');
  const waiting = post('/ring', {}, { Prefer: 'wait=30' });
  while (bell.service.view().bells[0]?.queued !== 1) await settled();
  const stopped = bell.service.stop();
  await bell.clock.advance(500);
  await stopped;
  expect(await waiting).toMatchObject({
    status: 503,
    body: { detail: 'BellBot is stopping, so the bell was not struck.' },
  });
});

describe('the file', () => {
  test('a last line that a crash has cut is left out; damaged ones are kept aside', async () => {
    const path = newPath();
    const store = await openFile(path);
    await store.accept(ring('a'), 'key');
    await store.close();
    await appendFile(path, '{"ring":{"id":"b"');
    const again = await openFile(path);
    expect((await again.latest(9)).map(({ id }) => id)).toEqual(['a']);
    await again.close();
    expect(existsSync(`${path}.damaged`)).toBe(false);

    await appendFile(
      path,
      'rubbish\n{"id":"a","became":{"status":"rung","finishedAt":"2026-01-01T12:00:01.000Z","error":null}}\n',
    );
    const third = await openFile(path);
    expect(await third.findByKey('key')).toMatchObject({ id: 'a', status: 'rung' });
    await third.close();
    expect(await readFile(`${path}.damaged`, 'utf8')).toContain('rubbish');
    expect(warnings.at(-1)).toContain('1 lines');
  });

  test('a file of something else is left alone', async () => {
    const path = newPath();
    await writeFile(path, 'dear diary\n');
    await expect(openFile(path)).rejects.toMatchObject({ code: 'E_STORE_SETUP' });
    expect(await readFile(path, 'utf8')).toBe('dear diary\n');
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  test('one that cannot be made is a clear error', async () => {
    const below = newPath();
    await writeFile(below, '');
    await expect(openFile(join(below, 'rings.jsonl'))).rejects.toMatchObject({ code: 'E_STORE_SETUP' });
    await expect(openFile(folder)).rejects.toMatchObject({ code: 'E_STORE_SETUP' });
    await expect(openFile('/proc/none/rings.jsonl')).rejects.toMatchObject({ code: 'E_STORE_SETUP' });
  });

  test.each([
    ['another process that lives', process.ppid, 'its own', true],
    ['a process that has ended', 2 ** 22 + 1, null, false],
    ['a process of the same number that started at another time', process.ppid, '1', false],
    ['a process before the machine started again', process.ppid, 'before', false],
  ])('a lock of %s', async (_whose, pid, startedAt, isHeld) => {
    const path = newPath();
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    const own = stat.split(') ').at(-1)?.split(' ')[19];
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
    const holder = {
      pid,
      startedAt: startedAt === 'its own' ? own : startedAt === 'before' ? own : startedAt,
      boot: startedAt === 'before' ? 'x' : boot,
    };
    await writeFile(`${path}.lock`, JSON.stringify(holder));
    const opening = openFile(path);
    if (isHeld) await expect(opening).rejects.toThrow(`process ${pid}`);
    else await (await opening).close();
  });

  test('it grows to a bound, and remembers the latest of what has finished and all that has not', async () => {
    const path = newPath();
    const store = await openFile(path, 100);
    await store.accept(ring('waits'), 'waits');
    for (let ten = 0; ten < 1500; ten += 10) {
      const ids = Array.from({ length: 10 }, (_, index) => ten + index);
      await Promise.all(ids.map((id) => store.accept(ring(`r${id}`), `k${id}`)));
      await Promise.all(ids.map((id) => store.record(ring(`r${id}`, 'rung'))));
    }
    const lines = async () => (await readFile(path, 'utf8')).trimEnd().split('\n').length;
    expect(await lines()).toBeLessThan(1500);
    await store.close();
    const again = await openFile(path, 100);
    expect(await lines()).toBe(102);
    expect((await again.unfinished()).map(({ id }) => id)).toEqual(['waits']);
    expect(await again.findByKey('k1499')).toMatchObject({ id: 'r1499', status: 'rung' });
    expect(await again.findByKey('k1399')).toBeUndefined();
    expect(await again.findByKey('k1400')).toBeDefined();
    await again.close();
  });

  test('what is written at the same time is all there, in order', async () => {
    const path = newPath();
    const store = await openFile(path, 100_000);
    await Promise.all(Array.from({ length: 2000 }, (_, index) => store.accept(ring(`r${index}`), undefined)));
    await store.close();
    const again = await openFile(path, 100_000);
    expect((await again.unfinished()).map(({ id }) => id)).toEqual(
      Array.from({ length: 2000 }, (_, index) => `r${index}`),
    );
    await again.close();
  });
});

describe('the database', () => {
  test('several that start at once make one table; keys hold between them', async () => {
    await KINDS.database!();
    const stores = await Promise.all(Array.from({ length: 4 }, () => DatabaseStore.open(database.url, 1000)));
    const accepted = await Promise.all(
      Array.from({ length: 40 }, (_, index) => stores[index % 4]!.accept(ring(`r${index}`), `key ${index % 5}`)),
    );
    expect(accepted.filter(({ replayed }) => !replayed)).toHaveLength(5);
    const { rows } = await database.pool.query<{ count: string }>('select count(*) from bellbot_rings');
    expect(rows[0]?.count).toBe('5');
    for (const store of stores) await store.close();
  });

  test('a key that another process has taken meanwhile takes no place, and is not struck again', async () => {
    await KINDS.database!();
    const one = await start(await DatabaseStore.open(database.url, 1000));
    const store = await DatabaseStore.open(database.url, 1000);
    const other = await start(store);
    await one.post('/ring', { sale: 7 });
    jest.spyOn(store, 'findByKey').mockResolvedValueOnce(undefined); // it looked before
    expect(await other.post('/ring', { sale: 7 })).toMatchObject({ status: 202, body: { replayed: true } });
    expect(other.bell.service.view().bells[0]?.queued).toBe(0);
    await other.bell.clock.advance(2_000);
    expect(other.bell.board.commands).toEqual([]);
  });

  test('it forgets old rings that have finished', async () => {
    await KINDS.database!();
    const store = await DatabaseStore.open(database.url, 100);
    await store.accept(ring('waits'), undefined);
    await database.pool.query(
      `insert into bellbot_rings (ring_id, bell, kind, status, queued_at, finished_at)
       select 'r' || n, 'desk', 'ring', 'rung', now(), now() from generate_series(1, 1200) as n`,
    );
    await Promise.all(Array.from({ length: 999 }, (_, index) => store.accept(ring(`x${index}`), undefined)));
    expect((await store.unfinished()).length).toBe(1000);
    expect(await store.find('r1')).toBeUndefined();
    expect(await store.find('waits')).toBeDefined();
    await store.close();
  });

  test('one that cannot be reached is a clear error', async () => {
    const opening = openStore({
      store: 'postgres://nobody:secret@127.0.0.1:9/none',
      remember: 100,
      onWarning: () => undefined,
    });
    await expect(opening).rejects.toMatchObject({
      code: 'E_STORE_SETUP',
      message: expect.not.stringContaining('secret'),
    });
  });
});
