import { FakeBoard } from './fake-board';
import { ManualClock } from './manual-clock';
import { arm, live, outcome, press, PageTests } from './page-tests';
import { DESK } from './serving';

const ATTIC = { ...DESK, id: 'attic', pin: 9, start: 120, strike: 100 };
const pages = new PageTests();

test('a ring that is posted moves the arm onto the bell and back', () =>
  pages.open(async (page) => {
    await arm(page, 'desk', 75);
    expect((await pages.post('/ring')).status).toBe(202);
    await arm(page, 'desk', 90);
    await page.getByRole('img', { name: 'Arm of desk: 90 degrees, on the bell' }).waitFor();
    await page.locator('[data-bell=desk][data-state=striking]').waitFor();
    await pages.serving.clock.advance(DESK.sdelay);
    await arm(page, 'desk', 75);
    await page.locator('[data-bell=desk][data-state=at-rest]').waitFor();
  }));

test('the arm is drawn above the bell at rest and on it at the strike, whichever angle is the greater', () =>
  pages.open(
    async (page) => {
      const lift = (bell: string) => page.locator(`[data-bell=${bell}] [data-slot=arm]`).getAttribute('style');
      await arm(page, 'desk', 75);
      await arm(page, 'attic', 120);
      expect([await lift('desk'), await lift('attic')]).toEqual([
        'transform: rotate(15deg);',
        'transform: rotate(20deg);',
      ]);
      await pages.post('/bells/attic/ring');
      await arm(page, 'attic', 100);
      expect(await lift('attic')).toBe('transform: rotate(0deg);');
    },
    { bells: [DESK, ATTIC] },
  ));

test('buttons ring and sweep the bell that they stand below, and the log tells who and why', () =>
  pages.open(
    async (page) => {
      await page.getByLabel('Who rings').fill('Ada <b>');
      await page.getByLabel('Why').fill('sale of <i>tea</i>');
      await press(page, 'Ring desk');
      await arm(page, 'desk', 90);
      await pages.serving.clock.advance(DESK.sdelay);
      await press(page, 'Sweep attic');
      await outcome(page, 'striking').waitFor();
      expect(pages.serving.board.commands.at(-1)).toMatchObject({ pin: 9 });
      await pages.serving.clock.advance(60_000);
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
  pages.open(
    async (page) => {
      await live(page);
      for (let n = 0; n < 3; n++) expect((await pages.post('/ring')).status).toBe(202);
      await page.locator('[data-slot=queue]').getByText('2 of 2 waiting').waitFor();
      await page.getByRole('meter', { name: 'Queue of desk' }).waitFor();
      await press(page, 'Ring desk');
      await page.getByRole('alert').getByText('2 rings are waiting').waitFor();
      await page.locator('#hours .refused').waitFor();
      await pages.serving.clock.advance(10_000);
      await page.locator('[data-slot=queue]').getByText('Nobody waits').waitFor();
    },
    { bells: [{ ...DESK, queue: 2 }] },
  ));

test('bars and totals count what became of the rings', () =>
  pages.open(
    async (page) => {
      await live(page);
      await pages.post('/ring');
      await pages.serving.clock.advance(DESK.pdelay);
      await pages.post('/ring');
      await pages.serving.clock.advance(DESK.sdelay / 2);
      pages.serving.board.become('lost');
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
  pages.open(async (page) => {
    await page.locator('#board[data-status=ready]').waitFor();
    pages.serving.board.become('lost');
    await page.getByRole('alert').getByText('The board is lost').waitFor();
    expect(await page.locator('#board').textContent()).toBe('simulated, in the test: lost');
    pages.serving.board.become('ready');
    await page.locator('#board[data-status=ready]').waitFor();
    expect(await page.getByText('The board is lost').count()).toBe(0);
  }));

test('in the dark the bell is shown as muted', () => {
  const clock = new ManualClock();
  const board = new FakeBoard(clock);
  board.level = 500;
  return pages.open(
    async (page) => {
      await page.locator('[data-state=at-rest]').waitFor();
      board.level = 10;
      await clock.advance(2_000);
      await page.getByText('muted: it is dark').waitFor();
    },
    { board, clock, sensor: { pin: 0, darkBelow: 100 } },
  );
});
