import type { TestDatabase } from 'bellwether/testing';
import { Browser } from './browser';
import { createNotesDatabase, serveNotes } from './sample-app';
import type { Serving } from './sample-app';

const PASSWORD = 'correct horse battery';

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
async function register(name = `person ${++people}`): Promise<Browser> {
  const browser = new Browser(one.url);
  const response = await browser.post('/register', { name, password: PASSWORD });
  expect([response.status, response.headers.get('location')]).toEqual([303, '/']);
  return browser;
}
const at = ({ url }: Serving, { cookie }: Browser) => {
  const browser = new Browser(url);
  browser.cookie = cookie;
  return browser;
};

test('who registers is signed in, in every process, and is greeted once', async () => {
  const ann = at(other, await register('Ann'));
  const page = await ann.text('/');
  expect(page).toContain('Welcome.');
  expect(page).toContain('<span>Ann</span>');
  expect(await ann.text('/')).not.toContain('Welcome.');
});

test('the session begins anew at sign-in: one that was slipped to the visitor is worth nothing', async () => {
  const stranger = new Browser(one.url);
  await stranger.token();
  const before = stranger.cookie;
  const visitor = at(one, stranger);
  await visitor.post('/register', { name: 'Fay', password: PASSWORD });
  expect(visitor.cookie).not.toBe(before);
  expect(await stranger.text('/')).not.toContain('Fay');
  expect(await visitor.text('/')).toContain('Fay');
});

test('a session that has ended does not come back by a request that still had it in hand', async () => {
  const ben = await register('Ben');
  const copy = at(other, ben);
  const token = await ben.token();
  const { rows } = await database.pool.query<{ id: string; data: object }>(
    `select id, data from web_sessions where data->>'userId' = (select id::text from people where name = 'Ben')`,
  );
  const [session] = rows as [(typeof rows)[0]];
  // The late request waits to write its notice to the session until the sign-out is through.
  const holder = await database.pool.connect();
  await holder.query('begin');
  await holder.query('select from web_sessions where id = $1 for update', [session.id]);
  const late = copy.fetch('/notes', { method: 'POST', body: new URLSearchParams({ text: 'late', _csrf: token }) });
  await waitForBlocked(1);
  await holder.query(`update web_sessions set is_over = true, data = '{}' where id = $1`, [session.id]);
  await holder.query('commit');
  holder.release();
  expect((await late).status).toBe(303);
  expect(await copy.text('/')).not.toContain('Ben');
});

async function waitForBlocked(count: number): Promise<void> {
  for (;;) {
    const { rows } = await database.pool.query<{ n: number }>(
      `select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    if (rows[0]!.n >= count) return;
  }
}

test('sign-out ends the session everywhere', async () => {
  const cid = await register('Cid');
  const copy = at(other, cid);
  expect(await copy.text('/')).toContain('Cid');
  expect((await cid.post('/sign-out', {})).status).toBe(303);
  expect(await copy.text('/')).not.toContain('Cid');
  expect((await copy.fetch('/mine')).headers.get('location')).toBe('/sign-in?next=%2Fmine');
});

test('sign-in leads to where one wanted to go, and nowhere else', async () => {
  await register('Dot');
  const go = async (next: string) => {
    const browser = new Browser(other.url);
    const fields = { login: 'Dot', password: PASSWORD, next };
    return (await browser.post('/sign-in', fields, '/sign-in')).headers.get('location');
  };
  expect(await go('/mine')).toBe('/mine');
  for (const next of ['//evil.example', '/\\evil.example', 'https://evil.example', ''])
    expect(await go(next)).toBe('/');
});

test('a form without its token is refused, and with that of somebody else', async () => {
  const [eve, fred] = [await register('Eve'), await register('Fred')];
  const send = (token: string) =>
    fred.fetch('/notes', { method: 'POST', body: new URLSearchParams({ text: 'forged', _csrf: token }) });
  expect((await send('')).status).toBe(403);
  expect((await send(await eve.token())).status).toBe(403);
  expect((await send(await fred.token())).status).toBe(303);
  const api = await fred.json('POST', '/notes', { text: 'x' });
  expect([api.status, await api.json()]).toMatchObject([403, { code: 'E_FORGED_REQUEST' }]);
});

test('a page of another site cannot sign anybody in, nor write', async () => {
  const response = await fetch(`${one.url}/sign-in`, { method: 'POST', headers: { origin: 'http://evil.example' } });
  expect(response.status).toBe(403);
});

test('cookies cannot be read by scripts, nor do they go along from other sites; scripts are the site’s own', async () => {
  const response = await fetch(`${one.url}/sign-in`);
  expect(response.headers.getSetCookie()[0]).toMatch(/HttpOnly; SameSite=Lax/);
  expect(response.headers.get('content-security-policy')).toMatch(/default-src 'self'.*script-src 'self'/);
  const page = await response.text();
  expect(page).not.toMatch(/<script>|<style| style=| on\w+=/);
});

test('what a form was refused for stands beside the field, and what was in it stays', async () => {
  const gus = await register('Gus');
  const response = await gus.post('/notes', { text: '<b>much too long for a note</b>' });
  const page = await response.text();
  expect([response.status, response.headers.get('location')]).toEqual([422, null]);
  expect(page).toContain('aria-invalid="true"');
  expect(page).toContain('value="&lt;b&gt;much too long for a note&lt;/b&gt;"');
  expect(page).toMatch(/id="notes-text-error">Text .*20 characters/);
});

test('an error that is a bug says nothing of itself', async () => {
  const write = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  const response = await fetch(`${one.url}/broken`);
  const logged = write.mock.calls.join();
  write.mockRestore();
  const page = await response.text();
  expect(response.status).toBe(500);
  expect(page).not.toContain('a bug');
  expect(logged).toContain('Error: a bug');
});

test('health says what a machine wants to know', async () => {
  const response = await fetch(`${one.url}/health`);
  expect([response.status, await response.json()]).toMatchObject([
    200,
    {
      status: 'ok',
      application: 'notes',
      migrations: { applied: 1, pending: 0 },
      pool: { most: 16 },
      database: { name: database.name },
    },
  ]);
});

test('transactions are listed with what became of them', async () => {
  const hal = await register('Hal');
  await hal.post('/notes', { text: 'listed' });
  const page = await hal.text('/transactions');
  expect(page).toMatch(/<th scope="row">write<\/th>/);
  expect(page).toMatch(/<td>write<\/td>\s*<td>serializable<\/td>/);
});

test('while the database does not answer, health says so; and when it does again', async () => {
  const lone = await createNotesDatabase();
  const serving = await serveNotes(lone);
  const write = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    const health = async () => (await fetch(`${serving.url}/health`)).status;
    expect(await health()).toBe(200);
    await database.pool.query(`alter database "${lone.name}" with allow_connections false`);
    await database.pool.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [lone.name]);
    expect(await health()).toBe(503);
    await database.pool.query(`alter database "${lone.name}" with allow_connections true`);
    expect(await health()).toBe(200);
  } finally {
    write.mockRestore();
    await serving.close();
    await lone.drop();
  }
});
