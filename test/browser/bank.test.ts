import type { Server } from 'node:http';
import type { RequestListener } from 'node:http';
import type { Browser, Page } from 'playwright-core';
import { bankApp } from '../../apps/bank/app';
import { seedIfEmpty } from '../../apps/bank/seed';
import { listen } from '../../apps/ports';
import { createTestBank } from '../apps/bank/bank-database';
import type { TestBank } from '../apps/bank/bank-database';
import { startBrowser } from './browser';

let bank: TestBank;
let server: Server;
let base: string;
let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
  bank = await createTestBank();
  await seedIfEmpty();
  const served = await listen(bankApp(bank.db) as RequestListener, { host: '127.0.0.1', preferred: 24_500 });
  server = served.server;
  base = `http://127.0.0.1:${served.port}`;
});
afterAll(async () => {
  await browser?.close();
  server?.closeAllConnections();
  if (server) await new Promise((resolve) => server.close(resolve));
  await bank?.close();
});

/** A page of its own, whose scripts must not fail. */
async function withPage(
  body: (page: Page) => Promise<void>,
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<void> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  const failures: string[] = [];
  page.on('pageerror', (error) => failures.push(error.message));
  page.on('console', (message) => {
    // The browser itself notes each answer that is a refusal.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      failures.push(message.text());
  });
  try {
    await page.goto(base);
    await body(page);
    expect(failures).toEqual([]);
  } finally {
    await context.close();
  }
}

const form = (page: Page, heading: string) =>
  page.locator('form', { has: page.getByRole('heading', { name: heading }) });
const notice = (page: Page) => page.getByRole('status').textContent();

async function openCustomerWithAccount(page: Page, name: string): Promise<void> {
  await form(page, 'New customer').getByLabel('Name').fill(name);
  await form(page, 'New customer').getByRole('button').click();
  await page.waitForURL(/notice/);
  await form(page, 'Open account').getByLabel('Customer').selectOption({ label: name });
  await form(page, 'Open account').getByRole('button').click();
  await page.getByText(/The checking account \d+ is open/).waitFor();
}

test.each([
  ['with scripts', true],
  ['without scripts', false],
])('%s: opens an account, transfers, and sees it on the statement', async (what, javaScriptEnabled) => {
  const name = `Hedy ${what} <b>`;
  await withPage(
    async (page) => {
      await openCustomerWithAccount(page, name);
      const transfer = form(page, 'Transfer');
      await transfer.getByLabel('From').selectOption({ index: 0 });
      const to = await transfer.getByLabel('To').locator('option', { hasText: name }).getAttribute('value');
      await transfer.getByLabel('To').selectOption(to);
      await transfer.getByLabel('Amount').fill('12.34');
      await transfer.getByLabel('Memo').fill('for <i>tea</i>');
      await transfer.getByRole('button').click();
      await page.waitForURL(/12\.34/);
      expect(await notice(page)).toMatch(/^12\.34 EUR paid from \d+ to \d+\.$/);
      await page.locator(`a[data-account="${to}"]`).click();
      await page.getByRole('heading', { name }).waitFor();
      expect(await page.locator('[data-fact=balance]').textContent()).toBe('12.34');
      expect(await page.getByText('for <i>tea</i>').count()).toBe(1);
    },
    { javaScriptEnabled },
  );
});

test('a refusal stands beside the form, with what was in it', () =>
  withPage(async (page) => {
    const transfer = form(page, 'Transfer');
    await transfer.getByLabel('Amount').fill('999999');
    await transfer.getByRole('button').click();
    await page.locator('[data-code=E_INSUFFICIENT_FUNDS]').waitFor();
    expect(await transfer.getByRole('alert').textContent()).toContain('insufficient funds');
    expect(await transfer.getByLabel('Amount').inputValue()).toBe('999999');
  }));

async function seeVerdict(page: Page): Promise<void> {
  await page.locator('.side.unsafe[data-done=yes]').waitFor();
  await page.locator('.side.declared[data-done=yes]').waitFor();
  const fact = (side: string, name: string) => page.locator(`.side.${side} [data-fact=${name}]`).textContent();
  expect(await fact('declared', 'paid-out')).toBe('1,000.00');
  expect([await fact('declared', 'paid'), await fact('declared', 'refused')]).toEqual(['100', '100']);
  expect([await fact('declared', 'errors'), await fact('declared', 'lost')]).toEqual(['0', '0.00 EUR']);
  expect(await fact('declared', 'verdict')).toBe('Books balance');
  expect(Number(await fact('unsafe', 'paid'))).toBeGreaterThan(100);
  expect(await fact('unsafe', 'verdict')).toBe('Books do not balance');
}

test('the attack is seen live, to its verdict', () =>
  withPage(async (page) => {
    // Gone if another page were loaded in the meantime.
    await page.evaluate('globalThis.isStillHere = true');
    await page.getByRole('combobox', { name: 'Transfers' }).selectOption('200');
    await page.getByRole('button', { name: 'Attack' }).click();
    await seeVerdict(page);
    expect(await page.evaluate('globalThis.isStillHere')).toBe(true);
    expect(await page.getByRole('button', { name: 'Attack' }).isEnabled()).toBe(true);
    await page.reload();
    await seeVerdict(page);
  }));

test('without scripts, the page asks for itself again until the verdict is there', () =>
  withPage(
    async (page) => {
      await page.getByRole('combobox', { name: 'Transfers' }).selectOption('200');
      await page.getByRole('button', { name: 'Attack' }).click();
      await seeVerdict(page);
    },
    { javaScriptEnabled: false },
  ));

test.each([
  ['a telephone', 390],
  ['a desktop', 1280],
])('on %s nothing sticks out of the page', (_what, width) =>
  withPage(
    async (page) => {
      const overflow = () =>
        page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
      expect(await overflow()).toBe(0);
      await page.locator('a[data-account]').first().click();
      await page.locator('[data-fact=balance]').waitFor();
      expect(await overflow()).toBe(0);
    },
    { viewport: { width, height: 800 } },
  ),
);
