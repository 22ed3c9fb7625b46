import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { BellService } from '../../hardware/bell/bell-service';
import { systemClock } from '../../hardware/bell/clock';
import { SimulatedArduino } from '../../hardware/boards/simulated-arduino';
import { simulatedBoard } from '../../hardware/boards/simulated-board';
import { bellBotApp } from '../../hardware/server/app';
import { MemoryStore } from '../../hardware/store/memory-store';
import { startBrowser } from '../browser/browser';
import { DESK } from './serving';

/** The whole chain on the real clock: page, server, johnny-five, Firmata's bytes, a simulated Arduino. */
async function withBell(
  sdelay: number,
  body: (page: Page, arduino: SimulatedArduino, url: string) => Promise<void>,
): Promise<void> {
  const arduino = new SimulatedArduino();
  const board = simulatedBoard(arduino, { retryEveryMs: 20 });
  const store = new MemoryStore({ remember: 1000 });
  const bells = [{ ...DESK, sdelay, pdelay: sdelay }];
  const service = new BellService({ board, bells, store, clock: systemClock, whenLost: 'wait', waitLimitMs: 60_000 });
  const app = bellBotApp({ service, onBug: (error) => expect(error).toBeUndefined() });
  const server = createServer(app.handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const browser = await startBrowser();
  try {
    await board.open();
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const page = await browser.newPage();
    await page.goto(url);
    await page.locator('#board[data-status=ready]').waitFor();
    await body(page, arduino, url);
  } finally {
    await browser.close();
    await service.stop();
    app.close();
    server.closeAllConnections();
    server.close();
    await board.close();
  }
}

test('every angle of a strike is drawn, in its order, when somebody rings', () =>
  withBell(1000, async (page, _arduino, url) => {
    await page.evaluate(`{
      globalThis.angles = [];
      const motion = document.querySelector('.motion');
      const note = () => angles.at(-1) === motion.dataset.degrees || angles.push(motion.dataset.degrees);
      new MutationObserver(note).observe(motion, { attributeFilter: ['data-degrees'] });
    }`);
    const response = await fetch(`${url}/ring`, { method: 'POST', headers: { Prefer: 'wait=10' } });
    expect(response.status).toBe(200);
    await page.locator('#log [data-status=rung]').waitFor();
    expect(await page.evaluate('angles')).toEqual(['90', '75']);
  }));

test('a board that is unplugged while the arm is on the bell is told; its ring has failed, the next waits for the board', () =>
  withBell(2000, async (page, arduino) => {
    await page.getByRole('button', { name: 'Ring desk' }).click();
    await page.locator('svg[data-degrees="90"]').waitFor();
    arduino.unplug();
    await page.getByRole('alert').getByText('The board is lost').waitFor();
    await page.locator('#log [data-status=failed]').waitFor();
    await page.getByRole('button', { name: 'Ring desk' }).click();
    await page.locator('[data-slot=queue]').getByText('1 of 10 waiting').waitFor();
    arduino.plugIn();
    await page.locator('#log [data-status=rung]').waitFor();
    await page.locator('#board[data-status=ready]').waitFor();
    expect(await page.locator('#log [data-status]').allTextContents()).toEqual(['rung', 'failed']);
  }));
