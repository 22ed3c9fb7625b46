import { once } from 'node:events';
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { BelongsTo, Column, connect, Id, migrate, Model, Table, transactional, Unique, Version } from 'bellwether';
import type { Database } from 'bellwether';
import { createTestDatabase } from 'bellwether/testing';
import type { TestDatabase } from 'bellwether/testing';
import { IsOptional, IsString, Length } from 'class-validator';
import { Api, pageOf } from '../../../apps/web/api';
import { afterOf, form, textField } from '../../../apps/web/forms';
import type { Refusal } from '../../../apps/web/forms';
import { html } from '../../../apps/web/html';
import { readText } from '../../../apps/web/input';
import { publish } from '../../../apps/web/live';
import type { LiveHub } from '../../../apps/web/live';
import { checkNewPassword, hashPassword } from '../../../apps/web/passwords';
import { ForbiddenError } from '../../../apps/web/refusals';
import type { Visit } from '../../../apps/web/visit';
import { webApp } from '../../../apps/web/web-app';
import type { WebApp } from '../../../apps/web/web-app';
import '../../../apps/web/models';

// An application of notes, as small as one can be that uses all of the kit.

export const MIGRATIONS = join(__dirname, '../../../migrations/web');

@Table('people')
export class Person extends Model {
  @Id() declare readonly id: bigint;
  @Column() @Unique({ caseInsensitive: true }) declare name: string;
  @Column() declare passwordHash: string;
  @Column({ default: 0n }) declare balance: bigint;
}

@Table('notes')
export class Note extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Person) declare author: BelongsTo<Person>;
  declare authorId: bigint;
  @Column() @Length(1, 20) declare text: string;
  @Version() declare readonly version: number;
}

const TABLES = [
  `create table people (id bigint primary key generated always as identity, name text not null,
    password_hash text not null, balance bigint not null)`,
  'create unique index on people (lower(name))',
  `create table notes (id bigint primary key generated always as identity, author_id bigint not null references people,
    text text not null, version integer not null)`,
];

class NoteBody {
  @IsString() @Length(1, 20) declare text: string;
}
class NoteView {
  @IsString() declare id: string;
  @IsString() declare text: string;
  @IsString() declare author: string;
}
class Paging {
  @IsOptional() @IsString() declare after?: string;
}
const view = ({ id, text, authorId }: Note): NoteView => ({ id: String(id), text, author: String(authorId) });

/** Two writes that belong together, under the level that is the connection's. */
export const write = transactional(
  { isolation: 'serializable', name: 'write' },
  async (author: Person, text: string) => {
    await Person.where({ id: author.id }).increment({ balance: 1n });
    const note = await Note.create({ author, text });
    await publish('notes', { author: String(author.id) });
    return note;
  },
);

async function ownNote(id: bigint, user: Person): Promise<Note> {
  const note = await Note.find(id);
  if (note.authorId !== user.id) throw new ForbiddenError('The note is somebody else’s.');
  return note;
}

function notesApi(): Api<Person> {
  return new Api<Person>({ title: 'Notes', version: '1.0.0', description: 'Short notes.' })
    .add({
      method: 'get',
      path: '/notes',
      summary: 'Notes',
      query: Paging,
      answer: { schema: pageOf(NoteView) },
      handle: async ({ query }) => {
        const after = query.after === undefined ? {} : { after: query.after };
        const { records, next } = await Note.order('id', 'desc').page({ size: 2, ...after });
        return { items: records.map(view), next: next ?? null };
      },
    })
    .add({
      method: 'post',
      path: '/notes',
      summary: 'Write a note',
      who: 'signed in',
      body: NoteBody,
      answer: { status: 201, schema: NoteView },
      idempotent: 'serializable',
      handle: async ({ user, body }) => view(await write(user, body.text)),
    })
    .add({
      method: 'get',
      path: '/notes/{id}',
      summary: 'A note',
      answer: { schema: NoteView },
      handle: async (call) => {
        const note = await Note.find(call.id());
        call.tag(note);
        return view(note);
      },
    })
    .add({
      method: 'put',
      path: '/notes/{id}',
      summary: 'Change a note',
      who: 'signed in',
      body: NoteBody,
      ifMatch: true,
      answer: { schema: NoteView },
      handle: async (call) => {
        const note = await ownNote(call.id(), call.user);
        call.assertIfMatch(note);
        await note.update({ text: call.body.text });
        call.tag(note);
        return view(note);
      },
    });
}

function notesPage(visit: Visit<Person>, notes: readonly Note[], refusal?: Refusal) {
  return {
    title: 'Notes',
    body: html`<h1>Notes</h1>
      <ul data-live="notes" data-src="/list">
        ${notes.map(({ text }) => html`<li>${text}</li>`)}
      </ul>
      ${form({ visit, action: '/notes', refusal, submit: 'Write' }, [
        textField({ name: 'text', label: 'Text', required: true }),
      ])}`,
  };
}

export const sampleApp = (db: Database, closing?: AbortSignal, more: Partial<WebApp<Person>> = {}) =>
  webApp<Person>({
    db,
    closing,
    name: 'notes',
    title: 'Notes',
    publicFolder: join(__dirname, 'nowhere'),
    stylesheet: '/notes.css',
    migrations: MIGRATIONS,
    nav: () => [{ href: '/', label: 'Home' }],
    accounts: {
      find: (id) => Person.findBy({ id }),
      findByLogin: (name) => Person.findBy({ name }),
      loginLabel: 'Name',
      nameOf: ({ name }) => name,
      registerPath: '/register',
    },
    api: notesApi(),
    pages: (pages) => {
      const list = () => Note.order('id', 'desc').limit(10);
      pages.get('/', async (visit) => notesPage(visit, await list()));
      pages.get('/mine', async (visit) => notesPage(visit, await list().where({ author: visit.me })), {
        who: 'signed in',
      });
      pages.get('/paged', async (visit) => {
        const { records } = await Note.order('id').page({ size: 1, ...afterOf(visit) });
        return notesPage(visit, records);
      });
      pages.fragment('/list', async () => html`${(await list()).map(({ text }) => html`<li>${text}</li>`)}`);
      pages.form('/register', {
        run: async (visit) => {
          const { name, password } = visit.fields;
          checkNewPassword(String(password));
          const passwordHash = await hashPassword(String(password));
          await visit.signIn(await Person.create({ name: readText(name, 'name'), passwordHash }));
          visit.notice('Welcome.');
          return '/';
        },
      });
      pages.form('/notes', {
        who: 'signed in',
        run: async (visit) => {
          await write(visit.me, readText(visit.fields.text, 'text'));
          visit.notice('Written.');
          return '/';
        },
        again: async (visit, refusal) => notesPage(visit, await list(), refusal),
      });
      pages.get('/broken', () => Promise.reject(new Error('a bug')));
    },
    ...more,
  });

export async function createNotesDatabase(): Promise<TestDatabase> {
  const database = await createTestDatabase(TABLES);
  const db = await connect({ url: database.url });
  await migrate(db, { folder: MIGRATIONS });
  await db.close();
  return database;
}

/** One process's worth of the application: a pool, a server, and how to close them. */
export interface Serving {
  readonly db: Database;
  readonly url: string;
  close(): Promise<void>;
}

export async function serveNotes(database: TestDatabase, more: Partial<WebApp<Person>> = {}): Promise<Serving> {
  const db = await connect({ url: database.url, poolSize: 16 });
  const closing = new AbortController();
  const app = sampleApp(db, closing.signal, more);
  await (app.locals.hub as LiveHub).ready;
  const server: Server = createServer(app as RequestListener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    db,
    url: `http://127.0.0.1:${port}`,
    close: async () => {
      closing.abort();
      server.close();
      server.closeAllConnections();
      await db.close();
    },
  };
}
