import type { RequestListener, Server } from 'node:http';
import SwaggerParser from '@apidevtools/swagger-parser';
import { microblogApp } from '../../../apps/microblog/app';
import { audit } from '../../../apps/microblog/audit';
import { follow, post } from '../../../apps/microblog/operations';
import { PASSWORD, seedIfEmpty } from '../../../apps/microblog/seed';
import { listen } from '../../../apps/ports';
import { allHold } from '../../../apps/web/findings';
import { hashPassword } from '../../../apps/web/passwords';
import { Micropost } from '../../../models/microblog/micropost';
import { User } from '../../../models/microblog/user';
import { Browser } from '../web/browser';
import { createTestMicroblog, somebody } from './microblog-database';
import type { TestMicroblog } from './microblog-database';

let microblog: TestMicroblog;
let server: Server;
let url: string;
const closing = new AbortController();
let passwordHash: string;
beforeAll(async () => {
  microblog = await createTestMicroblog();
  passwordHash = await hashPassword(PASSWORD);
  const app = microblogApp(microblog.db, closing.signal) as RequestListener;
  const served = await listen(app, { host: '127.0.0.1', preferred: 24_700 });
  server = served.server;
  url = `http://127.0.0.1:${served.port}`;
});
afterAll(async () => {
  closing.abort();
  server?.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await microblog?.close();
});
afterEach(async () => expect(allHold(await audit(microblog.db))).toBe(true));

interface Member {
  readonly user: User;
  readonly browser: Browser;
  /** Asks the API with the session's token. */
  readonly ask: (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Response>;
}

/** Somebody who is signed in. */
async function member(): Promise<Member> {
  const user = await (await somebody()).update({ passwordHash });
  const browser = new Browser(url);
  const signedIn = await browser.json('POST', '/session', { login: user.username, password: PASSWORD });
  const { csrfToken } = (await signedIn.json()) as { csrfToken: string };
  const ask: Member['ask'] = (method, path, body, headers = {}) =>
    browser.json(method, path, body, { 'x-csrf-token': csrfToken, ...headers });
  return { user, browser, ask };
}

const statusOf = async (answer: Promise<Response>) => (await answer).status;
const bodyOf = async <T>(answer: Promise<Response>) => (await (await answer).json()) as T;
interface PostView {
  readonly id: string;
  readonly content: string;
  readonly author: string;
  readonly version: number;
}

describe('the API', () => {
  test('registers, posts, follows, and shows it in the feed', async () => {
    const browser = new Browser(url);
    const newUser = { username: 'Zoe', email: 'zoe@example.org', password: 'ten letters' };
    const made = await browser.json('POST', '/users', newUser);
    expect([made.status, await made.json()]).toEqual([
      201,
      { id: expect.stringMatching(/^\d+$/) as string, username: 'Zoe' },
    ]);
    const again = await browser.json('POST', '/users', { ...newUser, username: 'ZOE' });
    expect([again.status, ((await again.json()) as { errors: object }).errors]).toEqual([
      422,
      { email: ['is taken'], username: ['is taken'] },
    ]);
    const [ann, ben] = [await member(), await member()];
    await ann.ask('POST', '/posts', { content: ' hello, world ' });
    expect(await statusOf(ben.ask('PUT', `/users/${ann.user.username}/follow`))).toBe(204);
    const feed = await bodyOf<{ items: PostView[]; next: null }>(ben.ask('GET', '/feed'));
    expect(feed).toMatchObject({ items: [{ content: 'hello, world', author: ann.user.username }], next: null });
    const seen = await bodyOf(ben.ask('GET', `/users/${ann.user.username.toUpperCase()}`));
    expect(seen).toMatchObject({ posts: 1, followers: 1, following: 0, isFollowed: true, hasBlocked: false });
    const followers = await bodyOf(ben.ask('GET', `/users/${ann.user.username}/followers`));
    expect(followers).toMatchObject({ items: [{ username: ben.user.username }] });
  });

  test('is for who is signed in, where it writes', async () => {
    const [nobody, ann] = [new Browser(url), await member()];
    const { id } = await post({ authorId: ann.user.id, content: 'hello' });
    for (const [method, path, body] of [
      ['POST', '/posts', { content: 'x' }],
      ['GET', '/feed', undefined],
      ['PUT', `/posts/${id}`, { content: 'x' }],
      ['DELETE', `/posts/${id}`, undefined],
      ['POST', `/posts/${id}/replies`, { content: 'x' }],
      ['PUT', `/users/${ann.user.username}/follow`, undefined],
      ['PUT', `/users/${ann.user.username}/block`, undefined],
      ['DELETE', '/users/me', { password: PASSWORD }],
    ] as const) {
      expect([method, path, await statusOf(nobody.json(method, path, body))]).toEqual([method, path, 401]);
    }
    expect(await statusOf(ann.browser.json('POST', '/posts', { content: 'without the token' }))).toBe(403);
  });

  test('lets nobody change what is somebody else’s', async () => {
    const [ann, ben] = [await member(), await member()];
    const { id } = await post({ authorId: ann.user.id, content: 'mine' });
    const change = ben.ask('PUT', `/posts/${id}`, { content: 'yours' }, { 'if-match': '*' });
    expect([await statusOf(change), await statusOf(ben.ask('DELETE', `/posts/${id}`))]).toEqual([404, 404]);
    expect(await Micropost.find(id)).toMatchObject({ content: 'mine' });
  });

  test('edits what was read, or nothing', async () => {
    const ann = await member();
    const { id } = await post({ authorId: ann.user.id, content: 'first' });
    const put = (content: string, headers: Record<string, string>) =>
      ann.ask('PUT', `/posts/${id}`, { content }, headers);
    const etag = (await ann.ask('GET', `/posts/${id}`)).headers.get('etag')!;
    expect(await statusOf(put('second', {}))).toBe(428);
    const [one, other] = await Promise.all([put('second', { 'if-match': etag }), put('third', { 'if-match': etag })]);
    expect([one.status, other.status].sort()).toEqual([200, expect.any(Number) as number]);
    expect([409, 412]).toContain(one.status === 200 ? other.status : one.status);
    expect(await statusOf(put('fourth', { 'if-match': etag }))).toBe(412);
    const now = (one.status === 200 ? one : other).headers.get('etag')!;
    expect(await bodyOf(put('fourth', { 'if-match': now }))).toMatchObject({ content: 'fourth', version: 3 });
  });

  test('posts once what is sent twice under one key', async () => {
    const ann = await member();
    const send = (content: string) => ann.ask('POST', '/posts', { content }, { 'idempotency-key': 'one-key' });
    const answers = await Promise.all(Array.from({ length: 6 }, () => send('once')));
    const made = await Promise.all(answers.map(async (answer) => ((await answer.json()) as PostView).id));
    expect([new Set(made).size, await Micropost.where({ authorId: ann.user.id }).count()]).toEqual([1, 1]);
    expect(await statusOf(send('something else'))).toBe(422);
    const replies = await Promise.all(
      Array.from({ length: 4 }, () =>
        ann.ask('POST', `/posts/${made[0]}/replies`, { content: 'again' }, { 'idempotency-key': 'reply' }),
      ),
    );
    expect(replies.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
    expect(await Micropost.where({ authorId: ann.user.id }).count()).toBe(2);
  });

  test('refuses everything towards whom one is blocked by', async () => {
    const [ann, ben] = [await member(), await member()];
    const { id } = await post({ authorId: ann.user.id, content: 'hello' });
    await follow({ userId: ben.user.id, otherId: ann.user.id });
    expect(await statusOf(ann.ask('PUT', `/users/${ben.user.username}/block`))).toBe(204);
    expect(await bodyOf<{ items: [] }>(ben.ask('GET', '/feed'))).toMatchObject({ items: [] });
    const refused = await ben.ask('PUT', `/users/${ann.user.username}/follow`);
    expect([refused.status, await refused.json()]).toMatchObject([403, { code: 'E_FORBIDDEN' }]);
    expect(await statusOf(ben.ask('POST', `/posts/${id}/replies`, { content: 'but' }))).toBe(403);
    expect(await bodyOf(ben.ask('GET', `/users/${ann.user.username}`))).toMatchObject({ hasBlocked: true });
    await ann.ask('DELETE', `/users/${ben.user.username}/block`);
    expect(await statusOf(ben.ask('PUT', `/users/${ann.user.username}/follow`))).toBe(204);
  });

  test('says what is wrong', async () => {
    const ann = await member();
    for (const [method, path, body, status] of [
      ['POST', '/posts', { content: '' }, 422],
      ['POST', '/posts', { content: 'x'.repeat(281) }, 422],
      ['POST', '/posts', { content: 'x\0y' }, 422],
      ['POST', '/posts', {}, 422],
      ['POST', '/posts', { content: 'x', authorId: '1' }, 422],
      ['POST', '/posts/0/replies', { content: 'x' }, 404],
      ['GET', '/posts/x', undefined, 404],
      ['GET', '/users/nobody_at_all', undefined, 404],
      ['PUT', '/users/nobody_at_all/follow', undefined, 404],
      ['DELETE', `/users/${ann.user.username}/follow`, undefined, 422],
      ['PUT', `/users/${ann.user.username}/block`, undefined, 422],
      ['GET', '/feed?after=x', undefined, 400],
      ['GET', '/posts?after=x', undefined, 400],
      ['DELETE', '/users/me', { password: 'wrong' }, 422],
    ] as const) {
      expect([method, path, await statusOf(ann.ask(method, path, body))]).toEqual([method, path, status]);
    }
  });

  test('describes itself', async () => {
    const description = await bodyOf<Parameters<typeof SwaggerParser.validate>[0]>(fetch(`${url}/api/openapi.json`));
    const valid = (await SwaggerParser.validate(description)) as { paths: object };
    expect(Object.keys(valid.paths)).toEqual(expect.arrayContaining(['/feed', '/users/{username}/block']));
  });
});

/** Authors of the posts that a stream tells of, until one of `last` is among them. */
async function authorsTold(stream: Response, last: bigint): Promise<string[]> {
  const authors: string[] = [];
  let text = '';
  for await (const chunk of stream.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const events = text.split('\n\n');
    text = events.pop()!; // what is not whole yet
    for (const event of events) {
      const told = /^event: told$[^]*^data: (.*)$/m.exec(event)?.[1];
      if (told !== undefined) authors.push((JSON.parse(told) as { data: { author: string } }).data.author);
    }
    if (authors.includes(String(last))) break;
  }
  return authors;
}

test('the stream of a feed tells of those whom one follows by then, and of nobody else', async () => {
  const [reader, ann, ben, cai] = [await member(), await member(), await member(), await member()];
  const post = (who: Member) => who.ask('POST', '/posts', { content: 'hello' });
  await reader.ask('PUT', `/users/${ann.user.username}/follow`);
  const stream = await reader.browser.fetch('/feed/events');
  await post(ann);
  await post(ben);
  await reader.ask('PUT', `/users/${ben.user.username}/follow`);
  await post(ben);
  await post(reader);
  await ann.ask('PUT', `/users/${reader.user.username}/block`);
  await post(ann);
  await reader.ask('PUT', `/users/${cai.user.username}/follow`);
  await post(cai);
  const expected = [ann, ben, cai].map(({ user }) => String(user.id));
  expect(await authorsTold(stream, cai.user.id)).toEqual(expected);
  expect((await new Browser(url).fetch('/feed/events')).status).toBe(401);
});

describe('the pages', () => {
  test('work without scripts, from the first visit to the last', async () => {
    const browser = new Browser(url);
    const fields = { username: 'Nia', email: 'nia@example.org', password: 'a long password' };
    const refused = await browser.post('/register', { ...fields, username: 'x' }, '/register');
    expect([refused.status, await refused.text()]).toEqual([
      422,
      expect.stringContaining('aria-invalid="true"') as string,
    ]);
    const registered = await browser.post('/register', fields, '/register');
    expect([registered.status, registered.headers.get('location')]).toEqual([303, '/@Nia']);
    expect(await browser.text('/@nia')).toContain('Welcome, @Nia.');
    await browser.post('/posts', { content: 'Good <b>morning</b>, @nia' });
    const home = await browser.text('/');
    expect(home).toContain('Good &lt;b&gt;morning&lt;/b&gt;, <a href="/@nia">@nia</a>');
    const [, id] = /id="post-(\d+)"/.exec(home)!;
    const long = await browser.post('/posts', { content: 'x'.repeat(281) });
    expect([long.status, await long.text()]).toEqual([
      422,
      expect.stringContaining('must be 1 to 280 characters') as string,
    ]);
    await browser.post(`/posts/${id}/edit`, { content: 'Good evening', version: '1' }, `/posts/${id}/edit`);
    const stale = await browser.post(`/posts/${id}/edit`, { content: 'Good night', version: '1' }, `/posts/${id}/edit`);
    expect([stale.status, await stale.text()]).toEqual([
      409,
      expect.stringContaining('It says now: “Good evening”') as string,
    ]);
    await browser.post(`/posts/${id}/replies`, { content: 'to myself' }, `/posts/${id}`);
    expect(await browser.text(`/posts/${id}`)).toContain('to myself');
    await browser.post(`/posts/${id}/delete`, {});
    expect((await browser.fetch(`/posts/${id}`)).status).toBe(404);
    const wrong = await browser.post('/settings/delete', { password: 'wrong' }, '/settings');
    expect([wrong.status, await wrong.text()]).toEqual([
      422,
      expect.stringContaining('is not the one that you sign in with') as string,
    ]);
    await browser.post('/settings/delete', { password: fields.password }, '/settings');
    expect((await browser.fetch('/@nia')).status).toBe(404);
    expect((await browser.fetch('/settings')).headers.get('location')).toMatch(/^\/sign-in/);
  });

  test('show the small world, its audit, and how the rules stand beside their unsafe twins', async () => {
    for (const user of await User.all()) await user.destroy();
    expect(await Promise.all([seedIfEmpty(), seedIfEmpty()])).toEqual(expect.arrayContaining([true, false]));
    const browser = new Browser(url);
    expect(await browser.text('/')).toContain('The geometry class begins at noon');
    expect(await browser.text('/@ada/following')).toContain('@grace');
    expect(await browser.text('/@ADA/followers')).toContain('@hypatia');
    expect(await browser.text('/audit')).toContain('Every rule holds.');
    const tried = await browser.post('/drill', {}, '/drill');
    expect(tried.status).toBe(303);
    const table = await browser.text('/drill');
    expect(table.match(/data-variant="declared">\s*<span class="stamp good"\s*>held/g)).toHaveLength(4);
    const signedIn = await browser.post('/sign-in', { login: 'ada@example.org', password: PASSWORD }, '/sign-in');
    expect(signedIn.status).toBe(303);
    expect(await browser.text('/')).toContain('Your feed');
  });
});
