import type { TestDatabase } from 'bellwether/testing';
import { publish } from '../../../apps/web/live';
import { Browser } from './browser';
import { createNotesDatabase, Person, serveNotes, write } from './sample-app';
import type { Serving } from './sample-app';

let database: TestDatabase;
let one: Serving;
let other: Serving;
let ann: Person;
beforeAll(async () => {
  database = await createNotesDatabase();
  one = await serveNotes(database, { mayHear: (topic) => !topic.startsWith('secret') });
  other = await serveNotes(database);
  ann = await one.db.use(() => Person.create({ name: 'Ann', passwordHash: 'none' }));
});
afterAll(async () => {
  await Promise.all([one?.close(), other?.close()]);
  await database?.drop();
});

interface Event {
  readonly name: string;
  readonly id: string;
  readonly data: { readonly topic?: string; readonly data?: Readonly<Record<string, unknown>> };
}

/** A stream as a browser has it open. */
class Stream {
  readonly #abort = new AbortController();
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = '';

  private constructor(response: Response, abort: AbortController) {
    this.#abort = abort;
    this.#reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  }

  static async open({ url }: Serving, query: string, last?: string): Promise<Stream> {
    const abort = new AbortController();
    const headers: Record<string, string> = last === undefined ? {} : { 'last-event-id': last };
    return new Stream(await fetch(`${url}/live?${query}`, { headers, signal: abort.signal }), abort);
  }

  /** Undefined at the end of the stream. */
  async next(): Promise<Event | undefined> {
    for (;;) {
      const end = this.#text.indexOf('\n\n');
      if (end >= 0) {
        const block = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
        const name = field('event');
        if (name === undefined) continue;
        return { name, id: field('id') ?? '', data: JSON.parse(field('data') ?? '{}') as Event['data'] };
      }
      const { done, value } = await this.#reader.read();
      if (done) return undefined;
      this.#text += value;
    }
  }

  close(): void {
    this.#abort.abort();
  }
}

const fromOf = async ({ url }: Serving) => /data-live-from="([^"]+)"/.exec(await new Browser(url).text('/'))![1]!;

test('what is committed through one process is heard in the browsers of all', async () => {
  const streams = [await Stream.open(one, 'topic=notes'), await Stream.open(other, 'topic=notes')];
  for (const stream of streams) expect((await stream.next())?.name).toBe('gap'); // it did not say where it stands
  await one.db.use(() => write(ann, 'hello'));
  const heard = await Promise.all(streams.map((stream) => stream.next()));
  expect(heard[0]).toMatchObject({ name: 'told', data: { topic: 'notes', data: { author: String(ann.id) } } });
  expect(heard[1]).toEqual(heard[0]);
  streams.forEach((stream) => stream.close());
});

test('what is rolled back is never told', async () => {
  const stream = await Stream.open(other, 'topic=notes&topic=done', await fromOf(other));
  await stream.next();
  const gone = one.db.transaction(async () => {
    await write(ann, 'rolled back');
    throw new Error('no');
  });
  await expect(gone).rejects.toThrow('no');
  await one.db.use(() => publish('done'));
  expect((await stream.next())?.data.topic).toBe('done');
  stream.close();
});

test('nothing is lost between the page and its stream, nor while the browser was away', async () => {
  const from = await fromOf(other);
  await one.db.use(() => publish('notes', { n: 1 }));
  await heardBy(other, from);
  const stream = await Stream.open(other, `topic=notes&last=${from}`);
  expect(await stream.next()).toMatchObject({ name: 'ready', id: from });
  const first = await stream.next();
  expect(first?.data.data).toEqual({ n: 1 });
  stream.close();
  await one.db.use(() => publish('notes', { n: 2 }));
  await heardBy(other, first!.id);
  const again = await Stream.open(other, 'topic=notes', first!.id);
  expect((await again.next())?.name).toBe('ready');
  expect((await again.next())?.data.data).toEqual({ n: 2 });
  again.close();
});

/** Waits until the process has heard of something behind `id`. */
async function heardBy(serving: Serving, id: string): Promise<void> {
  while ((await fromOf(serving)) === id);
}

test('who comes with an id that nobody knows any more asks for everything', async () => {
  const stream = await Stream.open(one, 'topic=notes', 'unknown');
  expect((await stream.next())?.name).toBe('gap');
  stream.close();
});

test('when the listening session was lost, pages are told of the gap, and hear again', async () => {
  const stream = await Stream.open(one, 'topic=notes', await fromOf(one));
  expect((await stream.next())?.name).toBe('ready');
  await database.pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query ilike 'listen%'`,
  );
  expect((await stream.next())?.name).toBe('gap');
  await one.db.use(() => publish('notes', { n: 3 }));
  expect((await stream.next())?.data.data).toEqual({ n: 3 });
  stream.close();
});

test('a visitor hears only of what is for him', async () => {
  const stream = await Stream.open(one, 'topic=secret&topic=notes', await fromOf(one));
  await stream.next();
  await one.db.use(async () => {
    await publish('secret');
    await publish('notes');
  });
  expect((await stream.next())?.data.topic).toBe('notes');
  stream.close();
});

test('streams end when the application closes', async () => {
  const short = await serveNotes(database);
  const stream = await Stream.open(short, 'topic=notes', await fromOf(short));
  expect((await stream.next())?.name).toBe('ready');
  await short.close();
  expect(await stream.next().catch(() => undefined)).toBeUndefined();
});
