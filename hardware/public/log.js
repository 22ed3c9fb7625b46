// The log: the latest rings, newest first, each with who, why, and what became of it.

import { fromTemplate } from './template.js';

/** How many rings are shown. More than wait, as a rule. */
export const KEPT = 150;
const DRAWN_EVERY_MS = 50;
const body = document.getElementById('log');
const news = document.getElementById('news');
const rings = new Map();
const rows = new Map();
let timer;

/** Takes over all that the server knows, such as after the line was lost. */
export function fillLog(list) {
  rings.clear();
  for (const ring of [...list].reverse()) rings.set(ring.id, ring);
  draw();
}

/** One ring as it is now. Many in one moment are drawn together. */
export function noteRing(ring) {
  rings.set(ring.id, ring);
  if (ring.status === 'rung') news.textContent = `${what(ring)}: done${ring.by ? `, for ${ring.by}` : ''}.`;
  if (ring.status === 'failed') news.textContent = `${what(ring)}: failed. ${ring.error ?? ''}`;
  timer ??= setTimeout(draw, DRAWN_EVERY_MS);
}

function draw() {
  clearTimeout(timer);
  timer = undefined;
  const latest = [...rings.values()].reverse().sort(newestFirst);
  for (const { id } of latest.splice(KEPT)) rings.delete(id);
  for (const [id, row] of rows) {
    if (rings.has(id)) continue;
    row.element.remove();
    rows.delete(id);
  }
  latest.forEach((ring, index) => {
    const row = rowOf(ring);
    if (body.children[index] !== row.element) body.insertBefore(row.element, body.children[index] ?? null);
    fill(row, ring);
  });
  document.getElementById('no-rings').hidden = latest.length > 0;
}

/** Of the same moment, the one that was heard of later stays the later one. */
const newestFirst = (a, b) => Date.parse(b.queuedAt) - Date.parse(a.queuedAt);

function rowOf({ id }) {
  const row = rows.get(id) ?? fromTemplate('entry');
  row.element.dataset.ring = id;
  rows.set(id, row);
  return row;
}

function fill({ slots }, ring) {
  const at = new Date(ring.queuedAt);
  slots.when.dateTime = ring.queuedAt;
  const isToday = at.toDateString() === new Date().toDateString();
  slots.when.textContent = `${isToday ? '' : `${at.toLocaleDateString()} `}${at.toLocaleTimeString()}`;
  slots.what.textContent = what(ring);
  slots.by.textContent = ring.by ?? '';
  slots.why.textContent = ring.why ?? '';
  slots.status.textContent = ring.status;
  slots.status.dataset.status = ring.status;
  slots.error.textContent = ring.error ?? '';
}

const what = ({ kind, bell }) => (kind === 'sweep' ? `${bell}, sweep` : bell);
