import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import type { Ring } from '../../hardware/bell/ring';
import { startBrowser } from '../browser/browser';
import { FakeBoard } from './fake-board';
import { ManualClock } from './manual-clock';
import { DESK, serve } from './serving';
import type { Serving, ServingOptions } from './serving';

const ATTIC = { ...DESK, id: 'attic', pin: 9, start: 120, strike: 100 };

let browser: Browser;
let serving: Serving;
beforeAll(async () => {
  browser = await startBrowser();
});
afterEach(() => serving.close());
afterAll(() => browser?.close());

type ContextOptions = Parameters<Browser['newContext']>[0];

/** A page of its own, which must run without a mistake and without asking anybody but its server. */
async function withPage(
  body: (page: Page) => Promise<void>,
  options: ContextOptions = {},
  url = serving.url,
): Promise<void> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const failures: string[] = [];
  page.on('pageerror', (error) => failures.push(error.message));
  page.on('console', (message) => {
    // The browser itself notes each answer that is a refusal, and each that does not come.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      failures.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(`${url}/`)) failures.push(`asks ${request.url()}`);
  });
  try {
    await page.goto(url);
    await body(page);
    expect(failures).toEqual([]);
  } finally {
    await context.close();
  }
}

const open = async (body: (page: Page) => Promise<void>, options?: ServingOptions, how?: ContextOptions) => {
  serving = await serve(options);
  await withPage(body, how);
};

const live = (page: Page) => page.locator('#line[data-status=live]').waitFor();
const arm = (page: Page, bell: string, degrees: number) =>
  page.locator(`[data-bell=${bell}] svg[data-degrees="${degrees}"]`).waitFor();
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();
const outcome = (page: Page, status: Ring['status']) => page.locator(`#log [data-status=${status}]`);

const post = (path: string, fields: object = {}) =>
  fetch(serving.url + path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(fields),
  });

test('a ring that is posted moves the arm onto the bell and back', () =>
  open(async (page) => {
    await arm(page, 'desk', 75);
    expect((await post('/ring')).status).toBe(202);
    await arm(page, 'desk', 90);
    await page.getByRole('img', { name: 'Arm of desk: 90 degrees, on the bell' }).waitFor();
    await page.locator('[data-bell=desk][data-state=striking]').waitFor();
    await serving.clock.advance(DESK.sdelay);
    await arm(page, 'desk', 75);
    await page.locator('[data-bell=desk][data-state=at-rest]').waitFor();
  }));

test('the arm is drawn above the bell at rest and on it at the strike, whichever angle is the greater', () =>
  open(
    async (page) => {
      const lift = (bell: string) => page.locator(`[data-bell=${bell}] [data-slot=arm]`).getAttribute('style');
      await arm(page, 'desk', 75);
      await arm(page, 'attic', 120);
      expect([await lift('desk'), await lift('attic')]).toEqual([
        'transform: rotate(15deg);',
        'transform: rotate(20deg);',
      ]);
      await post('/bells/attic/ring');
      await arm(page, 'attic', 100);
      expect(await lift('attic')).toBe('transform: rotate(0deg);');
    },
    { bells: [DESK, ATTIC] },
  ));

test('buttons ring and sweep the bell that they stand below, and the log tells who and why', () =>
  open(
    async (page) => {
      await page.getByLabel('Who rings').fill('Ada <b>');
      await page.getByLabel('Why').fill('sale of <i>tea</i>');
      await press(page, 'Ring desk');
      await arm(page, 'desk', 90);
      await serving.clock.advance(DESK.sdelay);
      await press(page, 'Sweep attic');
      await outcome(page, 'striking').waitFor();
      expect(serving.board.commands.at(-1)).toMatchObject({ pin: 9 });
      await serving.clock.advance(60_000);
      await outcome(page, 'rung').nth(1).waitFor();
      const rows = await page.locator('#log tr').allInnerTexts();
      expect(rows.map((row) => row.split(/\s*\t\s*|\n/).slice(1, 4))).toEqual([
        ['attic, sweep', 'Ada <b>', 'sale of <i>tea</i>'],
        ['desk', 'Ada <b>', 'sale of <i>tea</i>'],
      ]);
    },
    { bells: [DESK, ATTIC] },
  ));

test('the queue is shown, and what is refused is told with the time to wait', () =>
  open(
    async (page) => {
      await live(page);
      for (let n = 0; n < 3; n++) expect((await post('/ring')).status).toBe(202);
      await page.locator('[data-slot=queue]').getByText('2 of 2 waiting').waitFor();
      await page.getByRole('meter', { name: 'Queue of desk' }).waitFor();
      await press(page, 'Ring desk');
      await page.getByRole('alert').getByText('2 rings are waiting').waitFor();
      await page.locator('#hours .refused').waitFor();
      await serving.clock.advance(10_000);
      await page.locator('[data-slot=queue]').getByText('Nobody waits').waitFor();
    },
    { bells: [{ ...DESK, queue: 2 }] },
  ));

test('bars and totals count what became of the rings', () =>
  open(
    async (page) => {
      await live(page);
      await post('/ring');
      await serving.clock.advance(DESK.pdelay);
      await post('/ring');
      await serving.clock.advance(DESK.sdelay / 2);
      serving.board.become('lost');
      await outcome(page, 'failed').waitFor();
      await page.locator('#hours .failed').waitFor();
      expect(await page.locator('#hours .rung').count()).toBe(1);
      expect(await page.locator('#hours g').count()).toBe(24);
      const chart = page.getByRole('img', { name: /^Of the last 24 hours: 1 rung, 1 failed, 0 refused/ });
      await chart.waitFor();
      expect(await page.locator('#log').innerText()).toContain('the bell may have been struck');
    },
    { bells: [DESK] },
  ));

test('a board that is lost is told, and that it is back', () =>
  open(async (page) => {
    await page.locator('#board[data-status=ready]').waitFor();
    serving.board.become('lost');
    await page.getByRole('alert').getByText('The board is lost').waitFor();
    expect(await page.locator('#board').textContent()).toBe('simulated, in the test: lost');
    serving.board.become('ready');
    await page.locator('#board[data-status=ready]').waitFor();
    expect(await page.getByText('The board is lost').count()).toBe(0);
  }));

test('in the dark the bell is shown as muted', () => {
  const clock = new ManualClock();
  const board = new FakeBoard(clock);
  board.level = 500;
  return open(
    async (page) => {
      await page.locator('[data-state=at-rest]').waitFor();
      board.level = 10;
      await clock.advance(2_000);
      await page.getByText('muted: it is dark').waitFor();
    },
    { board, clock, sensor: { pin: 0, darkBelow: 100 } },
  );
});

test('without the key nothing is shown; with a wrong one neither; with the right one all is, and the bell rings', () =>
  open(
    async (page) => {
      const give = async (key: string) => {
        await page.getByLabel('Key', { exact: true }).fill(key);
        await press(page, 'Use this key');
      };
      await page.locator('#line[data-status=refused]').waitFor();
      expect(await page.locator('[data-bell]').count()).toBe(0);
      await give('wrong');
      await page.getByRole('alert').getByText('The key is missing or wrong.').waitFor();
      expect(await page.locator('[data-bell]').count()).toBe(0);
      await give('s3cret');
      await live(page);
      await press(page, 'Ring desk');
      await arm(page, 'desk', 90);
      expect(await page.locator('#key').isVisible()).toBe(false);
      await page.reload(); // the tab has kept it
      await arm(page, 'desk', 90);
      await page.evaluate(`sessionStorage.setItem('bellbot-key', 'old')`);
      await press(page, 'Ring desk');
      await page.getByRole('alert').getByText('This key is not the right one.').waitFor();
      expect(serving.board.commands).toHaveLength(1);
    },
    { key: 's3cret' },
  ));

test('two windows see the same', () =>
  open(async (one) => {
    await withPage(async (other) => {
      await Promise.all([live(one), live(other)]);
      await press(one, 'Ring desk');
      await Promise.all([arm(one, 'desk', 90), arm(other, 'desk', 90)]);
      await serving.clock.advance(DESK.sdelay);
      await Promise.all([arm(one, 'desk', 75), arm(other, 'desk', 75)]);
      await Promise.all([outcome(one, 'rung').waitFor(), outcome(other, 'rung').waitFor()]);
    });
  }));

/** A way to the server that can be cut. */
async function detour(): Promise<{ url: string; cut(): void; close(): void }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const onward = connect(Number(new URL(serving.url).port), '127.0.0.1');
    for (const [from, to] of [[socket, onward] as const, [onward, socket] as const]) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy()).on('close', () => (sockets.delete(from), to.destroy()));
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => sockets.forEach((socket) => socket.destroy());
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, cut, close: () => (server.close(), cut()) };
}

test('a line that is cut is connected anew, and what happened meanwhile is shown', async () => {
  serving = await serve();
  const way = await detour();
  const follow = async (page: Page) => {
    await live(page);
    way.cut();
    await page.locator('#line[data-status=lost]').waitFor();
    await post('/ring', { by: 'Grace' });
    await live(page);
    await page.locator('#log').getByText('Grace').waitFor();
    await arm(page, 'desk', 90);
  };
  await withPage(follow, {}, way.url).finally(() => way.close());
});

test('a line that says nothing is given up', () =>
  open(async (page) => {
    await page.clock.install();
    await page.reload();
    await live(page);
    await page.clock.fastForward(46_000);
    await page.locator('#line[data-status=lost]').waitFor();
    await page.clock.fastForward(1_000);
    await live(page);
  }));

test('the page itself is open, tells nothing, and allows no script but its own', async () => {
  serving = await serve({ key: 's3cret', bells: [{ ...DESK, id: 'secret-bell' }] });
  const response = await fetch(serving.url);
  expect(response.status).toBe(200);
  expect(await response.text()).not.toContain('secret-bell');
  const policy = response.headers.get('content-security-policy');
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toContain('unsafe');
});

test('it is used with the keyboard alone', () =>
  open(async (page) => {
    await live(page);
    const focused = () => page.evaluate('document.activeElement.getAttribute("aria-label")');
    for (let tabs = 0; tabs < 10 && (await focused()) !== 'Ring desk'; tabs++) await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await arm(page, 'desk', 90);
    await serving.clock.advance(DESK.sdelay);
    await page.getByRole('status').getByText('desk: done.').waitFor({ state: 'attached' });
  }));

test('who wants no motion sees the arm jump', () =>
  open(
    async (page) => {
      await arm(page, 'desk', 75);
      const duration = await page.evaluate(`getComputedStyle(document.querySelector('.arm')).transitionDuration`);
      expect(duration).toBe('0s');
    },
    {},
    { reducedMotion: 'reduce' },
  ));

/** Texts whose contrast with what is behind them is below what WCAG 2 asks for at level AA. */
const FAINT = `(() => {
  const light = ([r, g, b]) => [r, g, b]
    .map((part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const parts = (color) => color.match(/[\\d.]+/g).map(Number);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = parts(getComputedStyle(at).backgroundColor);
      if (color.length === 3) return color;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll('body *')]
    .filter((element) => element.checkVisibility() && !element.closest('svg'))
    .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
    .filter((element) => {
      const [a, b] = [light(parts(getComputedStyle(element).color)), light(behind(element))];
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
    })
    .map((element) => element.textContent.trim());
})()`;

test.each([
  ['a telephone', 390, 'light'],
  ['a small telephone in the dark', 320, 'dark'],
  ['a desktop', 1280, 'light'],
] as const)('on %s nothing sticks out or is faint', (_what, width, colorScheme) =>
  open(
    async (page) => {
      await live(page);
      await press(page, 'Key');
      await post('/ring', { by: 'A'.repeat(80), why: 'because '.repeat(20) });
      await serving.clock.advance(DESK.sdelay);
      await post('/ring');
      serving.board.become('lost');
      await outcome(page, 'rung').waitFor();
      await page.getByText('The board is lost').waitFor();
      const overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
      expect(await page.evaluate(overflow)).toBe(0);
      expect(await page.evaluate(FAINT)).toEqual([]);
    },
    { bells: [{ ...DESK, id: 'the-bell-on-the-desk-at-the-front-door' }, ATTIC] },
    { viewport: { width, height: 800 }, colorScheme },
  ),
);
