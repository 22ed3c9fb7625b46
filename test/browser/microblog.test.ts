import type { RequestListener, Server } from 'node:http';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { microblogApp } from '../../apps/microblog/app';
import { audit } from '../../apps/microblog/audit';
import { listen } from '../../apps/ports';
import { allHold } from '../../apps/web/findings';
import { createTestMicroblog } from '../apps/microblog/microblog-database';
import type { TestMicroblog } from '../apps/microblog/microblog-database';
import { startBrowser } from './browser';

let microblog: TestMicroblog;
let server: Server;
let base: string;
let browser: Browser;
const closing = new AbortController();
beforeAll(async () => {
  browser = await startBrowser();
  microblog = await createTestMicroblog();
  const app = microblogApp(microblog.db, closing.signal) as RequestListener;
  const served = await listen(app, { host: '127.0.0.1', preferred: 24_800 });
  server = served.server;
  base = `http://127.0.0.1:${served.port}`;
});
afterAll(async () => {
  await browser?.close();
  closing.abort();
  server?.closeAllConnections();
  if (server) await new Promise((resolve) => server.close(resolve));
  await microblog?.close();
});

const PASSWORD = 'a long password';
const failures: string[] = [];
const contexts: BrowserContext[] = [];
afterAll(() => Promise.all(contexts.map((context) => context.close())));

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
  await page.goto('/');
  return page;
}

async function register(page: Page, username: string): Promise<void> {
  await page.goto('/register');
  await page.getByLabel('Username').fill(username);
  await page.getByLabel('E-mail').fill(`${username}@example.org`);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Register' }).click();
  await page.getByText(`Welcome, @${username}.`).waitFor();
}

async function say(page: Page, content: string): Promise<void> {
  await page.goto('/');
  await page.getByLabel('What is happening?').fill(content);
  await page.getByRole('button', { name: 'Post', exact: true }).click();
  await page.getByText('Posted.').waitFor();
}

const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

test('two who register, follow, read each other live, reply, block, and go', async () => {
  const [ann, ben] = [await openWindow(), await openWindow({ viewport: { width: 390, height: 800 } })];
  await register(ann, 'ann');
  await register(ben, 'ben');

  await ben.goto('/@ann');
  await press(ben, 'Follow');
  await ben.getByText('You follow @ann.').waitFor();
  await ben.goto('/');

  // Ben's page stands open while Ann posts.
  await ben.getByRole('link', { name: /New posts/ }).waitFor({ state: 'hidden' });
  await say(ann, 'Is anybody listening?');
  await ben.getByRole('link', { name: 'New posts: 1' }).click();
  await ben.getByText('Is anybody listening?').waitFor();

  // Ann's conversation stands open while Ben replies.
  await ann.goto('/@ann');
  await ann.getByRole('link', { name: 'Reply' }).click();
  await ann.getByRole('heading', { name: 'Conversation' }).waitFor();
  await ben.getByRole('link', { name: 'Reply' }).click();
  await ben.getByLabel('Your reply').fill('I am, <b>loud</b> and clear.');
  await press(ben, 'Reply');
  await ben.getByText('Replied.').waitFor();
  await ann.getByText('I am, <b>loud</b> and clear.').waitFor();

  const conversation = ann.url();
  await ann.goto('/@ben');
  await press(ann, 'Block');
  await ann.getByText('You have blocked @ben.').waitFor();
  await ben.goto('/');
  await ben.getByText('I am, <b>loud</b> and clear.').waitFor();
  expect(await ben.getByText('Is anybody listening?').count()).toBe(0);
  await ben.goto(conversation);
  await ben.getByLabel('Your reply').fill('Still there?');
  await press(ben, 'Reply');
  await ben.getByText('Who wrote this post has blocked you.').waitFor();
  expect(await ben.getByLabel('Your reply').inputValue()).toBe('Still there?');
  await ben.goto('/@ann');
  await ben.getByText('has blocked you').waitFor();
  expect(await ben.getByRole('button', { name: 'Follow', exact: true }).count()).toBe(0);

  await ann.goto('/@ann');
  await ann.getByRole('button', { name: 'Delete this post and all replies to it' }).click();
  await ann.getByText('Deleted.').waitFor();
  await ben.goto('/@ben');
  await ben.getByText('No posts yet.').waitFor();
  await ann.goto('/settings');
  await ann.getByLabel('Your password').fill(PASSWORD);
  await press(ann, 'Delete all that is mine');
  await ann.getByText('You are gone').waitFor();
  await ben.goto('/@ann');
  await ben.getByRole('heading', { name: 'Not found' }).waitFor();

  expect(allHold(await audit(microblog.db))).toBe(true);
  expect(failures).toEqual([]);
});

test('every page fits a phone, and says where one is', async () => {
  const page = await openWindow({ viewport: { width: 360, height: 700 }, colorScheme: 'dark' });
  await register(page, 'cleo_with_long_name');
  await say(page, `A word that does not end: ${'ab'.repeat(100)}`);
  for (const path of ['/', '/everybody', '/@cleo_with_long_name', '/settings', '/drill', '/audit', '/transactions']) {
    await page.goto(path);
    const width = await page.evaluate<number>('document.documentElement.scrollWidth');
    expect([path, width]).toEqual([path, 360]);
    expect(await page.getByRole('main').getByRole('heading', { level: 1 }).count()).toBe(1);
  }
  expect(failures).toEqual([]);
});
