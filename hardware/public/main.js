// Puts the parts together: what the server tells is drawn, what is pressed is sent.

import { drawBells, turn } from './bells.js';
import { follow } from './events.js';
import { drawHours } from './hours.js';
import { fillLog, KEPT, noteRing } from './log.js';
import { askJson, keepKey, readKey, Refusal } from './server.js';

const COUNTED_EVERY_MS = 60_000;
const COUNTED_AFTER_MS = 300;
const element = (id) => document.getElementById(id);
const keyForm = element('key');
const whoForm = element('who');

const connect = follow('events', { bells: drawState, servo: drawServo, ring: drawRing }, drawLine);

function drawState({ board, bells }) {
  drawBells(bells, send);
  const badge = element('board');
  badge.dataset.status = board.status;
  badge.textContent = `${board.kind === board.where ? board.kind : `${board.kind}, ${board.where}`}: ${board.status}`;
  complain(board.status === 'lost' ? 'The board is lost: is it unplugged? It is being looked for.' : '');
}

function drawServo({ bell, degrees }) {
  turn(bell, degrees);
}

function drawRing(ring) {
  noteRing(ring);
  if (ring.status === 'rung' || ring.status === 'failed') countSoon();
}

function drawLine(status, refusal) {
  const badge = element('line');
  badge.dataset.status = status;
  badge.textContent = { live: 'live', lost: 'no answer, trying again', refused: 'needs the key' }[status];
  if (status === 'refused') askForKey(refusal.message);
  if (status === 'live') void loadPast();
}

/** What was before the events began, or while there were none. */
async function loadPast() {
  await quietly(async () => fillLog((await askJson(`log?limit=${KEPT}`)).rings));
  await count();
}

let counting;
const countSoon = () => (counting ??= setTimeout(count, COUNTED_AFTER_MS));
setInterval(count, COUNTED_EVERY_MS);

async function count() {
  clearTimeout(counting);
  counting = undefined;
  await quietly(async () => drawHours((await askJson('statistics')).hours));
}

/** The events tell by themselves that the server is away or wants the key. */
async function quietly(body) {
  try {
    await body();
  } catch (error) {
    if (!(error instanceof Refusal) && !(error instanceof TypeError)) throw error;
  }
}

async function send(bell, action, answer) {
  const { by, why } = Object.fromEntries(new FormData(whoForm));
  answer.textContent = '';
  try {
    await askJson(`bells/${encodeURIComponent(bell)}/${action}`, {
      fields: { ...(by && { by }), ...(why && { why }) },
    });
  } catch (error) {
    const isKeyWanted = error instanceof Refusal && error.status === 401;
    if (isKeyWanted) return askForKey(readKey() === '' ? 'Ringing needs the key.' : 'This key is not the right one.');
    answer.textContent = error instanceof Refusal ? error.message : 'The server does not answer.';
    countSoon();
  }
}

function complain(text) {
  const trouble = element('trouble');
  if (trouble.textContent !== text) trouble.textContent = text;
  trouble.hidden = text === '';
}

function askForKey(reason) {
  showKey(true);
  element('key-reason').textContent = reason;
  keyForm.elements.key.focus();
}

function showKey(isShown) {
  keyForm.hidden = !isShown;
  element('ask-key').setAttribute('aria-expanded', String(isShown));
  element('key-reason').textContent = '';
}

element('ask-key').addEventListener('click', () => {
  showKey(keyForm.hidden);
  if (!keyForm.hidden) keyForm.elements.key.focus();
});
keyForm.addEventListener('submit', (event) => {
  event.preventDefault();
  keepKey(keyForm.elements.key.value.trim());
  keyForm.reset();
  showKey(false);
  void connect();
});
whoForm.addEventListener('submit', (event) => event.preventDefault());
