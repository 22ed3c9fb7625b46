// Pages work without this. With it, parts of them are asked for again when the server tells that they have changed:
//   <section data-live="item:5" data-src="/items/5/bids">      topics, and where the part comes from
//   <section data-stream="/feed/events" data-src="/feed/top">  a stream of its own
//   <a data-live="…" data-live-count="{n} new posts" hidden>   says how often it was told, instead
'use strict';

const PAUSE_MS = 250; // how much is told in this time costs one question
const from = document.body.dataset.liveFrom ?? '';
const parts = [...document.querySelectorAll('[data-live], [data-stream]')];

/** Parts by the stream that tells them. */
const streams = new Map();
const add = (url, part) => streams.set(url, [...(streams.get(url) ?? []), part]);
const topics = new Set();
for (const part of parts) {
  if (part.dataset.stream) add(part.dataset.stream, part);
  else for (const topic of part.dataset.live.split(' ').filter(Boolean)) topics.add(topic);
}
const told = parts.filter((part) => !part.dataset.stream);
if (told.length > 0) {
  const query = new URLSearchParams([...topics].sort().map((topic) => ['topic', topic]));
  for (const part of told) add(`/live?${query}`, part);
}

for (const [url, of] of streams) follow(url, of);

/** Only while the page is seen: a browser opens six connections to a server, for all its tabs together. */
function follow(url, of) {
  let last = from;
  let events;
  const open = () => {
    if (events) return;
    events = new EventSource(`${url}${url.includes('?') ? '&' : '?'}last=${encodeURIComponent(last)}`);
    const hear = (event, isConcerned) => {
      last = event.lastEventId;
      of.filter(isConcerned).forEach(change);
    };
    events.addEventListener('ready', (event) => (last = event.lastEventId));
    events.addEventListener('gap', (event) => hear(event, (part) => part.dataset.src));
    events.addEventListener('told', (event) => {
      const { topic } = JSON.parse(event.data);
      hear(event, (part) => part.dataset.stream || part.dataset.live.split(' ').includes(topic));
    });
  };
  const close = () => {
    events?.close();
    events = undefined;
  };
  document.addEventListener('visibilitychange', () => (document.hidden ? close() : open()));
  window.addEventListener('pagehide', close);
  window.addEventListener('pageshow', open);
  open();
}

function change(part) {
  if (part.dataset.liveCount) return count(part);
  if (!part.dataset.src || part.isWaiting) return;
  part.isWaiting = true;
  setTimeout(() => {
    part.isWaiting = false;
    void refresh(part);
  }, PAUSE_MS);
}

function count(part) {
  const times = Number(part.dataset.times ?? 0) + 1;
  part.dataset.times = String(times);
  part.textContent = part.dataset.liveCount.replace('{n}', String(times));
  part.hidden = false;
}

async function refresh(part) {
  try {
    const response = await fetch(part.dataset.src, { headers: { Accept: 'text/html' } });
    if (!response.ok) return;
    const markup = await response.text();
    if (part.contains(document.activeElement) && document.activeElement.matches('input, textarea, select')) return;
    // The server has escaped what is in it: it is the same markup that the page itself is made of.
    part.innerHTML = markup;
    part.dispatchEvent(new CustomEvent('refreshed', { bubbles: true }));
  } catch (error) {
    console.warn('The server does not answer; the next event asks again.', error);
  }
}

// Moments in the visitor's own time zone and language.
function localize(root) {
  for (const time of root.querySelectorAll('time[datetime]')) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime()))
      time.textContent = at.toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
  }
}
localize(document);
document.addEventListener('refreshed', (event) => localize(event.target));

// A form is sent once, and a refused one is led to.
for (const form of document.querySelectorAll('form[method=post]')) {
  form.addEventListener('submit', () => {
    // After the browser has read the pressed button into the form.
    setTimeout(() => form.querySelectorAll('button').forEach((button) => (button.disabled = true)));
  });
}
window.addEventListener('pageshow', (event) => {
  if (event.persisted) document.querySelectorAll('form button').forEach((button) => (button.disabled = false));
});
const wrong = document.querySelector('[aria-invalid=true]') ?? document.querySelector('form .problem');
wrong?.scrollIntoView({ block: 'center' });
if (wrong?.matches('input, textarea, select')) wrong.focus();
