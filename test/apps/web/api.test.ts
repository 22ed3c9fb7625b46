import { randomUUID, scryptSync } from 'node:crypto';
import { validate } from '@apidevtools/swagger-parser';
import { connect, ISOLATION_LEVELS, sql } from 'bellwether';
import type { BellwetherError, Database } from 'bellwether';
import type { TestDatabase } from 'bellwether/testing';
import { IdempotencyKey } from '../../../models/web/idempotency-key';
import { answerOnce } from '../../../apps/web/idempotency';
import { countTry, forgetTries } from '../../../apps/web/rate-limits';
import { hashPassword, isOutdated, verifyPassword } from '../../../apps/web/passwords';
import { sweep } from '../../../apps/web/sweep';
import { Browser } from './browser';
import { createNotesDatabase, Note, Person, serveNotes } from './sample-app';
import type { Serving } from './sample-app';

const PASSWORD = 'correct horse battery';
/** With parameters that cost nothing. */
const HASH = `scrypt$1024$8$1$c2FsdA$${scryptSync(PASSWORD, 'salt', 32, { N: 1024, r: 8, p: 1 }).toString('base64url')}`;

let database: TestDatabase;
let one: Serving;
let other: Serving;
beforeAll(async () => {
  database = await createNotesDatabase();
  one = await serveNotes(database);
  other = await serveNotes(database);
});
afterAll(async () => {
  await Promise.all([one?.close(), other?.close()]);
  await database?.drop();
});

let people = 0;
const newPerson = () => one.db.use(() => Person.create({ name: `person ${++people}`, passwordHash: HASH }));

/** Signs in through the API. @returns what a program keeps: its cookie, and the header for writes */
async function signedIn(): Promise<{
  program: Browser;
  elsewhere: Browser;
  csrf: Record<string, string>;
  person: Person;
}> {
  const person = await newPerson();
  const program = new Browser(one.url);
  const response = await program.json('POST', '/session', { login: person.name, password: PASSWORD });
  expect(response.status).toBe(201);
  const { csrfToken, user } = (await response.json()) as { csrfToken: string; user: string };
  expect(user).toBe(String(person.id));
  const elsewhere = new Browser(other.url);
  elsewhere.cookie = program.cookie;
  return { program, elsewhere, csrf: { 'x-csrf-token': csrfToken }, person };
}
const notesOf = (person: Person) => one.db.use(() => Note.where({ author: person }).count());

describe('the description', () => {
  test('is a valid OpenAPI 3.1 document, of every route that there is', async () => {
    const document = (await (await fetch(`${one.url}/api/openapi.json`)).json()) as Parameters<typeof validate>[0] & {
      openapi: string;
      paths: Record<string, Record<string, unknown>>;
      components: { schemas: Record<string, unknown> };
    };
    expect(document.openapi).toBe('3.1.0');
    const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    expect(routes.sort()).toEqual(
      [
        'delete /session',
        'get /notes',
        'get /notes/{id}',
        'get /session',
        'post /notes',
        'post /session',
        'put /notes/{id}',
      ].sort(),
    );
    expect(document.components.schemas.NoteBody).toEqual({
      type: 'object',
      properties: { text: { type: 'string', minLength: 1, maxLength: 20 } },
      required: ['text'],
    });
    await validate(structuredClone(document));
  });

  test('is shown to people', async () => {
    const page = await (await fetch(`${one.url}/api`)).text();
    expect(page).toContain('<code>POST /notes</code>');
    expect(page).toContain('id="schema-NoteView"');
  });
});

describe('requests', () => {
  test('a body is held to its class: what is wrong is said by field, and what is unknown is refused', async () => {
    const { program, csrf } = await signedIn();
    const response = await program.json('POST', '/notes', { text: '', admin: true }, csrf);
    expect([response.status, response.headers.get('content-type')]).toEqual([
      422,
      'application/problem+json; charset=utf-8',
    ]);
    expect(await response.json()).toMatchObject({
      code: 'E_INVALID_FIELDS',
      errors: { text: [expect.stringContaining('longer than or equal to 1')], admin: ['is not known here'] },
    });
  });

  test.each([
    ['nobody signed in', 'POST', '/notes', { text: 'x' }, 401],
    ['no such note', 'GET', '/notes/99999', undefined, 404],
    ['a key that is none', 'GET', '/notes/x', undefined, 404],
    ['no such address', 'GET', '/nothing', undefined, 404],
    ['a cursor that is none', 'GET', '/notes?after=%00', undefined, 400],
  ])('%s: %s %s', async (_what, method, path, body, status) => {
    const response = await new Browser(one.url).json(method, path, body);
    expect([response.status, response.headers.get('content-type')]).toEqual([
      status,
      'application/problem+json; charset=utf-8',
    ]);
  });

  test('an edit says which state it changes: one that somebody else has changed is kept', async () => {
    const { program, csrf } = await signedIn();
    const made = (await (await program.json('POST', '/notes', { text: 'first' }, csrf)).json()) as { id: string };
    const path = `/notes/${made.id}`;
    const etag = (await program.json('GET', path)).headers.get('etag')!;
    expect((await program.json('GET', path, undefined, { 'if-none-match': etag })).status).toBe(304);
    expect((await program.json('PUT', path, { text: 'blind' }, csrf)).status).toBe(428);
    const edit = (text: string) => program.json('PUT', path, { text }, { ...csrf, 'if-match': etag });
    const both = await Promise.all([edit('mine'), edit('yours')]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 412]);
  });

  test('what is somebody else’s is left alone', async () => {
    const [ann, ben] = [await signedIn(), await signedIn()];
    const made = (await (await ann.program.json('POST', '/notes', { text: 'hers' }, ann.csrf)).json()) as {
      id: string;
    };
    const response = await ben.program.json(
      'PUT',
      `/notes/${made.id}`,
      { text: 'his' },
      { ...ben.csrf, 'if-match': '*' },
    );
    expect(response.status).toBe(403);
  });
});

describe('a request with an Idempotency-Key', () => {
  test('is done once: its repetition gets the first answer, in every process', async () => {
    const { program, elsewhere, csrf, person } = await signedIn();
    const headers = { ...csrf, 'idempotency-key': randomUUID() };
    const first = await program.json('POST', '/notes', { text: 'once' }, headers);
    const again = await elsewhere.json('POST', '/notes', { text: 'once' }, headers);
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(await again.json()).toEqual(await first.json());
    expect([first, again].map((answer) => answer.headers.get('idempotent-replayed'))).toEqual([null, 'true']);
    expect(await notesOf(person)).toBe(1);
  });

  test('of 16 at once in two processes, one is done, and all get its answer', async () => {
    const { program, elsewhere, csrf, person } = await signedIn();
    const headers = { ...csrf, 'idempotency-key': randomUUID() };
    const answers = await Promise.all(
      Array.from({ length: 16 }, async (_, index) => {
        const response = await (index % 2 ? program : elsewhere).json('POST', '/notes', { text: 'raced' }, headers);
        return [response.status, ((await response.json()) as { id: string }).id];
      }),
    );
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]![0]).toBe(201);
    expect(await notesOf(person)).toBe(1);
  });

  test('with another body is refused; of another user it is another key', async () => {
    const [ann, ben] = [await signedIn(), await signedIn()];
    const key = { 'idempotency-key': randomUUID() };
    await ann.program.json('POST', '/notes', { text: 'this' }, { ...ann.csrf, ...key });
    const reused = await ann.program.json('POST', '/notes', { text: 'that' }, { ...ann.csrf, ...key });
    expect([reused.status, await reused.json()]).toMatchObject([422, { code: 'E_IDEMPOTENCY_KEY_REUSED' }]);
    expect((await ben.program.json('POST', '/notes', { text: 'that' }, { ...ben.csrf, ...key })).status).toBe(201);
  });

  test('that was refused leaves no key: sent again, it is tried again', async () => {
    const { program, csrf } = await signedIn();
    const headers = { ...csrf, 'idempotency-key': randomUUID() };
    expect((await program.json('POST', '/notes', { text: '' }, headers)).status).toBe(422);
    expect((await program.json('POST', '/notes', { text: 'now' }, headers)).status).toBe(201);
  });

  describe.each(ISOLATION_LEVELS)('at %s', (isolation) => {
    let databases: Database[];
    beforeAll(async () => {
      databases = await Promise.all([connect({ url: database.url }), connect({ url: database.url })]);
    });
    afterAll(() => Promise.all(databases.map((db) => db.close())));
    const write = (person: Person) => async () => {
      await Person.where({ id: person.id }).increment({ balance: 1n });
      const { id } = await Note.create({ author: person, text: 'direct' });
      return { status: 201, body: { id: String(id) } };
    };
    const requestOf = (person: Person) => ({
      owner: String(person.id),
      key: randomUUID(),
      fingerprint: 'f',
      isolation,
    });

    test('24 at once over two pools: one runs', async () => {
      const person = await newPerson();
      const request = requestOf(person);
      const answers = await Promise.all(
        Array.from({ length: 24 }, (_, index) => {
          const db = databases[index % 2]!;
          return db.use(() => answerOnce(db, request, write(person)));
        }),
      );
      expect(answers.filter(({ isRepeated }) => !isRepeated)).toHaveLength(1);
      expect(new Set(answers.map(({ body }) => (body as { id: string }).id)).size).toBe(1);
      expect(await notesOf(person)).toBe(1);
    });

    test('a session that dies in the middle leaves nothing, and the repetition does it', async () => {
      const person = await newPerson();
      const request = requestOf(person);
      const db = databases[0]!;
      const dying = db.use(() =>
        answerOnce(db, request, async () => {
          await write(person)();
          await sql`select pg_terminate_backend(pg_backend_pid())`.execute(db.kysely());
          return { status: 201, body: null };
        }),
      );
      await expect(dying).rejects.toMatchObject({ code: 'E_CONNECTION_LOST' });
      expect(await notesOf(person)).toBe(0);
      expect(await db.use(() => IdempotencyKey.where({ key: request.key }).count())).toBe(0);
      const { isRepeated } = await db.use(() => answerOnce(db, request, write(person)));
      expect([isRepeated, await notesOf(person)]).toEqual([false, 1]);
    });
  });
});

describe('limits', () => {
  const LIMIT = { most: 7, windowMs: 60_000 };

  test('of 40 tries at once in two processes, as many get through as may; then when to come again', async () => {
    const tries = await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        (index % 2 ? one : other).db
          .use(() => countTry('race', LIMIT))
          .then(
            () => 'through',
            (error: BellwetherError) => error.details.retryAfterS,
          ),
      ),
    );
    expect(tries.filter((outcome) => outcome === 'through')).toHaveLength(LIMIT.most);
    for (const outcome of tries.filter((outcome) => outcome !== 'through')) {
      expect(outcome).toBeGreaterThan(0);
      expect(outcome).toBeLessThanOrEqual(60);
    }
    await database.pool.query(`update rate_limits set ends_at = now() - interval '1 second' where key = 'race'`);
    await one.db.use(() => countTry('race', LIMIT));
    await one.db.use(() => forgetTries('race'));
  });

  test('guesses of a password are counted before it is looked at, by account and by address', async () => {
    const limits = { ofAccount: { most: 3, windowMs: 60_000 }, ofAddress: { most: 10, windowMs: 60_000 } };
    const accounts = {
      find: (id: bigint) => Person.findBy({ id }),
      findByLogin: (name: string) => Person.findBy({ name }),
      loginLabel: 'Name',
      nameOf: ({ name }: Person) => name,
      rehash: (person: Person, passwordHash: string) => person.update({ passwordHash }),
      limits,
    };
    const strict = [await serveNotes(database, { accounts }), await serveNotes(database, { accounts })];
    try {
      const person = await newPerson();
      const guess = async (password: string, index = 0, login = person.name) => {
        const response = await new Browser(strict[index % 2]!.url).json('POST', '/session', { login, password });
        return [response.status, response.headers.get('retry-after') !== null];
      };
      const guesses = await Promise.all(Array.from({ length: 12 }, (_, index) => guess('wrong password', index)));
      const counted = guesses.map(([status]) => status).sort();
      expect(counted).toEqual([401, 401, 401, ...Array.from({ length: 9 }, () => 429)]);
      expect(await guess(PASSWORD)).toEqual([429, true]);
      const second = await newPerson();
      await database.pool.query(`delete from rate_limits where key like 'sign-in from%'`);
      expect(await guess(PASSWORD, 0, second.name)).toEqual([201, false]);
      const kept = await strict[0]!.db.use(() => Person.find(second.id));
      expect([isOutdated(kept.passwordHash), await verifyPassword(PASSWORD, kept.passwordHash)]).toEqual([false, true]);
    } finally {
      await Promise.all(strict.map((serving) => serving.close()));
    }
  });
});

test('passwords are told from others, whatever their form in Unicode', async () => {
  const hash = await hashPassword('pässword 123');
  expect(hash).toMatch(/^scrypt\$32768\$8\$3\$/);
  expect(await verifyPassword('pa\u0308ssword 123', hash)).toBe(true);
  expect(await verifyPassword('password 123', hash)).toBe(false);
  expect(await verifyPassword('x', 'no hash at all')).toBe(false);
  expect([isOutdated(hash), isOutdated(HASH)]).toEqual([false, true]);
});

test('what need not be remembered any more is swept away, and nothing else', async () => {
  const { program, csrf } = await signedIn();
  await program.json('POST', '/notes', { text: 'kept' }, { ...csrf, 'idempotency-key': 'kept' });
  await database.pool.query(`update web_sessions set ends_at = now() - interval '1 day' where id <> (
    select id from web_sessions where not is_over order by ends_at desc limit 1)`);
  await one.db.use(() => sweep());
  expect(await one.db.use(() => IdempotencyKey.where({ key: 'kept' }).count())).toBe(1);
  await one.db.use(() => sweep(new Date(Date.now() + 2 * 86_400_000)));
  expect(await one.db.use(() => IdempotencyKey.where({ key: 'kept' }).count())).toBe(0);
});
