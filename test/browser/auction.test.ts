import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { RequestListener, Server } from 'node:http';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { auctionApp } from '../../apps/auction/app';
import { nameCategoriesAndRegions } from '../../apps/auction/seed-words';
import { listen } from '../../apps/ports';
import { Item } from '../../models/auction/item';
import { broken, createTestAuction, endNow } from '../apps/auction/auction-database';
import type { TestAuction } from '../apps/auction/auction-database';
import { bellBot } from '../apps/auction/bells';
import { hurry } from '../database/jobs/support';
import { startProcess } from '../database/races/typescript-process';
import { startBrowser } from './browser';

let auction: TestAuction;
let server: Server;
let base: string;
let browser: Browser;
let worker: ChildProcess;
const bell = bellBot();
const closing = new AbortController();
const contexts: BrowserContext[] = [];
const failures: string[] = [];

beforeAll(async () => {
  [browser, auction] = [await startBrowser(), await createTestAuction()];
  await nameCategoriesAndRegions();
  const app = auctionApp(auction.db, closing.signal) as RequestListener;
  const served = await listen(app, { host: '127.0.0.1', preferred: 24_900 });
  server = served.server;
  base = `http://127.0.0.1:${served.port}`;
  const script = join(__dirname, '../apps/auction/worker-process.ts');
  worker = startProcess(script, [auction.database.url, 'worker', await bell.start()]);
  await once(worker, 'message');
});
afterAll(async () => {
  await Promise.all(contexts.map((context) => context.close()));
  await browser?.close();
  if (worker) {
    worker.send('stop');
    await once(worker, 'exit');
  }
  await bell.stop();
  bell.remove();
  closing.abort();
  server?.closeAllConnections();
  if (server) await new Promise((resolve) => server.close(resolve));
  await auction?.close();
});

/** A window of a visitor's own, whose scripts must not fail. */
async function openWindow(options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
  const context = await browser.newContext({ baseURL: base, ...options });
  contexts.push(context);
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  page.on('pageerror', (error) => failures.push(error.message));
  page.on('console', (message) => {
    // The browser itself notes each answer that is a refusal.
    const isRefusal = message.text().startsWith('Failed to load resource');
    if (message.type() === 'error' && !isRefusal) failures.push(message.text());
  });
  return page;
}

const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

async function register(page: Page, nickname: string): Promise<void> {
  await page.goto('/register');
  await page.getByLabel('Nickname').fill(nickname);
  await page.getByLabel('E-mail').fill(`${nickname}@example.org`);
  await page.getByLabel('Region').selectOption('The Coast');
  await page.getByLabel('Password').fill('a long password');
  await press(page, 'Register');
  await page.getByText('Welcome.').waitFor();
  await page.getByLabel('Amount in EUR').fill('500');
  await press(page, 'Add');
  await page.getByText('500.00 EUR added.').waitFor();
}

async function bid(page: Page, amount: string): Promise<void> {
  await page.getByLabel('Amount in EUR').fill(amount);
  await press(page, 'Bid');
}

const highest = (page: Page, amount: string) => page.locator('.highest', { hasText: `${amount} EUR` }).waitFor();

test('two who bid against one another see it live, up to the sale and the bell', async () => {
  const [seller, ann] = [await openWindow(), await openWindow()];
  const ben = await openWindow({ viewport: { width: 390, height: 800 }, colorScheme: 'dark' });
  for (const [page, name] of [[seller, 'sam'] as const, [ann, 'ann'] as const, [ben, 'ben'] as const]) {
    await register(page, name);
  }
  await seller.goto('/sell');
  await seller.getByLabel('What it is').fill('A small bell');
  await seller.getByLabel('Start price in EUR').fill('10');
  await seller.getByLabel('Increment in EUR').fill('0.50');
  await press(seller, 'Offer it');
  await seller.getByText('It is on offer.').waitFor();

  await ann.goto('/');
  await ann.getByRole('link', { name: 'A small bell' }).click();
  await ben.goto(new URL(ann.url()).pathname);
  await bid(ben, '10');
  await ben.getByText('Your bid is the highest.').waitFor();
  await highest(ann, '10.00'); // nobody has loaded this page again
  await bid(ann, '10.20');
  await ann.getByText('must be higher than the highest bid by the increment').first().waitFor();
  await bid(ann, '10.50');
  await highest(ben, '10.50');
  await ben.getByText('Your bid is the highest.').waitFor({ state: 'detached' });

  const item = (await Item.first())!;
  await endNow(auction, item);
  await hurry(auction.database);
  for (const page of [ann, ben, seller]) {
    await page.locator('.status', { hasText: 'closed' }).waitFor();
    await page.locator('.ring[data-ring=rung]').waitFor();
  }
  expect(await bell.rings()).toMatchObject([{ status: 'rung' }]);
  await ann.goto('/me');
  await ann.getByText('Yours: A small bell').waitFor();
  expect(await ann.locator('.available').textContent()).toBe('489.50 EUR');
  const widest = await ben.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
  expect(widest).toBe(0); // a phone need not scroll sideways
  expect(failures).toEqual([]);
  expect(await broken(auction)).toEqual([]);
});
