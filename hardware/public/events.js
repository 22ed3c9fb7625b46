// Server-sent events over fetch: EventSource cannot send a key in a header.

import { ask, Refusal } from './server.js';

const SILENCE_MS = 45_000; // the server says something every 15 s
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;

/**
 * Follows `path` for as long as the page is open, and connects anew when the line is lost or silent.
 *
 * @param on what to do with the data of each event, by its name
 * @param onLine told `live`, `lost`, or `refused` with the refusal
 * @returns a function that connects at once, such as with another key
 */
export function follow(path, on, onLine) {
  let connection = new AbortController();
  let pauseMs = FIRST_PAUSE_MS;
  let timer;

  async function connect() {
    clearTimeout(timer);
    connection.abort();
    const mine = (connection = new AbortController());
    try {
      const response = await ask(path, { signal: mine.signal, accept: 'text/event-stream' });
      pauseMs = FIRST_PAUSE_MS;
      onLine('live');
      await read(response.body, mine, on);
    } catch (error) {
      if (connection !== mine) return; // another has taken its place
      if (error instanceof Refusal && error.status === 401) return onLine('refused', error);
    }
    if (connection !== mine) return;
    onLine('lost');
    timer = setTimeout(connect, pauseMs * (0.75 + Math.random() / 2)); // so that a hundred pages don't come at once
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
  void connect();
  return connect;
}

/** Resolves when the stream ends; rejects when it breaks or is silent. */
async function read(stream, connection, on) {
  let watch;
  const stillThere = () => {
    clearTimeout(watch);
    watch = setTimeout(() => connection.abort(), SILENCE_MS);
  };
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (stillThere(); ; stillThere()) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (rest + value).replaceAll('\r\n', '\n').split('\n\n');
      rest = blocks.pop();
      for (const block of blocks) dispatch(block, on);
    }
  } finally {
    clearTimeout(watch);
  }
}

function dispatch(block, on) {
  let name = 'message';
  const data = [];
  for (const line of block.split('\n')) {
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (field === 'event') name = value;
    if (field === 'data') data.push(value);
  }
  if (data.length > 0) on[name]?.(JSON.parse(data.join('\n')));
}
