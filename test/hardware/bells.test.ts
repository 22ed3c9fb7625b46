import type { Ring } from '../../hardware/bell/ring';
import { get, poster } from './client';
import { settled } from './manual-clock';
import { DESK, serve } from './serving';
import type { Serving } from './serving';

const DOOR = { ...DESK, id: 'door', pin: 9, start: 10, strike: 40, sdelay: 200, pdelay: 300, queue: 2 };

let serving: Serving;
let post: ReturnType<typeof poster>;
afterEach(() => serving.close());

async function start(options: Parameters<typeof serve>[0] = {}): Promise<void> {
  serving = await serve({ bells: [DESK, DOOR], ...options });
  post = poster(serving.url);
}

const began = () => serving.board.commands[0]!.atMs;
const commands = (pin?: number) =>
  serving.board.commands
    .filter((command) => pin === undefined || command.pin === pin)
    .map(({ degrees, atMs }) => [degrees, atMs - began()]);
const log = async () => (JSON.parse((await get(`${serving.url}/log`)).text) as { rings: Ring[] }).rings;

test('rings of one bell follow each other at the pace of pdelay; two bells strike at the same time', async () => {
  await start();
  await Promise.all([
    post('/ring'),
    post('/ring', { bell: 'desk' }),
    post('/bells/door/ring'),
    post('/ring', { bell: 'door' }),
  ]);
  await serving.clock.advance(5_000);
  expect(commands(8)).toEqual([
    [90, 0],
    [75, 500],
    [90, 1000],
    [75, 1500],
  ]);
  expect(commands(9)).toEqual([
    [40, 0],
    [10, 200],
    [40, 300],
    [10, 500],
  ]);
});

test('a sweep takes its turn in the same queue', async () => {
  await start({ bells: [{ ...DESK, sweepFrom: 60, sweepTo: 90 }] });
  await post('/sweep', { by: 'Ann' });
  await post('/ring');
  await serving.clock.advance(5_000);
  const sweep = [70, 65, 60, 65, 70, 75, 80, 85, 90, 85, 80, 75].map((degrees, index) => [degrees, index * 25]);
  expect(commands()).toEqual([...sweep, [90, 1000], [75, 1500]]);
  expect((await log()).map(({ kind, status, by }) => [kind, status, by])).toEqual([
    ['ring', 'rung', null],
    ['sweep', 'rung', 'Ann'],
  ]);
});

test('over the bound: 429, and when Retry-After has passed there is a place', async () => {
  await start();
  await Promise.all([post('/bells/door/sweep'), post('/bells/door/ring')]);
  await post('/bells/door/ring');
  const refused = await post('/bells/door/ring');
  expect([refused.status, refused.body.code]).toEqual([429, 'E_QUEUE_FULL']);
  const seconds = Number(refused.headers.get('retry-after'));
  await serving.clock.advance(seconds * 1000 - 1000);
  expect((await post('/bells/door/ring')).status).toBe(429); // and no sooner than need be
  await serving.clock.advance(1000);
  expect((await post('/bells/door/ring')).status).toBe(202);
  expect((await post('/ring')).status).toBe(202); // the other bell has a queue of its own
});

test('many requests with one idempotency key take one place, so none of them is refused', async () => {
  await start({ bells: [{ ...DESK, queue: 1 }] });
  const key = { kind: 'ring', idempotencyKey: 'sale 7' } as const;
  const accepted = await Promise.all(Array.from({ length: 20 }, () => serving.service.request(key)));
  expect(new Set(accepted.map(({ ring }) => ring.id)).size).toBe(1);
  expect(accepted.filter(({ replayed }) => !replayed)).toHaveLength(1);
});

test.each([
  ['/bells/nowhere/ring', {}, 404],
  ['/ring', { bell: 'nowhere' }, 404],
  ['/ring', { bell: '__proto__' }, 404],
  ['/bells/door/ring', { bell: 'desk' }, 400],
])('POST %s %j: no bell', async (path, body, status) => {
  await start();
  expect((await post(path, body)).status).toBe(status);
});

test('GET /bells tells angles, queues and what is struck', async () => {
  await start();
  await post('/bells/door/ring');
  await post('/bells/door/ring');
  await settled();
  const { id, pin, start: rest, strike, sdelay, pdelay, queue: limit } = DOOR;
  expect(JSON.parse((await get(`${serving.url}/bells`)).text)).toEqual({
    board: { kind: 'simulated', where: 'in the test', status: 'ready' },
    bells: [
      expect.objectContaining({ id: 'desk', degrees: 75, queued: 0, striking: false, muted: false }),
      { id, pin, start: rest, strike, sdelay, pdelay, limit, degrees: 40, queued: 1, striking: true, muted: false },
    ],
  });
});

test('a caller who prefers to wait is told of the outcome; or, when the time is up, how it is', async () => {
  await start();
  const waiting = post('/ring', {}, { Prefer: 'respond-async, wait=5' });
  const short = post('/bells/door/ring', {}, { Prefer: 'wait=0' });
  while (serving.board.commands.length < 2) await settled();
  await serving.clock.advance(500);
  const { status, headers, body } = await waiting;
  expect([status, headers.get('preference-applied'), body.ring?.status]).toEqual([200, 'wait=5', 'rung']);
  expect((await short).status).toBe(202);
  for (const prefer of ['wait', 'wait=x', 'wait=-1', 'await=5']) {
    const answer = await post('/ring', {}, { Prefer: prefer });
    expect([answer.status, answer.headers.get('preference-applied')]).toEqual([202, null]);
  }
});

test('a caller who waits and goes away is forgotten, and the ring is rung all the same', async () => {
  await start();
  const leaving = new AbortController();
  const gone = fetch(`${serving.url}/ring`, { method: 'POST', headers: { Prefer: 'wait=60' }, signal: leaving.signal });
  while (serving.board.commands.length < 1) await settled();
  const timers = serving.clock.pending;
  leaving.abort();
  await expect(gone).rejects.toThrow();
  while (serving.clock.pending === timers) await settled();
  await serving.clock.advance(500);
  expect((await log())[0]).toMatchObject({ status: 'rung' });
});

test('in the dark the bell is muted: rings fail, and say why; a level that is not known yet is no darkness', async () => {
  await start({ sensor: { pin: 0, darkBelow: 100 } });
  await post('/ring', { why: 'no reading yet' });
  await serving.clock.advance(1_000);
  serving.board.level = 99;
  await post('/ring', { why: 'dark' });
  await serving.clock.advance(1_000);
  expect((await get(`${serving.url}/bells`)).text).toContain('"muted":true');
  serving.board.level = 100;
  await post('/ring', { why: 'light' });
  await serving.clock.advance(1_000);
  expect((await log()).map(({ why, status }) => [why, status])).toEqual([
    ['light', 'rung'],
    ['dark', 'failed'],
    ['no reading yet', 'rung'],
  ]);
  expect((await log())[1]?.error).toContain('dark');
});

test('the light shines while any bell is struck', async () => {
  await start({ led: 13 });
  await post('/ring');
  await post('/bells/door/ring');
  await settled();
  expect(serving.board.lights.get(13)).toBe(true);
  await serving.clock.advance(499);
  expect(serving.board.lights.get(13)).toBe(true);
  await serving.clock.advance(1);
  expect(serving.board.lights.get(13)).toBe(false);
});

test('the log is newest first and bounded; the statistics count the last 24 hours', async () => {
  await start();
  for (let hour = 0; hour < 26; hour++) {
    await post('/ring', { why: `hour ${hour}` });
    await serving.clock.advance(3_600_000);
  }
  await Promise.all(Array.from({ length: 12 }, () => post('/ring')));
  const { text } = await get(`${serving.url}/log?limit=3`);
  expect((JSON.parse(text) as { rings: Ring[] }).rings).toHaveLength(3);
  const { hours } = JSON.parse((await get(`${serving.url}/statistics`)).text) as {
    hours: { hour: string; rung: number; refused: number }[];
  };
  expect(hours).toHaveLength(24);
  expect(hours.slice(0, 23).map(({ rung }) => rung)).toEqual(Array(23).fill(1));
  expect(hours.at(-1)).toMatchObject({
    hour: new Date(serving.clock.now()).toISOString(),
    rung: 0,
    failed: 0,
    refused: 1,
  });
  for (const limit of ['0', '1001', 'x', '-1', '1e3'])
    expect((await get(`${serving.url}/log?limit=${limit}`)).status).toBe(400);
});

test('metrics count what happens, with the bells as labels', async () => {
  await start();
  await Promise.all(Array.from({ length: 4 }, () => post('/bells/door/ring')));
  await serving.clock.advance(5_000);
  const { text } = await get(`${serving.url}/metrics`);
  expect(text).toContain('bellbot_rings_total{bell="door",outcome="rung"} 3');
  expect(text).toContain('bellbot_rings_total{bell="door",outcome="refused"} 1');
  expect(text).toContain('bellbot_queued{bell="desk"} 0');
  expect(text).toContain('bellbot_board_ready 1');
});
