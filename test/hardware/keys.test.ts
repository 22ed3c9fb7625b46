import crypto from 'node:crypto';
import { request } from 'node:http';
import { KeyGuard } from '../../hardware/server/keys';
import { FORM, get, poster } from './client';
import { serve } from './serving';
import type { Serving } from './serving';

const KEY = 'k3y-of-the-bell';
let serving: Serving;
let post: ReturnType<typeof poster>;
beforeEach(async () => {
  serving = await serve({ key: KEY });
  post = poster(serving.url);
});
afterEach(() => serving.close());

const bearer = (key: string) => ({ Authorization: `Bearer ${key}` });

test.each([
  ['as a bearer token', {}, bearer(KEY)],
  ['as the field key', { key: KEY }, {}],
  ['as the field token', { token: KEY }, {}],
  ['as the field key of a form', `key=${KEY}`, FORM],
  ['as the field token of a form, as Slack sends it', `token=${KEY}`, FORM],
  ['as one of two, the other being wrong', { key: 'wrong' }, bearer(KEY)],
])('the key is taken %s', async (_how, body, headers) => {
  expect((await post('/ring', body, headers)).status).toBe(202);
});

const WRONG: readonly (readonly [string, unknown, Record<string, string>])[] = [
  ['missing', {}, {}],
  ['empty', { key: '' }, {}],
  ['wrong', { key: 'wrong' }, {}],
  ['a beginning of it', { key: KEY.slice(0, -1) }, {}],
  ['longer', { key: `${KEY}x` }, {}],
  ['of the same length', { key: KEY.replace('k', 'K') }, {}],
  ['a number', { key: 42 }, {}],
  ['null', { key: null }, {}],
  ['true', { key: true }, {}],
  ['a list that holds it', { key: [KEY] }, {}],
  ['an object', { key: { toString: KEY } }, {}],
  ['given twice in a form', `key=${KEY}&key=${KEY}`, FORM],
  ['in brackets in a form', `key[]=${KEY}`, FORM],
  ['very long', { key: 'x'.repeat(16_000) }, {}],
  ['wrong as a bearer token', {}, bearer('wrong')],
  ['basic instead of bearer', {}, { Authorization: `Basic ${Buffer.from(`x:${KEY}`).toString('base64')}` }],
  ['in the address', {}, {}],
  ['wrong, for a bell that there is not', { bell: 'nowhere' }, {}],
  ['wrong, with a field of the wrong kind', { by: 7 }, {}],
];

test('a key that is not right is answered 401, whatever is wrong with it, with no difference at all', async () => {
  const answers = [];
  for (const [what, body, headers] of WRONG) {
    const {
      status,
      text,
      headers: answered,
    } = await post(what === 'in the address' ? `/ring?key=${KEY}` : '/ring', body, headers);
    answers.push({ what, status, text, headers: [...answered].filter(([name]) => name !== 'date') });
  }
  const { what: _, ...first } = answers[0]!;
  expect(first.status).toBe(401);
  expect(first.text).toContain('E_UNAUTHORIZED');
  for (const answer of answers) expect(answer).toEqual({ what: answer.what, ...first });
  expect(serving.board.commands).toEqual([]);
});

test.each(['/sweep', '/bells/desk/ring', '/bells/nowhere/ring', '/bells/desk/sweep'])(
  'POST %s needs it',
  async (path) => {
    expect((await post(path)).status).toBe(401);
  },
);

test.each(['/bells', '/log', '/rings/x', '/statistics', '/metrics', '/events'])('GET %s needs it', async (path) => {
  expect((await get(serving.url + path)).status).toBe(401);
  const answer = await fetch(serving.url + path, { headers: bearer(KEY) });
  expect(answer.status).toBe(path === '/rings/x' ? 404 : 200);
  await answer.body?.cancel();
});

test.each(['/health', '/'])('GET %s is open, and tells nothing of the bells', async (path) => {
  const { status, text } = await get(serving.url + path);
  expect(status).toBe(200);
  expect(text).not.toContain('desk');
});

test('as many digests are compared for a right key as for a wrong or a missing one', () => {
  const compared: number[] = [];
  const original = crypto.timingSafeEqual;
  const spy = jest.spyOn(crypto, 'timingSafeEqual').mockImplementation((a, b) => original(a, b));
  try {
    for (const body of [{ key: KEY }, { token: KEY }, { key: 'wrong' }, {}]) {
      spy.mockClear();
      new KeyGuard(KEY).handler({ body, get: () => undefined } as never, {} as never, () => undefined);
      compared.push(spy.mock.calls.length);
      for (const [a, b] of spy.mock.calls) expect(a.byteLength).toBe(b.byteLength);
    }
  } finally {
    spy.mockRestore();
  }
  expect(compared).toEqual([3, 3, 3, 3]);
});

test('a guard whose key is empty lets nobody in', () => {
  const next = jest.fn();
  new KeyGuard('').handler({ body: {}, get: () => undefined } as never, {} as never, next);
  expect(next).toHaveBeenCalledWith(expect.objectContaining({ code: 'E_UNAUTHORIZED' }));
});

test.each([
  ['JSON that breaks off', '{"key":', {}, 400],
  ['JSON that is a list', '[]', {}, 400],
  ['JSON that is text', '"x"', {}, 400],
  ['too large', JSON.stringify({ why: 'x'.repeat(17_000) }), {}, 413],
  ['a form that is too large', `why=${'x'.repeat(17_000)}`, FORM, 413],
  ['a form of too many fields', Array.from({ length: 200 }, (_, i) => `f${i}=1`).join('&'), FORM, 413],
  ['compressed', 'x', { 'Content-Encoding': 'gzip' }, 415],
  ['of another kind', 'ring', { 'Content-Type': 'text/plain' }, 415],
  ['in an unknown character set', '{}', { 'Content-Type': 'application/json; charset=x' }, 415],
] as const)('a body that is %s is refused the same with the key and without', async (_what, body, headers, status) => {
  const [without, withKey] = [
    await post('/ring', body, headers),
    await post('/ring', body, { ...headers, ...bearer(KEY) }),
  ];
  expect([without.status, withKey.status]).toEqual([status, status]);
  expect(without.text).toBe(withKey.text);
  expect(without.headers.get('content-type')).toContain('application/problem+json');
  expect(without.text).not.toContain('xxx'); // nothing of the body comes back
});

test.each([
  [{ by: 7 }, 'by'],
  [{ why: ['x'] }, 'why'],
  [{ bell: {} }, 'bell'],
  [{ sale: true }, 'sale'],
  [{ idempotency_key: 7 }, 'idempotency_key'],
  [{ why: 'x'.repeat(201) }, 'why'],
])('%j is refused, with the field named', async (body, field) => {
  const answer = await post('/ring', body, bearer(KEY));
  expect(answer.status).toBe(400);
  expect(answer.body.detail).toContain(`"${field}"`);
});

test('fields with names that objects have by themselves are no fields', async () => {
  expect((await post('/ring', '{"__proto__": {"key": "x"}, "constructor": "x", "toString": "x"}')).status).toBe(401);
  expect((await post('/ring', '__proto__[key]=x&toString=x', FORM)).status).toBe(401);
  const { body } = await post('/ring', '{"__proto__": {"by": "x"}}', bearer(KEY));
  expect(body.ring?.by).toBeNull();
});

test('control characters do not reach the log', async () => {
  const { body } = await post('/ring', { by: 'A\u001b[31m\nn\u0000n', why: ' a \u2028 b ' }, bearer(KEY));
  expect(body.ring).toMatchObject({ by: 'A [31m n n', why: 'a b' });
});

test('other methods and addresses are told so', async () => {
  const answers = [
    await get(`${serving.url}/ring`),
    await post('/bells'),
    await get(`${serving.url}/nowhere`),
    await get(`${serving.url}/bells/%zz/ring`),
  ];
  expect(answers.map(({ status }) => status)).toEqual([405, 405, 404, 400]);
  expect(answers.map(({ headers }) => headers.get('allow'))).toEqual(['POST', 'GET', null, null]);
});

describe('without a key', () => {
  const send = (headers: Record<string, string>, method = 'POST', path = '/ring') =>
    new Promise<number>((resolve, reject) => {
      const { port } = new URL(serving.url);
      request({ port, path, method, headers }, (response) => {
        response.resume();
        resolve(response.statusCode!);
      })
        .on('error', reject)
        .end();
    });

  beforeEach(async () => {
    await serving.close();
    serving = await serve();
  });

  test.each([
    ['a page of another site', { Origin: 'https://evil.example' }, 403],
    ['a page of another site, as browsers say it', { 'Sec-Fetch-Site': 'cross-site' }, 403],
    ['a page of another port of this machine', { 'Sec-Fetch-Site': 'same-site' }, 403],
    ['a sandboxed page', { Origin: 'null' }, 403],
    ['a name that somebody points at this machine', { Host: 'evil.example' }, 403],
    ['a name that begins as localhost', { Host: 'localhost.evil.example:3000' }, 403],
    ['a program', {}, 202],
    ['a program that says localhost', { Host: 'localhost:3000' }, 202],
    ['its own page', { 'Sec-Fetch-Site': 'same-origin' }, 202],
  ])('a ring from %s', async (_who, headers, status) => {
    expect(await send(headers)).toBe(status);
  });

  test('nothing is told under another name', async () => {
    expect(await send({ Host: 'evil.example' }, 'GET', '/log')).toBe(403);
    expect(await send({ Host: '127.0.0.1:80' }, 'GET', '/log')).toBe(200);
  });
});

test('what is a bug is told to nobody but the log', async () => {
  jest.spyOn(serving.service, 'latest').mockRejectedValue(new Error('secret detail'));
  const answer = await get(`${serving.url}/log`, bearer(KEY));
  expect(answer.status).toBe(500);
  expect(answer.text).not.toContain('secret');
  expect(serving.bugs).toHaveLength(1);
});
