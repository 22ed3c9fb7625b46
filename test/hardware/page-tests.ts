import type { Browser, Page } from 'playwright-core';
import type { Ring } from '../../hardware/bell/ring';
import { startBrowser } from '../browser/browser';
import { serve } from './serving';
import type { Serving, ServingOptions } from './serving';

type ContextOptions = Parameters<Browser['newContext']>[0];

/** A browser for a file of tests, and a server for each test, that its pages are of. */
export class PageTests {
  #browser: Browser | undefined;
  #serving: Serving | undefined;

  constructor() {
    beforeAll(async () => {
      this.#browser = await startBrowser();
    });
    afterEach(() => this.#serving?.close());
    afterAll(() => this.#browser?.close());
  }

  get serving(): Serving {
    return this.#serving!; // in a test that serves
  }

  async serve(options?: ServingOptions): Promise<Serving> {
    return (this.#serving = await serve(options));
  }

  async open(body: (page: Page) => Promise<void>, options?: ServingOptions, how?: ContextOptions): Promise<void> {
    await this.serve(options);
    await this.withPage(body, how);
  }

  /** A page of its own, which must run without a mistake and without asking anybody but its server. */
  async withPage(body: (page: Page) => Promise<void>, how: ContextOptions = {}, url = this.serving.url): Promise<void> {
    const context = await this.#browser!.newContext(how); // started before all tests
    context.setDefaultTimeout(15_000);
    const page = await context.newPage();
    const failures = mistakesOf(page, url);
    try {
      await page.goto(url);
      await body(page);
      expect(failures).toEqual([]);
    } finally {
      await context.close();
    }
  }

  post(path: string, fields: object = {}): Promise<Response> {
    return fetch(this.serving.url + path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(fields),
    });
  }
}

function mistakesOf(page: Page, url: string): readonly string[] {
  const mistakes: string[] = [];
  page.on('pageerror', (error) => mistakes.push(error.message));
  page.on('console', (message) => {
    // The browser itself notes each answer that is a refusal, and each that does not come.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      mistakes.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(`${url}/`)) mistakes.push(`asks ${request.url()}`);
  });
  return mistakes;
}

export const live = (page: Page) => page.locator('#line[data-status=live]').waitFor();
export const arm = (page: Page, bell: string, degrees: number) =>
  page.locator(`[data-bell=${bell}] svg[data-degrees="${degrees}"]`).waitFor();
export const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();
export const outcome = (page: Page, status: Ring['status']) => page.locator(`#log [data-status=${status}]`);
