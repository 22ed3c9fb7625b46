import { systemClock } from '../../../hardware/bell/clock';
import type { Ring } from '../../../hardware/bell/ring';
import type { BellSettings } from '../../../hardware/bell/settings';
import type { Board } from '../../../hardware/boards/board';
import { DESK, serveOn } from '../serving';
import type { ServingOn } from '../serving';
import { Lockstep } from './lockstep';
import { angles, holds } from './signal';

/** A servo's signal has a pulse every 20 ms: when it shows a command is known to that. */
const FRAME_MS = 20;

const SYSTEM_RESET = 0xff;

let lockstep: Lockstep;
let board: Board;
let serving: ServingOn;

beforeAll(() => (lockstep = new Lockstep()));
afterAll(() => lockstep.stop());
afterEach(async () => {
  await serving.close();
  await lockstep.until(board.close());
  lockstep.uno.write([SYSTEM_RESET]);
  await lockstep.run(5);
  lockstep.uno.pulses.length = 0;
});

const LED = 12;

async function serveBells(...bells: BellSettings[]): Promise<void> {
  // The line is opened anew in each test without a reset of the Uno, so it is asked for its greeting.
  const greetingMs = lockstep.uno.sent.length === 0 ? 5000 : 20;
  board = lockstep.board({ greetingMs, retryEveryMs: 400 });
  serving = await serveOn({ board, clock: systemClock, bells, led: LED });
  await lockstep.until(board.open());
  await lockstep.run(100);
}

/** Accepted while time stands still, so that the order and the moment of arrival don't depend on the machine. */
async function ring(path = '/ring'): Promise<Ring> {
  const response = await fetch(serving.url + path, { method: 'POST' });
  expect(response.status).toBe(202);
  return ((await response.json()) as { ring: Ring }).ring;
}

/** Lets time go on until the ring has ended, and two frames more. */
async function ended({ id }: Ring): Promise<Ring['status']> {
  const end = new Promise<Ring>((resolve) => {
    serving.service.events.on('ring', (ring) => ring.id === id && ring.finishedAt !== null && resolve(ring));
  });
  const { status } = await lockstep.until(end);
  await lockstep.run(2 * FRAME_MS);
  return status;
}

const widths = (pin: number) => lockstep.uno.pulses.filter((pulse) => pulse.pin === pin).map(({ width }) => width);
const isAbout = (expected: number) => (width: number) => Math.abs(width - expected) < 10;

test('rest is 1350 µs, a strike 1500 µs, for sdelay, and nothing else is ever on the pin', async () => {
  await serveBells(DESK);
  expect(widths(8).every(isAbout(1350))).toBe(true);
  expect(await ended(await ring())).toBe('rung');
  const [rests, strikes] = [widths(8).filter(isAbout(1350)), widths(8).filter(isAbout(1500))];
  expect(rests.length + strikes.length).toBe(widths(8).length);
  const [rest, strike, back, ...more] = holds(lockstep.uno.pulses, 8);
  expect([rest!.degrees, strike!.degrees, back!.degrees, more]).toEqual([75, 90, 75, []]);
  expect(Math.abs(strike!.ms - 500)).toBeLessThanOrEqual(FRAME_MS);
  const lit = widths(LED).map((microseconds) => microseconds / 1000);
  expect(lit).toHaveLength(1);
  expect(Math.abs(lit[0]! - 500)).toBeLessThanOrEqual(FRAME_MS);
});

test('three rings at once are three strikes, none begun before pdelay', async () => {
  await serveBells({ ...DESK, sdelay: 200, pdelay: 400 });
  const sentBefore = lockstep.sent.length;
  await ring();
  await ring();
  expect(await ended(await ring())).toBe('rung');
  const held = holds(lockstep.uno.pulses, 8);
  expect(angles(held)).toEqual([75, 90, 75, 90, 75, 90, 75]);
  const strikes = held.filter(({ degrees }) => degrees === 90);
  for (const { ms } of strikes) expect(Math.abs(ms - 200)).toBeLessThanOrEqual(FRAME_MS);
  const begun = strikes.map(({ from }) => from);
  expect(begun[1]! - begun[0]!).toBeGreaterThanOrEqual(400 - FRAME_MS);
  expect(begun[2]! - begun[1]!).toBeGreaterThanOrEqual(400 - FRAME_MS);
  // By the host's clock, which knows of no frames.
  const commands = lockstep.sent.slice(sentBefore).filter(({ bytes }) => Buffer.from(bytes).includes(STRIKE_PIN_8));
  expect(commands.map(({ at }) => at - commands[0]!.at)).toEqual([0, 400, 800]);
});

/** An analog message of 1500 µs to pin 8. */
const STRIKE_PIN_8 = Buffer.of(0xe8, 1500 & 0x7f, 1500 >> 7);

test.each([
  { pin: 2, start: 0, strike: 180, sdelay: 100, pdelay: 200 },
  { pin: 5, start: 120, strike: 30, sdelay: 250, pdelay: 300 },
  { pin: 13, start: 90, strike: 93, sdelay: 60, pdelay: 200 },
  { pin: 14, start: 180, strike: 1, sdelay: 20, pdelay: 500 },
])('pin $pin from $start° to $strike° for $sdelay ms', async (settings) => {
  await serveBells({ ...DESK, ...settings });
  expect(await ended(await ring())).toBe('rung');
  const [rest, strike, back, ...more] = holds(lockstep.uno.pulses, settings.pin);
  expect([rest!.degrees, strike!.degrees, back!.degrees, more]).toEqual([
    settings.start,
    settings.strike,
    settings.start,
    [],
  ]);
  expect(Math.abs(strike!.ms - settings.sdelay)).toBeLessThanOrEqual(FRAME_MS);
});

test('two bells on one board strike at the same time, each at its own pace, and neither twitches', async () => {
  const door = { ...DESK, id: 'door', pin: 9, start: 20, strike: 60, sdelay: 300, pdelay: 400 };
  await serveBells({ ...DESK, sdelay: 200, pdelay: 600 }, door);
  await ring('/bells/desk/ring');
  await ring('/bells/door/ring');
  await ended(await ring('/bells/door/ring'));
  const [atDesk, atDoor] = [holds(lockstep.uno.pulses, 8), holds(lockstep.uno.pulses, 9)];
  expect(angles(atDesk)).toEqual([75, 90, 75]);
  expect(angles(atDoor)).toEqual([20, 60, 20, 60, 20]);
  expect(Math.abs(atDesk[1]!.from - atDoor[1]!.from)).toBeLessThanOrEqual(FRAME_MS);
  expect(Math.abs(atDesk[1]!.ms - 200)).toBeLessThanOrEqual(FRAME_MS);
  expect(Math.abs(atDoor[1]!.ms - 300)).toBeLessThanOrEqual(FRAME_MS);
});

test('rings that follow each other without a pause are strikes of their own', async () => {
  await serveBells({ ...DESK, sdelay: 100, pdelay: 100 });
  await ring();
  expect(await ended(await ring())).toBe('rung');
  expect(angles(holds(lockstep.uno.pulses, 8))).toEqual([75, 90, 75, 90, 75]);
});

test('unplugged during a strike, with a supply of its own: the ring failed, and plugged in again the servo rests', async () => {
  await serveBells({ ...DESK, sdelay: 100, pdelay: 200 });
  const cut = await ring();
  const waiting = await ring();
  await lockstep.run(50);
  lockstep.unplug();
  await lockstep.run(300);
  expect(angles(holds(lockstep.uno.pulses, 8))).toEqual([75, 90]);
  expect(await serving.service.find(cut.id)).toMatchObject({
    status: 'failed',
    error: expect.stringMatching(/may have/),
  });
  expect(await ended(waiting)).toBe('rung');
  const [, cutStrike, rest, strike, ...more] = holds(lockstep.uno.pulses, 8);
  expect(cutStrike!.ms).toBeGreaterThan(400); // until it was found again
  expect([rest!.degrees, strike!.degrees, angles(more)]).toEqual([75, 90, [75]]);
});

test('a sweep goes through its range and back to rest', async () => {
  await serveBells({ ...DESK, sweepFrom: 60, sweepTo: 100 });
  expect(await ended(await ring('/sweep'))).toBe('rung');
  const swept = angles(holds(lockstep.uno.pulses, 8));
  expect(swept.slice(0, 4)).toEqual([75, 70, 65, 60]);
  expect(swept).toContain(100);
  expect(swept.at(-1)).toBe(75);
});
