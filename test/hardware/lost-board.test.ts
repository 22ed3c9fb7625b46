import type { Ring } from '../../hardware/bell/ring';
import type { Answer } from './client';
import { get, poster } from './client';
import { FakeBoard } from './fake-board';
import { ManualClock, settled } from './manual-clock';
import { serve } from './serving';
import type { Serving } from './serving';

let serving: Serving;
let post: ReturnType<typeof poster>;
afterEach(() => serving.close());

async function start(options: Parameters<typeof serve>[0] = {}): Promise<void> {
  serving = await serve({ waitLimitMs: 10_000, ...options });
  post = poster(serving.url);
}

const statusOf = async ({ body }: Answer) => {
  const { text } = await get(`${serving.url}/rings/${body.ring!.id}`);
  return (JSON.parse(text) as { ring: Ring }).ring;
};
const degrees = () => serving.board.commands.map((command) => command.degrees);
const ringMany = async (count: number) => {
  const answers: Answer[] = [];
  for (let index = 0; index < count; index++) answers.push(await post('/ring'));
  return answers;
};

describe.each(['wait', 'refuse'] as const)('under the policy %s', (whenLost) => {
  test('a strike that the board is lost in has failed and may have struck; it is not struck again', async () => {
    await start({ whenLost });
    const ring = await post('/ring');
    await serving.clock.advance(300);
    serving.board.become('lost');
    await settled();
    expect(await statusOf(ring)).toMatchObject({
      status: 'failed',
      error: expect.stringContaining('may have been struck'),
    });
    serving.board.become('ready');
    await serving.clock.advance(30_000);
    expect(degrees()).toEqual([90]);
    expect(await statusOf(ring)).toMatchObject({ status: 'failed' });
  });

  test('a board that stops answering in a strike: the same', async () => {
    await start({ whenLost });
    let silence: (error: Error) => void = () => undefined;
    serving.board.answer = new Promise((_resolve, reject) => (silence = reject));
    const ring = await post('/ring');
    await serving.clock.advance(20_000);
    expect(await statusOf(ring)).toMatchObject({ status: 'striking' });
    serving.board.answer = Promise.resolve();
    silence(new Error('silent'));
    await settled();
    expect(await statusOf(ring)).toMatchObject({
      status: 'failed',
      error: expect.stringContaining('may have been struck'),
    });
    await post('/ring');
    await serving.clock.advance(2_000);
    expect(degrees()).toEqual([90, 75, 90, 75]);
  });

  test('the next command waits for pdelay after one that was cut', async () => {
    await start({ whenLost });
    await post('/ring');
    await serving.clock.advance(100);
    serving.board.become('lost');
    serving.board.become('ready');
    const next = await post('/ring');
    await serving.clock.advance(899);
    expect(degrees()).toEqual([90]);
    await serving.clock.advance(1);
    expect(degrees()).toEqual([90, 90]);
    await serving.clock.advance(500);
    expect(await statusOf(next)).toMatchObject({ status: 'rung' });
  });
});

describe('under the policy wait', () => {
  test('lost while idle: rings are accepted, and rung when the board is back', async () => {
    await start();
    serving.board.become('lost');
    const ring = await post('/ring');
    expect(ring.status).toBe(202);
    await serving.clock.advance(9_999);
    expect(await statusOf(ring)).toMatchObject({ status: 'queued' });
    expect(degrees()).toEqual([]);
    serving.board.become('ready');
    await serving.clock.advance(500);
    expect(await statusOf(ring)).toMatchObject({ status: 'rung' });
  });

  test('one that has waited for as long as it may has failed, and says that it was not struck', async () => {
    await start();
    serving.board.become('lost');
    const first = await post('/ring');
    await serving.clock.advance(4_000);
    const second = await post('/ring');
    await serving.clock.advance(6_000);
    expect(await statusOf(first)).toMatchObject({ status: 'failed', error: expect.stringContaining('not struck') });
    expect(await statusOf(second)).toMatchObject({ status: 'queued' });
    serving.board.become('ready');
    await serving.clock.advance(500);
    expect(await statusOf(second)).toMatchObject({ status: 'rung' });
    expect(degrees()).toEqual([90, 75]);
  });

  test('a board that comes and goes does not make rings wait longer, as long as it does not stay', async () => {
    await start({ board: new FakeBoard(new ManualClock(), 'connecting') });
    const ring = await post('/ring');
    for (let index = 0; index < 5; index++) {
      serving.board.become(index % 2 ? 'connecting' : 'lost');
      await serving.clock.advance(2_000);
    }
    expect(await statusOf(ring)).toMatchObject({ status: 'failed' });
  });

  test('lost with ten waiting: ten are rung when it is back, in order, and none twice', async () => {
    await start();
    const first = await post('/ring');
    await serving.clock.advance(100);
    const ten = await ringMany(10);
    serving.board.become('lost');
    await settled();
    expect((await get(`${serving.url}/bells`)).text).toContain('"queued":10');
    const refused = await post('/ring');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '10']); // when the first of them gives up
    await serving.clock.advance(5_000);
    serving.board.become('ready');
    await serving.clock.advance(20_000);
    expect(await statusOf(first)).toMatchObject({ status: 'failed' });
    const ends = await Promise.all(ten.map(statusOf));
    expect(ends.map(({ status }) => status)).toEqual(Array(10).fill('rung'));
    expect(degrees()).toEqual([90, ...Array.from({ length: 10 }, () => [90, 75]).flat()]);
    expect(ends.map(({ finishedAt }) => finishedAt)).toEqual(ends.map(({ finishedAt }) => finishedAt).sort());
  });

  test('lost for good with ten waiting: each is told that it failed, and the queue is free again', async () => {
    await start();
    await post('/ring');
    await serving.clock.advance(100);
    const ten = await ringMany(10);
    serving.board.become('lost');
    await serving.clock.advance(10_000);
    const ends = await Promise.all(ten.map(statusOf));
    expect(ends.map(({ status, error }) => [status, error])).toEqual(
      Array(10).fill(['failed', 'The board is not connected, so the bell was not struck.']),
    );
    expect((await post('/ring')).status).toBe(202);
  });

  test('a caller who waits is told of the failure, with the ring', async () => {
    await start({ waitLimitMs: 1_000 });
    serving.board.become('lost');
    const waiting = post('/ring', {}, { Prefer: 'wait=30' });
    while (serving.service.view().bells[0]!.queued === 0) await settled();
    await serving.clock.advance(1_000);
    const { status, body } = await waiting;
    expect(status).toBe(503);
    expect(body).toMatchObject({ code: 'E_RING_FAILED', ring: { status: 'failed' } });
  });
});

describe('under the policy refuse', () => {
  test('lost while idle: rings are refused at once, and not rung later', async () => {
    await start({ whenLost: 'refuse' });
    serving.board.become('lost');
    const answer = await post('/ring');
    expect([answer.status, answer.body.code, answer.headers.get('retry-after')]).toEqual([503, 'E_BOARD_LOST', '5']);
    serving.board.become('ready');
    await serving.clock.advance(10_000);
    expect(degrees()).toEqual([]);
    expect((await post('/ring')).status).toBe(202);
  });

  test('lost with ten waiting: each is told at once that it failed', async () => {
    await start({ whenLost: 'refuse' });
    await post('/ring');
    await serving.clock.advance(100);
    const ten = await ringMany(10);
    serving.board.become('lost');
    await settled();
    const ends = await Promise.all(ten.map(statusOf));
    expect(ends.map(({ status }) => status)).toEqual(Array(10).fill('failed'));
    serving.board.become('ready');
    await serving.clock.advance(30_000);
    expect(degrees()).toEqual([90]);
  });
});

test('the board is lost while a ring is being kept, before anything was sent: it is rung when the board is back', async () => {
  await start();
  const record = serving.store.record.bind(serving.store);
  jest.spyOn(serving.store, 'record').mockImplementationOnce(async (ring) => {
    await record(ring);
    serving.board.become('lost');
  });
  const ring = await post('/ring');
  await settled();
  expect(await statusOf(ring)).toMatchObject({ status: 'queued' });
  serving.board.become('ready');
  await serving.clock.advance(500);
  expect(await statusOf(ring)).toMatchObject({ status: 'rung' });
  expect(degrees()).toEqual([90, 75]);
});

test('a bell whose board is away is not healthy', async () => {
  await start();
  expect((await get(`${serving.url}/health`)).status).toBe(200);
  serving.board.become('lost');
  const { status, text } = await get(`${serving.url}/health`);
  expect([status, text]).toEqual([503, '{"status":"unavailable"}']);
});
