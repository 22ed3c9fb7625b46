import { randomUUID } from 'node:crypto';
import type { Request, Response } from 'express';
import { BellwetherError, currentTransaction, notify } from 'bellwether';
import type { Database, Listening } from 'bellwether';
import { logFailure } from './problem';

const CHANNEL = 'live';
const KEPT_EVENTS = 256;
const MOST_STREAMS = 1_000;
/** What a browser has not taken yet; one that is so far behind is sent away, and comes again. */
const MOST_BEHIND_BYTES = 64 * 1024;
const HEARTBEAT_MS = 15_000;
const RECONNECT_MS = 2_000;

/** Something has changed: for pages that show it, a reason to ask again. */
export interface LiveEvent {
  /** Of this event alone; all processes hear events in the same order. */
  readonly id: string;
  /** What it is about, such as `item:5`. */
  readonly topic: string;
  readonly data: Readonly<Record<string, unknown>>;
}
export type EventFilter = (event: LiveEvent) => boolean;

/**
 * Tells the pages of all processes. In a transaction it is told after the commit, if there is one; so it holds nobody up
 * (NOTIFY lines up the commits of those that notify in them), and a process that dies in between tells nothing.
 */
export async function publish(topic: string, data: Readonly<Record<string, unknown>> = {}): Promise<void> {
  const tell = () => notify(CHANNEL, { id: randomUUID(), topic, data });
  const transaction = currentTransaction();
  if (!transaction) return tell();
  transaction.afterCommit(async () => {
    await tell().catch(logFailure); // what was committed stays; a page is shown late
  });
}

/** Too many browsers hold a stream open here. */
export class TooManyStreamsError extends BellwetherError {
  override readonly code = 'E_TOO_MANY_STREAMS';
  override readonly recovery = 'try-later';
}

interface Subscriber {
  readonly response: Response;
  readonly filter: EventFilter;
}

/**
 * Hears what is published, in whichever process, and hands it to browsers as server-sent events. One that comes again,
 * with the id of the last event it saw, gets those since; if they are not known any more, `gap`, and asks for everything.
 *
 * @see HTML Living Standard, section 9.2, "Server-sent events"
 */
export class LiveHub {
  /** The first is where this process began to listen; it is nobody's. */
  readonly #events: LiveEvent[] = [];
  readonly #subscribers = new Set<Subscriber>();
  readonly #listening: Promise<Listening>;
  #isOver = false;

  constructor(db: Database, closing: AbortSignal) {
    this.#beginAnew();
    const listening = (this.#listening = db.listen(CHANNEL, (payload) => this.#hear(payload), {
      onGap: () => this.#beginAnew(),
    }));
    listening.then(() => this.#beginAnew()).catch(logFailure); // before, something may have been missed
    const heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS).unref();
    const close = () => {
      this.#isOver = true;
      clearInterval(heartbeat);
      for (const { response } of this.#subscribers) response.end();
      listening.then((those) => those.stop()).catch(logFailure);
    };
    if (closing.aborted) close();
    else closing.addEventListener('abort', close, { once: true });
  }

  /** The last event that was heard here: a page that is made now shows what it told. */
  get latest(): string {
    return this.#events.at(-1)!.id; // the first is always there
  }

  /** Settles when everything that is published from then on will be heard. */
  get ready(): Promise<unknown> {
    return this.#listening;
  }

  /** Whether anybody would hear of it here. */
  hears(topic: string): boolean {
    const event: LiveEvent = { id: '', topic, data: {} };
    return [...this.#subscribers].some(({ filter }) => filter(event));
  }

  /** Tells the pages that are followed in this process, now; one that comes again is not told of it. */
  publishHere(topic: string): void {
    for (const subscriber of this.#subscribers) send(subscriber, { id: '', topic, data: {} });
  }

  /** Answers with a stream that lasts until the browser leaves. @throws TooManyStreamsError */
  stream(request: Request, response: Response, filter: EventFilter): void {
    if (this.#subscribers.size >= MOST_STREAMS) {
      throw new TooManyStreamsError({ what: 'Too many pages are followed live.', remedy: 'Try again later.' });
    }
    response.set({ 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' }).type('text/event-stream').flushHeaders();
    if (this.#isOver) return void response.end();
    const { last: fromPage } = request.query;
    const last = request.get('last-event-id') ?? (typeof fromPage === 'string' ? fromPage : '');
    const subscriber = { response, filter };
    this.#subscribers.add(subscriber);
    response.on('close', () => this.#subscribers.delete(subscriber));
    response.write(`retry: ${RECONNECT_MS}\n`);
    const at = this.#events.findIndex(({ id }) => id === last);
    if (at < 0) return void response.write(frameOf('gap', this.latest, {}));
    response.write(frameOf('ready', last, {}));
    for (const event of this.#events.slice(at + 1)) send(subscriber, event);
  }

  #hear(payload: unknown): void {
    const { id, topic, data } = (payload ?? {}) as Partial<LiveEvent>;
    if (typeof id !== 'string' || typeof topic !== 'string') return; // somebody else's, on the same channel
    this.#deliver({ id, topic, data: data ?? {} });
  }

  #deliver(event: LiveEvent): void {
    this.#events.push(event);
    if (this.#events.length > KEPT_EVENTS) this.#events.shift();
    for (const subscriber of this.#subscribers) send(subscriber, event);
  }

  /** What was told meanwhile, nobody here knows. */
  #beginAnew(): void {
    this.#events.splice(0, Infinity, { id: randomUUID(), topic: '', data: {} });
    for (const { response } of this.#subscribers) response.write(frameOf('gap', this.latest, {}));
  }

  #beat(): void {
    for (const { response } of this.#subscribers) response.write(': still here\n\n');
  }
}

function send({ response, filter }: Subscriber, event: LiveEvent): void {
  if (event.topic === '' || !filter(event)) return;
  if (response.writableLength > MOST_BEHIND_BYTES) response.destroy();
  else response.write(frameOf('told', event.id, { topic: event.topic, data: event.data }));
}

const frameOf = (name: string, id: string, data: object): string =>
  `event: ${name}\n${id === '' ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;

/** The filter for the topics that an address names. */
export function topicFilter(topics: ReadonlySet<string>): EventFilter {
  return ({ topic }) => topics.has(topic);
}
