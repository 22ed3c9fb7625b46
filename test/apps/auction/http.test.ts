import { once } from 'node:events';
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { validate } from '@apidevtools/swagger-parser';
import { auctionApp } from '../../../apps/auction/app';
import { nameCategoriesAndRegions } from '../../../apps/auction/seed-words';
import { Bid } from '../../../models/auction/bid';
import { Browser } from '../web/browser';
import { createTestAuction } from './auction-database';
import type { TestAuction } from './auction-database';

let auction: TestAuction;
let server: Server;
let url: string;
const closing = new AbortController();
let category: string;
let region: string;
let people: Readonly<Record<'seller' | 'ann' | 'ben', Browser>>;

beforeAll(async () => {
  auction = await createTestAuction(16);
  const [categories, regions] = await nameCategoriesAndRegions();
  [category, region] = [String(categories[0]!.id), String(regions[0]!.id)];
  server = createServer(auctionApp(auction.db, closing.signal) as RequestListener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  people = { seller: await registered('seller'), ann: await registered('ann'), ben: await registered('ben') };
});
afterAll(async () => {
  closing.abort();
  server.close();
  server.closeAllConnections();
  await auction.close();
});

async function registered(nickname: string): Promise<Browser> {
  const browser = new Browser(url);
  const fields = { nickname, email: `${nickname}@example.org`, region, password: 'a long enough one' };
  expect((await browser.post('/register', fields, '/register')).status).toBe(303);
  expect((await browser.post('/me/funds', { amount: '1000' }, '/me')).status).toBe(303);
  return browser;
}

/** A request by a program that has a session of somebody's. */
async function ask(
  browser: Browser,
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
) {
  const token = await browser.token('/me');
  const response = await browser.json(method, path, body, { 'x-csrf-token': token, ...headers });
  const answer = (await response.json()) as Record<string, unknown>;
  return { status: response.status, etag: response.headers.get('etag') ?? '', body: answer };
}

const offered = async (values: object = {}): Promise<string> => {
  const { status, body } = await ask(people.seller, 'POST', '/items', {
    name: 'A clock',
    description: 'It ticks.',
    category,
    startPrice: '10',
    bidStep: '0.50',
    endsAt: new Date(Date.now() + 3_600_000).toISOString(),
    ...values,
  });
  expect(status).toBe(201);
  return body.id as string;
};

test('offers by a form, bids by a form; the page shows it', async () => {
  const { seller, ann } = people;
  const form = { name: 'A <b>map</b>', description: '', category, startPrice: '12.50', bidStep: '1', hours: '1' };
  const made = await seller.post('/items', form, '/sell');
  const item = made.headers.get('location')!;
  expect([made.status, item]).toEqual([303, expect.stringMatching(/^\/items\/\d+$/)]);
  const bid = await ann.post(`${item}/bids`, { amount: '12.50' }, item);
  expect(bid.status).toBe(303);
  const page = await ann.text(item);
  expect(page).toContain('Your bid of 12.50 EUR leads.');
  expect(page).toContain('A &lt;b&gt;map&lt;/b&gt;');
  expect(await people.ben.text(`${item}/live`)).toContain('<dd class="highest">12.50 EUR</dd>');
  const low = await people.ben.post(`${item}/bids`, { amount: '13' }, item);
  expect(low.status).toBe(422);
  expect(await low.text()).toContain('must be higher than the highest bid by the increment');
});

test('a form that is out of order comes back with the reasons beside its fields', async () => {
  const refused = await people.seller.post(
    '/items',
    { name: '', category, startPrice: 'x', bidStep: '1', hours: '1' },
    '/sell',
  );
  expect(refused.status).toBe(422);
  expect(await refused.text()).toMatch(/aria-invalid="true"/);
});

test('bids by the API: once for a key, whatever is sent again', async () => {
  const item = await offered();
  const key = { 'idempotency-key': 'my-first-bid' };
  const [first, again] = [
    await ask(people.ann, 'POST', `/items/${item}/bids`, { amount: '10.00' }, key),
    await ask(people.ann, 'POST', `/items/${item}/bids`, { amount: '10.00' }, key),
  ];
  expect(first).toMatchObject({ status: 201, body: { amount: '10.00', status: 'placed' } });
  expect(again.body).toEqual(first.body);
  expect(await Bid.where({ itemId: BigInt(item) }).count()).toBe(1);
  const other = await ask(people.ann, 'POST', `/items/${item}/bids`, { amount: '20.00' }, key);
  expect(other).toMatchObject({ status: 422, body: { code: 'E_IDEMPOTENCY_KEY_REUSED' } });
  expect(await ask(people.ben, 'GET', `/items/${item}`)).toMatchObject({
    body: { highestAmount: '10.00', leastBid: '10.50', bidCount: 1 },
  });
});

test('an edit holds to the state that was read, and is the seller’s alone', async () => {
  const item = await offered();
  const edit = { name: 'A better clock', description: 'It ticks, and strikes.', category };
  const { etag } = await ask(people.seller, 'GET', `/items/${item}`);
  expect((await ask(people.seller, 'PUT', `/items/${item}`, edit)).status).toBe(428);
  expect((await ask(people.ann, 'PUT', `/items/${item}`, edit, { 'if-match': etag })).body).toMatchObject({
    code: 'E_FORBIDDEN',
  });
  await ask(people.ann, 'POST', `/items/${item}/bids`, { amount: '10' });
  expect((await ask(people.seller, 'PUT', `/items/${item}`, edit, { 'if-match': etag })).status).toBe(412);
  const { etag: now } = await ask(people.seller, 'GET', `/items/${item}`);
  expect(await ask(people.seller, 'PUT', `/items/${item}`, edit, { 'if-match': now })).toMatchObject({
    status: 200,
    body: { name: 'A better clock', bidCount: 1 },
  });
});

describe('refusals are problems with a reason', () => {
  const CASES: readonly [
    what: string,
    who: 'seller' | 'ann',
    path: string,
    body: object,
    status: number,
    code: string,
  ][] = [
    ['too low', 'ann', 'bids', { amount: '9.99' }, 422, 'E_VALIDATION'],
    ['no amount', 'ann', 'bids', {}, 422, 'E_INVALID_FIELDS'],
    ['an amount of nothing', 'ann', 'bids', { amount: '0' }, 422, 'E_INVALID_FIELDS'],
    ['more than the wallet holds', 'ann', 'bids', { amount: '99999' }, 409, 'E_INSUFFICIENT_FUNDS'],
    ['on an own item', 'seller', 'bids', { amount: '20' }, 422, 'E_VALIDATION'],
    ['more than there are', 'ann', 'purchases', { quantity: 4 }, 409, 'E_OUT_OF_STOCK'],
  ];
  let item: string;
  beforeAll(async () => (item = await offered({ buyNowPrice: '30', quantity: 3 })));
  test.each(CASES)('%s', async (_what, who, path, body, status, code) => {
    const answer = await ask(people[who], 'POST', `/items/${item}/${path}`, body);
    expect(answer).toMatchObject({ status, body: { status, code } });
  });

  test('nobody who is not signed in', async () => {
    const response = await new Browser(url).json('POST', `/items/${item}/bids`, { amount: '10' });
    expect(response.status).toBe(401);
  });
});

test('buys, comments, and browses page by page', async () => {
  const item = await offered({ buyNowPrice: '30', quantity: 3 });
  const sale = await ask(people.ben, 'POST', `/items/${item}/purchases`, { quantity: 2 });
  expect(sale).toMatchObject({ status: 201, body: { kind: 'buy now', quantity: 2, price: '60.00' } });
  const said = await ask(people.ben, 'POST', `/sales/${sale.body.id as string}/comments`, { rating: 5, text: 'Good.' });
  expect(said.status).toBe(201);
  expect(await ask(people.ann, 'GET', `/items/${item}/sales`)).toMatchObject({ body: [{ ring: 'pending' }] });
  const found = await ask(people.ann, 'GET', `/items?words=clock&category=${category}&region=${region}`);
  expect((found.body.items as { id: string }[]).map(({ id }) => id)).toContain(item);
  expect((await ask(people.ann, 'GET', '/items?words=nothing-of-the-kind')).body).toEqual({ items: [], next: null });
  expect(await people.ben.text('/me')).toContain('60.00 EUR');
});

test('the description of the API is valid', async () => {
  const response = await fetch(`${url}/api/openapi.json`);
  await expect(validate((await response.json()) as never)).resolves.toMatchObject({ openapi: '3.1.0' });
});

test.each(['/', '/drill', '/audit', '/register', '/transactions', '/health', '/api'])('%s is there', async (path) => {
  expect((await fetch(url + path)).status).toBe(200);
});
