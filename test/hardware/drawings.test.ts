import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { startBrowser } from '../browser/browser';

const FOLDER = join(__dirname, '../../docs/bellbot');
const drawings = readdirSync(FOLDER).filter((name) => name.endsWith('.svg'));

let browser: Browser;
let page: Page;
beforeAll(async () => {
  browser = await startBrowser();
  page = await browser.newPage();
});
afterAll(() => browser?.close());

async function inDrawing<T>(name: string, script: string): Promise<T> {
  await page.goto(`file://${join(FOLDER, name)}`);
  return page.evaluate<T>(script);
}

/** Each wire says what it joins; its ends must be there. */
const WIRES = `[...document.querySelectorAll('[data-from]')].map((wire) => {
  const isAt = (id, { x, y }) => {
    const box = document.getElementById(id).getBBox();
    return Math.hypot(box.x + box.width / 2 - x, box.y + box.height / 2 - y) < 1;
  };
  const { from, to } = wire.dataset;
  const isJoined = isAt(from, wire.getPointAtLength(0)) && isAt(to, wire.getPointAtLength(wire.getTotalLength()));
  return [from, to, isJoined ? 'joined' : 'open'].join(' ');
})`;

test.each(drawings)('in %s every wire ends at what it joins', async (name) => {
  const wires = await inDrawing<string[]>(name, WIRES);
  expect(wires.filter((wire) => !wire.endsWith(' joined'))).toEqual([]);
  expect(wires.length).toBeGreaterThan(4);
});

const USB = ['uno-5V', 'uno-GND'];
const SUPPLY = ['supply-plus', 'supply-minus', 'uno-GND'];
test.each([
  ['breadboard-usb.svg', 'uno-8', USB, []],
  ['breadboard-supply.svg', 'uno-8', SUPPLY, ['uno-5V']],
  ['schematic-usb.svg', 'uno-8', USB, []],
  ['schematic-supply.svg', 'uno-8', SUPPLY, ['uno-5V']],
  ['schematic-raspberry-pi.svg', 'pi-signal', ['supply-plus', 'supply-minus', 'pi-GND'], ['pi-5V']],
])('in %s the wires lead from the signal at %s and from %j', async (name, signal, power, free) => {
  const ends = (await inDrawing<string[]>(name, WIRES)).flatMap((wire) => wire.split(' ').slice(0, 2));
  expect(ends).toEqual(expect.arrayContaining([signal, ...power, 'capacitor-plus', 'capacitor-minus']));
  expect(ends.filter((end) => free.includes(end))).toEqual([]);
});

/** Under each of the three holes of the servo's plug, in the same column, is the hole of the wire for it. */
test.each(['breadboard-usb.svg', 'breadboard-supply.svg'])(
  'in %s the plug of the servo meets its wires',
  async (name) => {
    const columns = await inDrawing<number[]>(
      name,
      `['servo-signal', 'hole-signal', 'servo-plus', 'hole-plus', 'servo-minus', 'hole-minus'].map((id) => {
      const box = document.getElementById(id).getBBox();
      return box.x + box.width / 2;
    })`,
    );
    const [signal, plus, minus] = [columns[0]!, columns[2]!, columns[4]!];
    expect(columns).toEqual([signal, signal, plus, plus, minus, minus]);
  },
);

/** Texts that touch another, a wire or an outline, or the edge of the drawing. */
const CLASHES = `(() => {
  const { width, height } = document.documentElement.viewBox.baseVal;
  document.documentElement.setAttribute('width', width);
  document.documentElement.setAttribute('height', height);
  const texts = [...document.querySelectorAll('text')].map((text) => [text.textContent, text.getBoundingClientRect()]);
  const points = [...document.querySelectorAll('.wire, .part, .thin')].flatMap((line) => {
    const count = Math.ceil(line.getTotalLength() / 3);
    const place = line.getScreenCTM();
    return Array.from({ length: count + 1 }, (_, n) =>
      line.getPointAtLength((n * line.getTotalLength()) / count).matrixTransform(place));
  });
  const holds = (box, { x, y }) => x > box.left && x < box.right && y > box.top + 3 && y < box.bottom - 3;
  const meets = (a, b) =>
    a.left < b.right && b.left < a.right && a.top + 3 < b.bottom - 3 && b.top + 3 < a.bottom - 3;
  const isInside = (box) => box.left >= 4 && box.right <= width - 4 && box.top >= 0 && box.bottom <= height;
  return texts.filter(([, box], index) =>
    !isInside(box) ||
    points.some((point) => holds(box, point)) ||
    texts.some(([, other], at) => at !== index && meets(box, other))
  ).map(([text]) => text);
})()`;

test.each(drawings)('in %s each text is read by itself', async (name) => {
  expect(await inDrawing<string[]>(name, CLASHES)).toEqual([]);
});

test.each(drawings)('%s says in words what it shows', async (name) => {
  const words = await inDrawing<string[]>(
    name,
    `document.documentElement.getAttribute('aria-labelledby').split(' ').map((id) => document.getElementById(id).textContent)`,
  );
  expect(words.every((text) => text.length > 10)).toBe(true);
});
