import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Database } from 'bellwether';
import { audit } from '../../../apps/auction/audit';
import { openAuction } from '../../../apps/auction/database';
import { Replication } from '../../support/replication';
import type { TestServer } from '../../support/replication';
import { startProcess } from '../../database/races/typescript-process';
import { createItem, createUsers } from './auction-database';
import { bellBot } from './bells';
import type { Done, Heard, Market } from './trader-process';

let servers: Replication;
let server: TestServer;
let db: Database;
beforeAll(async () => {
  servers = await Replication.start(0, 'alter database postgres set synchronous_commit = on');
  server = servers.primary;
  db = await openAuction({ url: server.url, poolSize: 4 });
});
afterAll(async () => {
  await db?.close();
  await servers?.stop();
});

const PROCESSES = 4;

async function openMarket(): Promise<Market> {
  const users = await createUsers(24, 200_000n);
  const items = [];
  for (const seller of users.slice(0, 8)) {
    items.push(await createItem(seller, { bidStep: 10n, buyNowPrice: 2_000n, quantity: 1_000 }));
  }
  const ids = (records: readonly { readonly id: bigint }[]) => records.map(({ id }) => String(id));
  return { userIds: ids(users), itemIds: ids(items), categoryId: String(items[0]!.categoryId) };
}

test('64 traders in four processes, a worker killed and the server restarted meanwhile: nothing acknowledged is lost, all rules hold, each sale rings once', async () => {
  const bell = bellBot();
  const bellUrl = await bell.start();
  const market = JSON.stringify(await db.use(openMarket));
  const work = (name: string) => startProcess(join(__dirname, 'worker-process.ts'), [server.url, name, bellUrl]);
  const workers = [work('worker 0'), work('worker 1')];
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const told: Heard[] = [];
  const traders = Array.from({ length: PROCESSES }, () => startTrader(market, told));
  const acknowledged = () => told.flatMap((heard) => ('done' in heard ? [heard.done] : []));
  const untilMore = async (count: number) => {
    const goal = acknowledged().length + count;
    while (acknowledged().length < goal) await Promise.race(traders.map((trader) => once(trader, 'message')));
  };
  try {
    await untilMore(50);
    workers[0]!.kill('SIGKILL');
    await untilMore(50);
    await server.restart('fast');
    await untilMore(50);
    await server.crash();
    workers[0] = work('worker 2');
    await untilMore(50);
    for (const trader of traders) trader.send('stop');
    await Promise.all(traders.map((trader) => once(trader, 'exit')));
    await untilAllIsRung();
    expect(told.filter((heard) => 'strange' in heard)).toEqual([]);
    expect(await lost(acknowledged())).toEqual([]);
    const findings = await audit(db);
    expect(findings.filter(({ violations }) => violations > 0)).toEqual([]);
    const sales = (await server.query('select id from sales order by id')).map(({ id }) => `sale ${String(id)} rung`);
    expect(sales.length).toBeGreaterThan(10);
    expect((await bell.rings()).map(({ why, status }) => `${why} ${status}`).sort()).toEqual(sales.sort());
  } finally {
    for (const child of [...traders, ...workers]) child.kill('SIGKILL');
    await bell.stop();
    bell.remove();
  }
}, 120_000);

function startTrader(market: string, told: Heard[]): ChildProcess {
  const child = startProcess(join(__dirname, 'trader-process.ts'), [server.url, market]);
  child.setMaxListeners(0);
  return child.on('message', (heard) => told.push(heard as Heard));
}

/** What somebody was told is there, and is not. */
async function lost(acknowledged: readonly Done[]): Promise<string[]> {
  const missing: string[] = [];
  for (const table of ['bids', 'sales', 'items', 'deposits'] as const) {
    const ids = acknowledged.filter((done) => done.table === table).map(({ id }) => id);
    expect(ids.length).toBeGreaterThan(0);
    const rows = await server.query(
      `select id from unnest('{${ids.join()}}'::bigint[]) id where not exists (select from ${table} t where t.id = id.id)`,
    );
    missing.push(...rows.map(({ id }) => `${table} ${String(id)}`));
  }
  return missing;
}

/** Jobs that were refused by a server on its way down wait for their next attempt: their time is brought forward. */
async function untilAllIsRung(): Promise<void> {
  for (const deadline = Date.now() + 60_000; ;) {
    const [left] = await server.query(`
      with hurried as (update graphile_worker._private_jobs set run_at = now() where attempts > 0 and locked_at is null and run_at > now())
      select (select count(*) from items where status = 'open' and ends_at <= clock_timestamp())
        + (select count(*) from sales where not exists (select from rings where sale_id = sales.id and status = 'rung')) as count`);
    if (Number(left!.count) === 0) return;
    if (Date.now() > deadline) throw new Error(`${String(left!.count)} are left.`);
  }
}
