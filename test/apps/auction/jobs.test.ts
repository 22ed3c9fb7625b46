import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { enqueue } from 'bellwether';
import type { Workers } from 'bellwether';
import { bid } from '../../../apps/auction/bidding';
import { sweep } from '../../../apps/auction/jobs';
import { moveEnd } from '../../../apps/auction/offering';
import { watch } from '../../../apps/auction/people';
import { buyNow } from '../../../apps/auction/selling';
import { startAuctionWorkers } from '../../../apps/auction/workers';
import { Item } from '../../../models/auction/item';
import { Mail } from '../../../models/auction/mail';
import { Ring } from '../../../models/auction/ring';
import { ringBell } from '../../../models/auction/ring-bell';
import { Sale } from '../../../models/auction/sale';
import type { User } from '../../../models/auction/user';
import { hurry, listen } from '../../database/jobs/support';
import { messageOf, startProcess } from '../../database/races/typescript-process';
import { until } from '../../database/transaction/support';
import type { TestAuction } from './auction-database';
import { broken, createItem, createTestAuction, createUsers, endNow } from './auction-database';
import { bellBot, startFakeBell } from './bells';
import { times } from './racing';

let auction: TestAuction;
let workers: Workers | undefined;
beforeEach(async () => (auction = await createTestAuction(16)));
afterEach(async () => {
  await workers?.stop();
  workers = undefined;
  expect(await broken(auction)).toEqual([]);
  await auction.close();
  delete process.env.BELL_URL;
  delete process.env.SMTP_URL;
});

const work = async () => (workers = await startAuctionWorkers(auction.db, { pollIntervalMs: 50 }));
const soldItem = async ([seller, buyer]: readonly User[]): Promise<Sale> =>
  buyNow({ itemId: (await createItem(seller!, { buyNowPrice: 1_000n })).id, buyerId: buyer!.id });
/** Like `until`, and more patient: several processes may be starting. */
async function eventually(query: string, values: readonly unknown[] = []): Promise<unknown> {
  for (let tries = 1; ; tries++) {
    try {
      return await until(auction.database, query, values);
    } catch (error) {
      if (tries === 5) throw error;
    }
  }
}

/** Waits until as many rings have the status. */
const ringsAre = (status: string, count: number) =>
  eventually('select true from rings where status = $1 having count(*) = $2', [status, count]);

test('several worker processes, one killed in the middle of a conclusion: one sale an item, one ring a sale', async () => {
  const bell = await startFakeBell((response) => response.end('{"ring":{"status":"rung"}}'));
  const [seller, ...bidders] = (await createUsers(4, 100_000n)) as [User, ...User[]];
  const items = await Promise.all(times(9, () => createItem(seller)));
  for (const [n, { id: itemId }] of items.entries()) {
    await bid({ itemId, bidderId: bidders[n % 3]!.id, amount: 1_000n });
  }
  await endNow(auction, ...items);
  const holder = await auction.database.pool.connect();
  await holder.query('begin');
  await holder.query('select from items where id = $1 for update', [items[4]!.id]);
  await hurry(auction.database);
  const processes = times(2, (n) =>
    startProcess(join(__dirname, 'worker-process.ts'), [auction.database.url, `worker ${n}`, bell.url]),
  );
  // Whoever is killed may not have said so.
  const ready = processes.map((child) => messageOf(child).catch(() => undefined));
  const victim = await eventually(
    `select application_name from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
      and application_name like 'worker %'`,
  );
  const dead = processes[Number(String(victim).slice(-1))]!;
  dead.kill('SIGKILL');
  await once(dead, 'exit');
  await holder.query('commit');
  holder.release();
  await ringsAre('rung', 9);
  expect(await Sale.where({ kind: 'auction' }).count()).toBe(9);
  expect([...bell.keys].sort()).toEqual((await Sale.pluck('id')).map((id) => `sale:${id}`).sort());
  await Promise.all(ready); // who has not begun does not hear that it is to stop
  for (const child of processes.filter((one) => one !== dead)) {
    child.send('stop');
    await once(child, 'exit');
  }
  await bell.stop();
});

test('a worker that dies while the bell is asked: another asks again, with the same key', async () => {
  let hasAsked!: () => void;
  const asked = new Promise<void>((resolve) => (hasAsked = resolve));
  let isHolding = true;
  const bell = await startFakeBell((response) => {
    if (isHolding) hasAsked();
    else response.end('{}');
  });
  const sale = await soldItem(await createUsers(2, 10_000n));
  const first = startProcess(join(__dirname, 'worker-process.ts'), [auction.database.url, 'worker 0', bell.url]);
  await asked;
  first.kill('SIGKILL');
  await once(first, 'exit');
  isHolding = false;
  process.env.BELL_URL = bell.url;
  workers = await startAuctionWorkers(auction.db, { pollIntervalMs: 50, takeOverAfterMs: 200 });
  await ringsAre('rung', 1);
  expect(bell.keys).toEqual([`sale:${sale.id}`, `sale:${sale.id}`]);
  await bell.stop();
});

test('BellBot rings once a sale: not twice for what is delivered twice, not for what is rolled back, later when it was down', async () => {
  const bell = bellBot();
  try {
    process.env.BELL_URL = await bell.start();
    const users = await createUsers(2, 100_000n);
    await work();
    const sales = [await soldItem(users), await soldItem(users)];
    const undone = auction.db.transaction(async () => {
      await soldItem(users);
      throw new Error('undone');
    });
    await expect(undone).rejects.toThrow('undone');
    await ringsAre('rung', 2);
    await enqueue(ringBell, { saleId: String(sales[0]!.id) });
    await eventually('select true from rings where attempts = 2');
    const whys = async () => (await bell.rings()).map(({ why, status }) => `${why} ${status}`).sort();
    expect(await whys()).toEqual(sales.map(({ id }) => `sale ${id} rung`).sort());

    await bell.stop();
    const failed = listen(auction.db, 'job:failed');
    const third = await soldItem(users); // the bell being down is nothing to the sale
    await failed.times(1);
    expect(await Ring.where({ sale: third })).toMatchObject([
      { status: 'pending', problem: 'The bell cannot be reached.' },
    ]);
    await bell.start();
    await hurry(auction.database);
    await ringsAre('rung', 3);
    expect(await whys()).toEqual([...sales, third].map(({ id }) => `sale ${id} rung`).sort());
  } finally {
    await bell.stop();
    bell.remove();
  }
});

test('a bell that is full is asked again, not before it said; one that refuses is not', async () => {
  const answers = [429, 200, 401];
  const askedAt: number[] = [];
  const bell = await startFakeBell((response) => {
    askedAt.push(Date.now());
    response.statusCode = answers.shift() ?? 500;
    if (response.statusCode === 429) response.setHeader('Retry-After', '2');
    response.end(JSON.stringify({ code: 'E', detail: 'It says so.' }));
  });
  process.env.BELL_URL = bell.url;
  const users = await createUsers(2, 10_000n);
  await work();
  const dead = listen(auction.db, 'job:dead');
  const first = await soldItem(users);
  await ringsAre('rung', 1);
  expect(askedAt[1]! - askedAt[0]!).toBeGreaterThanOrEqual(2_000);
  const second = await soldItem(users);
  await dead.times(1);
  expect(await Ring.where({ sale: second })).toMatchObject([{ status: 'failed', problem: 'It says so.' }]);
  expect(bell.keys).toEqual([first, first, second].map(({ id }) => `sale:${id}`));
  await bell.stop();
});

test('when the end has moved, the conclusion and the reminder of the old one do nothing', async () => {
  const ended = listen(auction.db, 'job:end');
  const [seller, ann] = (await createUsers(2, 10_000n)) as [User, User];
  const item = await createItem(seller);
  await watch({ itemId: item.id, userId: ann.id });
  const endsAt = new Date(item.endsAt.getTime() + 3_600_000);
  await moveEnd({ itemId: item.id, sellerId: seller.id, endsAt });
  await hurry(auction.database); // as if all times had come
  await work();
  const heard = await ended.times(4); // two conclusions and two reminders
  const outcomes = heard.map(({ job, outcome }) => `${job}: ${outcome}`).filter((one) => !one.includes('mail'));
  expect(outcomes.sort()).toEqual([
    'auction: conclude: not due',
    'auction: conclude: not due',
    'auction: remind of the end: done',
    'auction: remind of the end: not due',
  ]);
  expect((await item.reload()).status).toBe('open');
  const letters = await Mail.where({ userId: ann.id });
  expect(letters).toMatchObject([{ subject: 'Ending soon: A thing', sentAt: null }]);
  expect(letters[0]!.text).toContain(endsAt.toUTCString());
});

test('what has ended and has no job any more is concluded by the sweep', async () => {
  const [seller, ann] = (await createUsers(2, 10_000n)) as [User, User];
  const item = await createItem(seller);
  await bid({ itemId: item.id, bidderId: ann.id, amount: 1_000n });
  await auction.database.pool.query('delete from graphile_worker._private_jobs');
  await endNow(auction, item);
  await enqueue(sweep);
  await work();
  await eventually(`select true from items where status = 'closed'`);
  expect(await Item.find(item.id)).toMatchObject({ status: 'closed', stock: 0 });
});

test('letters go out by the mail server, each once', async () => {
  const post = await startMailServer();
  process.env.SMTP_URL = post.url;
  const [seller, buyer] = (await createUsers(2, 10_000n)) as [User, User];
  await soldItem([seller, buyer]);
  await work();
  await eventually('select true from mails where sent_at is not null having count(*) = 2');
  expect(post.letters.map((text) => /^To: (.*)\r$/m.exec(text)?.[1]).sort()).toEqual(
    [seller.email, buyer.email].sort(),
  );
  post.stop();
});

/** As much of SMTP as it takes to be given letters. */
async function startMailServer() {
  const letters: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let letter: string | undefined;
    socket.write('220 ready\r\n');
    socket.setEncoding('utf8').on('data', (chunk) => {
      if (letter !== undefined) {
        letter += String(chunk);
        if (!letter.endsWith('\r\n.\r\n')) return;
        letters.push(letter);
        letter = undefined;
        return void socket.write('250 taken\r\n');
      }
      if (/^DATA/i.test(String(chunk))) letter = '';
      socket.write(letter === undefined ? '250 so be it\r\n' : '354 go ahead\r\n');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`, letters, stop };
}
