import type { Ring } from '../../../hardware/bell/ring';
import { BoardError } from '../../../hardware/errors';
import { BoardOnHand } from './board-on-hand';

let hand: BoardOnHand;
beforeEach(() => (hand = new BoardOnHand()));
afterEach(() => hand.end());

const statusOf = (ring: Ring) => hand.outcomes.get(ring.id)?.status;
const post = (wait?: number) =>
  fetch(`${hand.serving.url}/ring`, {
    method: 'POST',
    ...(wait !== undefined && { headers: { Prefer: `wait=${wait}` } }),
  });

describe('unplugged while idle', () => {
  test('it says so at once, a command is refused, and plugged in again its servo is at rest', async () => {
    await hand.serve();
    const servo = hand.board.servo(9, 40);
    await hand.pass(10);
    hand.arduino.unplug();
    await hand.pass(0);
    expect(hand.board.status).toBe('lost');
    await expect(servo.to(60)).rejects.toThrow(BoardError);
    hand.arduino.plugIn();
    await hand.pass(1000);
    expect(hand.statuses).toEqual(['ready', 'lost', 'ready']);
    expect([hand.arduino.emulator.pulse(8), hand.arduino.emulator.pulse(9)]).toEqual([1350, 1000]);
    await servo.to(60);
    expect(hand.arduino.emulator.pulse(9)).toBe(1200);
  });

  test('a ring waits for it, and is rung', async () => {
    await hand.serve();
    hand.arduino.unplug();
    await hand.pass(5000);
    const ring = await hand.ring();
    await hand.pass(5000);
    expect(statusOf(ring)).toBeUndefined();
    hand.arduino.plugIn();
    await hand.pass(2000);
    expect(statusOf(ring)).toBe('rung');
    expect(hand.degrees).toEqual([75, 75, 90, 75]);
  });

  test('a ring fails when it has waited long enough, and its caller is told', async () => {
    await hand.serve({ waitLimitMs: 3000 });
    hand.arduino.unplug();
    await hand.pass(0);
    const kept = hand.ring();
    await hand.pass(3000);
    expect(statusOf(await kept)).toBe('failed');
    expect(hand.degrees).toEqual([75]);
  });

  test('by the other policy a ring is refused', async () => {
    await hand.serve({ whenLost: 'refuse' });
    hand.arduino.unplug();
    await hand.pass(0);
    const response = await post();
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toMatch(/^\d+$/);
    hand.arduino.plugIn();
    await hand.pass(1000);
    expect((await post()).status).toBe(202);
  });
});

describe('unplugged during a strike', () => {
  test('the ring failed, may have struck, and is not struck again', async () => {
    await hand.serve();
    const ring = await hand.ring();
    await hand.pass(100);
    expect(hand.degrees).toEqual([75, 90]);
    hand.arduino.unplug();
    await hand.pass(0);
    expect(hand.outcomes.get(ring.id)).toMatchObject({ status: 'failed', error: expect.stringMatching(/may have/) });
    hand.arduino.plugIn();
    await hand.pass(5000);
    expect(hand.degrees).toEqual([75, 90, 75]);
    expect(hand.arduino.emulator.pulse(8)).toBe(1350);
  });

  test('and back before its end: failed all the same', async () => {
    await hand.end();
    hand = new BoardOnHand({ retryEveryMs: 50 });
    await hand.serve();
    const ring = await hand.ring();
    await hand.pass(100);
    hand.arduino.unplug();
    hand.arduino.plugIn();
    await hand.pass(100);
    expect(hand.board.status).toBe('ready');
    await hand.pass(5000);
    expect(statusOf(ring)).toBe('failed');
    expect(hand.degrees).toEqual([75, 90, 75]);
  });

  test.each([100, 499, 500, 501])('after %i ms, with ten rings waiting: one failed, ten are rung', async (ms) => {
    await hand.serve();
    const rings = [await hand.ring()];
    await hand.pass(0);
    for (let i = 0; i < 10; i++) rings.push(await hand.ring());
    await hand.pass(ms - 1);
    hand.arduino.unplug();
    hand.arduino.plugIn();
    await hand.pass(12_000);
    const [first, ...others] = rings.map(statusOf);
    expect(others).toEqual(Array(10).fill('rung'));
    expect(first).toBe(ms > 500 ? 'rung' : 'failed');
    expect(hand.degrees.filter((degrees) => degrees === 90)).toHaveLength(11);
  });

  test('for good, with ten rings waiting: each caller is told that it failed', async () => {
    await hand.serve({ waitLimitMs: 4000 });
    const answers = Array.from({ length: 11 }, () => post(60));
    while (hand.serving.service.view().bells[0]!.queued < 10) await new Promise((resolve) => setImmediate(resolve));
    await hand.pass(100);
    hand.arduino.unplug();
    await hand.pass(5000);
    const told = await Promise.all(
      (await Promise.all(answers)).map(async (answer) => [answer.status, await answer.json()]),
    );
    expect(told.map(([status]) => status)).toEqual(Array(11).fill(503));
    expect(hand.degrees).toEqual([75, 90]);
  });
});

describe('silent', () => {
  test('from the beginning: opening it fails after the connect timeout, and it is found when it answers', async () => {
    hand.arduino.isSilent = true;
    const opened = hand.board.open();
    const refused = expect(opened).rejects.toMatchObject({ code: 'E_BOARD', what: expect.stringMatching(/10000 ms/) });
    await hand.pass(10_000);
    await refused;
    expect(hand.board.status).toBe('connecting');
    hand.arduino.isSilent = false;
    await hand.pass(1000);
    expect(hand.board.status).toBe('ready');
  });

  test('while idle: found out by the question that it is asked now and then', async () => {
    await hand.serve();
    hand.arduino.isSilent = true;
    await hand.pass(3000);
    expect(hand.board.status).toBe('lost');
  });

  test('during a strike: the ring failed', async () => {
    await hand.serve();
    const ring = await hand.ring();
    await hand.pass(100);
    hand.arduino.isSilent = true;
    await hand.pass(2000);
    expect(statusOf(ring)).toBe('failed');
    expect(hand.board.status).toBe('lost');
  });

  test('before a strike: the ring failed, though its commands left without complaint', async () => {
    await hand.serve();
    hand.arduino.isSilent = true;
    const ring = await hand.ring();
    await hand.pass(2000);
    expect(hand.degrees.slice(0, 2)).toEqual([75, 90]);
    expect(statusOf(ring)).toBe('failed');
  });
});

describe('its reset button pressed', () => {
  test('while idle: its servo is put to rest again', async () => {
    await hand.serve();
    hand.arduino.reset();
    await hand.pass(1001);
    expect(hand.statuses).toEqual(['ready', 'lost', 'ready']);
    expect(hand.arduino.emulator.pulse(8)).toBe(1350);
  });

  test('during a strike: the ring failed', async () => {
    await hand.serve();
    const ring = await hand.ring();
    await hand.pass(100);
    hand.arduino.reset();
    await hand.pass(2000);
    expect(statusOf(ring)).toBe('failed');
  });
});
