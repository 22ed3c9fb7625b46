import type { Server } from 'node:http';
import type { RequestListener } from 'node:http';
import { bankApp } from '../../../apps/bank/app';
import { seedIfEmpty } from '../../../apps/bank/seed';
import { listen, portFrom } from '../../../apps/ports';
import { createTestBank } from './bank-database';
import type { TestBank } from './bank-database';

const HOST = '127.0.0.1';

let bank: TestBank;
let server: Server;
let base: string;
beforeAll(async () => {
  bank = await createTestBank(10);
  await seedIfEmpty();
  const served = await listen(bankApp(bank.db) as RequestListener, { host: HOST, preferred: 23_500 });
  server = served.server;
  base = `http://${HOST}:${served.port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await bank.close();
});

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: Record<string, unknown>;
}

async function ask(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const headers = { 'Content-Type': 'application/json' };
  const response = await fetch(base + path, { method, ...(body !== undefined && { body: text, headers }) });
  const type = response.headers.get('content-type') ?? '';
  return { status: response.status, type, body: (await response.json()) as Record<string, unknown> };
}
const get = (path: string) => ask('GET', path);
const post = (path: string, body: unknown = {}) => ask('POST', path, body);
const keyOf = ({ body }: Answer) => body.id as string;

async function newAccount(funds?: string): Promise<{ customer: string; account: string }> {
  const customer = keyOf(await post('/api/customers', { name: 'Grace' }));
  const account = keyOf(await post(`/api/customers/${customer}/accounts`, { kind: 'checking' }));
  if (funds !== undefined) await post(`/api/accounts/${account}/deposits`, { amount: funds });
  return { customer, account };
}

test('opens, pays, saves, states and closes', async () => {
  const { customer, account } = await newAccount('100.50');
  const savings = keyOf(await post(`/api/customers/${customer}/accounts`, { kind: 'savings' }));
  const other = await newAccount();
  const transfer = await post('/api/transfers', { from: account, to: other.account, amount: '0.49', memo: 'tea' });
  expect(transfer).toMatchObject({ status: 201, body: { kind: 'transfer', memo: 'tea' } });
  await post(`/api/customers/${customer}/savings`, { amount: '10' });
  await post(`/api/accounts/${account}/withdrawals`, { amount: '20,01' });
  expect((await get(`/api/customers/${customer}/total`)).body).toEqual({
    checking: '70.00',
    savings: '10.00',
    total: '80.00',
    currency: 'EUR',
  });
  const { body } = await get(`/api/accounts/${account}/statement?latest=2`);
  expect(body).toMatchObject({
    account: { balance: '70.00' },
    broughtForward: '100.01',
    lines: [
      { kind: 'saving', amount: '-10.00', balance: '90.01', otherAccount: savings },
      { kind: 'withdrawal', amount: '-20.01', balance: '70.00' },
    ],
  });
  await post(`/api/accounts/${account}/withdrawals`, { amount: '70' });
  expect(await post(`/api/accounts/${account}/closing`)).toMatchObject({ status: 201, body: { balance: '0.00' } });
  expect((await get('/api/audit')).body).toMatchObject({ balance: true });
});

test('sells at the price', async () => {
  const { account } = await newAccount('30');
  const [product] = (await get('/api/products')).body as unknown as { id: string; price: string }[];
  expect(await post(`/api/products/${product!.id}/purchases`, { account })).toMatchObject({ status: 201 });
  const refused = await post(`/api/products/${product!.id}/purchases`, { account });
  expect(refused).toMatchObject({ status: 409, body: { code: 'E_INSUFFICIENT_FUNDS' } });
});

describe('refusals are problems with a reason, never a failure of the server', () => {
  let account: string;
  let customer: string;
  let other: string;
  beforeAll(async () => {
    ({ account, customer } = await newAccount('5'));
    ({ account: other } = await newAccount());
  });

  const toOneself = () => ({ from: account, to: account, amount: '1' });
  const deposits = () => `/api/accounts/${account}/deposits`;
  const CASES: readonly [what: string, path: () => string, body: () => unknown, status: number, code: string][] = [
    ['no amount', deposits, () => ({}), 422, 'E_INVALID_AMOUNT'],
    ['a negative amount', deposits, () => ({ amount: '-1' }), 422, 'E_INVALID_AMOUNT'],
    ['zero', deposits, () => ({ amount: '0.00' }), 422, 'E_INVALID_AMOUNT'],
    ['text for an amount', deposits, () => ({ amount: 'all' }), 422, 'E_INVALID_AMOUNT'],
    ['a JSON number for an amount', deposits, () => ({ amount: 1.1 }), 422, 'E_INVALID_AMOUNT'],
    ['too many decimals', deposits, () => ({ amount: '1.001' }), 422, 'E_INVALID_AMOUNT'],
    ['a huge amount', deposits, () => ({ amount: '9'.repeat(30) }), 422, 'E_INVALID_AMOUNT'],
    ['an amount in a list', deposits, () => ({ amount: ['1'] }), 422, 'E_INVALID_AMOUNT'],
    ['a list for a body', deposits, () => [1], 400, 'E_INVALID_REQUEST'],
    ['no JSON', deposits, () => '{', 400, 'E_INVALID_REQUEST'],
    ['a body beyond all measure', deposits, () => ({ amount: 'x'.repeat(30_000) }), 413, 'E_INVALID_REQUEST'],
    ['an unknown account', () => '/api/accounts/999999/deposits', () => ({ amount: '1' }), 404, 'E_RECORD_NOT_FOUND'],
    [
      'an account that is no number',
      () => '/api/accounts/x/deposits',
      () => ({ amount: '1' }),
      404,
      'E_RECORD_NOT_FOUND',
    ],
    [
      'a huge account',
      () => `/api/accounts/${'9'.repeat(40)}/deposits`,
      () => ({ amount: '1' }),
      404,
      'E_RECORD_NOT_FOUND',
    ],
    ["the bank's own account", () => '/api/accounts/1/withdrawals', () => ({ amount: '1' }), 404, 'E_RECORD_NOT_FOUND'],
    ['a transfer to oneself', () => '/api/transfers', toOneself, 422, 'E_SAME_ACCOUNT'],
    [
      'a transfer to nobody',
      () => '/api/transfers',
      () => ({ ...toOneself(), to: undefined }),
      400,
      'E_INVALID_REQUEST',
    ],
    [
      'a long memo',
      () => '/api/transfers',
      () => ({ ...toOneself(), to: other, memo: 'x'.repeat(141) }),
      422,
      'E_VALIDATION',
    ],
    ['a name of nothing', () => '/api/customers', () => ({ name: ' ' }), 422, 'E_VALIDATION'],
    ['a name too long', () => '/api/customers', () => ({ name: 'x'.repeat(81) }), 422, 'E_VALIDATION'],
    ['a name that is none', () => '/api/customers', () => ({ name: { first: 'G' } }), 400, 'E_INVALID_REQUEST'],
    ['an unknown cover', () => '/api/customers', () => ({ name: 'G', cover: 'none' }), 400, 'E_INVALID_REQUEST'],
    [
      'an unknown kind',
      () => `/api/customers/${customer}/accounts`,
      () => ({ kind: 'cash' }),
      400,
      'E_INVALID_REQUEST',
    ],
    [
      'a second account',
      () => `/api/customers/${customer}/accounts`,
      () => ({ kind: 'checking' }),
      422,
      'E_VALIDATION',
    ],
    [
      'more than there is',
      () => `/api/accounts/${account}/withdrawals`,
      () => ({ amount: '5.01' }),
      409,
      'E_INSUFFICIENT_FUNDS',
    ],
    ['closing too early', () => `/api/accounts/${account}/closing`, () => ({}), 409, 'E_ACCOUNT_NOT_EMPTY'],
    [
      'a quantity of nothing',
      () => '/api/products/1/purchases',
      () => ({ account, quantity: 0 }),
      400,
      'E_INVALID_REQUEST',
    ],
    ['too many transfers', () => '/api/attacks', () => ({ transfers: 1e9 }), 400, 'E_INVALID_REQUEST'],
    ['an unknown address', () => '/api/nothing', () => ({}), 404, 'E_NOT_FOUND'],
  ];
  test.each(CASES)('%s', async (_what, path, body, status, code) => {
    const answer = await post(path(), body());
    expect(answer).toMatchObject({ status, body: { status, code } });
    expect(answer.type).toContain('application/problem+json');
    expect(answer.body).toMatchObject({ title: expect.stringMatching(/\w/), detail: expect.stringMatching(/\.$/) });
    expect(JSON.stringify(answer.body)).not.toMatch(/\n\s+at |\.[jt]s\b|select |update |node_modules/);
  });
});

test('a form that is refused comes back with what was in it, and why; text is escaped', async () => {
  const name = '<script>alert("x")</script>';
  await post('/api/customers', { name });
  const form = new URLSearchParams({ from: '1e3', to: '1', amount: '"><b>', memo: name });
  const response = await fetch(`${base}/transfers`, { method: 'POST', body: form });
  const page = await response.text();
  expect([response.status, response.headers.get('content-type')]).toEqual([404, 'text/html; charset=utf-8']);
  expect(page).toContain('data-code="E_RECORD_NOT_FOUND"');
  expect(page).toContain('value="&quot;&gt;&lt;b&gt;"');
  expect(page).toContain('&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;');
  expect(page).not.toContain('<script>alert');
});

test('a form that is accepted leads back, so that a reload does not pay again', async () => {
  const [from, to] = [await newAccount('9'), await newAccount()];
  const form = new URLSearchParams({ from: from.account, to: to.account, amount: '9', memo: '' });
  const response = await fetch(`${base}/transfers`, { method: 'POST', body: form, redirect: 'manual' });
  expect(response.status).toBe(303);
  const page = await (await fetch(new URL(response.headers.get('location') ?? '', base))).text();
  expect(page).toContain(`9.00 EUR paid from ${from.account} to ${to.account}.`);
});

test('its transactions are listed, and its health is told', async () => {
  await fetch(`${base}/api/customers`);
  await fetch(base);
  const page = await (await fetch(`${base}/transactions`)).text();
  expect(page).toMatch(/<td>overview<\/td>\s*<td>repeatable read<\/td>/);
  expect(await (await fetch(`${base}/health`)).json()).toMatchObject({ status: 'ok', application: 'bank' });
});

test.each(['/accounts/999999', '/accounts/x', '/nothing'])('%s is a page that says so', async (path) => {
  const response = await fetch(base + path);
  expect(response.status).toBe(404);
  expect(await response.text()).toContain('<h1>Not found</h1>');
});

test('a page of another site cannot pay', async () => {
  const headers = { Origin: 'http://elsewhere.example', 'Content-Type': 'application/json' };
  const response = await fetch(`${base}/api/transfers`, { method: 'POST', headers, body: '{}' });
  expect(response.status).toBe(403);
});

test('an attack is followed to its verdict; a second one meanwhile is refused', async () => {
  const started = await post('/api/attacks', { transfers: 150 });
  expect(started.status).toBe(202);
  expect(await post('/api/attacks', {})).toMatchObject({ status: 409, body: { code: 'E_ATTACK_UNDER_WAY' } });
  const events = await (await fetch(`${base}/api/attacks/${keyOf(started)}/events`)).text();
  expect(events).toMatch(/event: panel[\s\S]*event: over/);
  const { body } = await get(`/api/attacks/${keyOf(started)}`);
  expect(body).toMatchObject({
    running: null,
    error: null,
    covered: 100,
    variants: {
      declared: { paid: 100, refused: 50, databaseErrors: 0, verdict: { isRight: true, lost: '0.00' } },
      unsafe: { verdict: { isRight: false, booksBalance: false } },
    },
  });
});

test('a port that is taken is left alone, and the next one used', async () => {
  const taken = Number(new URL(base).port);
  const { server: second, port } = await listen((_request, response) => response.end(), {
    host: HOST,
    preferred: taken,
  });
  expect(port).toBeGreaterThan(taken);
  await new Promise((resolve) => second.close(resolve));
});

test.each(['x', '0', '70000', '-1'])('PORT=%s is refused by name', (text) => {
  process.env.NEVER_A_PORT = text;
  expect(() => portFrom('NEVER_A_PORT', 3000)).toThrow('NEVER_A_PORT is not a port.');
});
