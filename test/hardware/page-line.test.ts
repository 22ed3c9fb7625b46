import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import type { Page } from 'playwright-core';
import { arm, live, outcome, press, PageTests } from './page-tests';
import { DESK } from './serving';

const pages = new PageTests();

test('without the key nothing is shown; with a wrong one neither; with the right one all is, and the bell rings', () =>
  pages.open(
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
      expect(pages.serving.board.commands).toHaveLength(1);
    },
    { key: 's3cret' },
  ));

test('two windows see the same', () =>
  pages.open(async (one) => {
    await pages.withPage(async (other) => {
      await Promise.all([live(one), live(other)]);
      await press(one, 'Ring desk');
      await Promise.all([arm(one, 'desk', 90), arm(other, 'desk', 90)]);
      await pages.serving.clock.advance(DESK.sdelay);
      await Promise.all([arm(one, 'desk', 75), arm(other, 'desk', 75)]);
      await Promise.all([outcome(one, 'rung').waitFor(), outcome(other, 'rung').waitFor()]);
    });
  }));

/** A way to the server that can be cut and mended. */
async function detour() {
  let isWhole = true;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    if (!isWhole) return void socket.destroy();
    const onward = connect(Number(new URL(pages.serving.url).port), '127.0.0.1');
    for (const [from, to] of [[socket, onward] as const, [onward, socket] as const]) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy()).on('close', () => (sockets.delete(from), to.destroy()));
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    isWhole = false;
    sockets.forEach((socket) => socket.destroy());
  };
  const mend = () => void (isWhole = true);
  const close = () => {
    server.close();
    cut();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, cut, mend, close };
}

test('a line that is cut is connected anew, and what happened meanwhile is shown', async () => {
  await pages.serve();
  const way = await detour();
  const follow = async (page: Page) => {
    await live(page);
    way.cut();
    await page.locator('#line[data-status=lost]').waitFor();
    await pages.post('/ring', { by: 'Grace' });
    way.mend();
    await live(page);
    await page.locator('#log').getByText('Grace').waitFor();
    await arm(page, 'desk', 90);
  };
  await pages.withPage(follow, {}, way.url).finally(() => way.close());
});

test('a line that says nothing is given up', () =>
  pages.open(async (page) => {
    await page.clock.install();
    await page.reload();
    await live(page);
    await page.clock.fastForward(46_000);
    await page.locator('#line[data-status=lost]').waitFor();
    await page.clock.fastForward(1_000);
    await live(page);
  }));
