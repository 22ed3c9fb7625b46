import { arm, live, outcome, press, PageTests } from './page-tests';
import { DESK } from './serving';

const ATTIC = { ...DESK, id: 'attic', pin: 9, start: 120, strike: 100 };
const pages = new PageTests();

test('the page itself is open, tells nothing, and allows no script but its own', async () => {
  await pages.serve({ key: 's3cret', bells: [{ ...DESK, id: 'secret-bell' }] });
  const response = await fetch(pages.serving.url);
  expect(response.status).toBe(200);
  expect(await response.text()).not.toContain('secret-bell');
  const policy = response.headers.get('content-security-policy');
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toContain('unsafe');
});

test('it is used with the keyboard alone', () =>
  pages.open(async (page) => {
    await live(page);
    const focused = () => page.evaluate('document.activeElement.getAttribute("aria-label")');
    for (let tabs = 0; tabs < 10 && (await focused()) !== 'Ring desk'; tabs++) await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await arm(page, 'desk', 90);
    await pages.serving.clock.advance(DESK.sdelay);
    await page.getByRole('status').getByText('desk: done.').waitFor({ state: 'attached' });
  }));

test('who wants no motion sees the arm jump', () =>
  pages.open(
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
  pages.open(
    async (page) => {
      await live(page);
      await press(page, 'Key');
      await pages.post('/ring', { by: 'A'.repeat(80), why: 'because '.repeat(20) });
      await pages.serving.clock.advance(DESK.sdelay);
      await pages.post('/ring');
      pages.serving.board.become('lost');
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
