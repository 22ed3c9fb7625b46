import type { RequestListener, Server } from 'node:http';
import { microblogApp } from '../../../apps/microblog/app';
import { openMicroblog } from '../../../apps/microblog/database';
import { listen } from '../../../apps/ports';
import type { Database } from 'bellwether';
import { Replication } from '../../support/replication';
import type { TestServer } from '../../support/replication';
import { Browser } from '../web/browser';

// Two processes of the microblog, each with a replica of its own, on a primary and two streaming replicas whose replay
// is stopped and started by hand.

let replication: Replication;
let near: TestServer;
let far: TestServer;
const closing = new AbortController();
const opened: Database[] = [];
const servers: Server[] = [];
/** Addresses of the process that reads from the near replica, and of the one that reads from the far one. */
let atNear: string;
let atFar: string;

beforeAll(async () => {
  replication = await Replication.start(2, 'select 1');
  [near, far] = replication.replicas as [TestServer, TestServer];
  [atNear, atFar] = [await serve(near), await serve(far)];
});
afterAll(async () => {
  closing.abort();
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await Promise.all([near, far].map(resume));
  await Promise.all(opened.map((db) => db.close()));
  await replication.stop();
});

async function serve(replica: TestServer): Promise<string> {
  const db = await openMicroblog({
    url: replication.primary.url,
    replicas: [replica.url],
    poolSize: 6,
    replicaRetryMs: 1,
  });
  opened.push(db);
  const app = microblogApp(db, closing.signal, { isReplicated: true }) as RequestListener;
  const { server, port } = await listen(app, { host: '127.0.0.1', preferred: 24_900 });
  servers.push(server);
  return `http://127.0.0.1:${port}`;
}

/** Asks until it is so, at most ten seconds long. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await isSo())) if (Date.now() > deadline) throw new Error('Did not happen within ten seconds.');
}
async function pause(replica: TestServer): Promise<void> {
  await caughtUp(replica);
  await replica.query('select pg_wal_replay_pause()');
  const state = async () => (await replica.query('select pg_get_wal_replay_pause_state() as state'))[0]!.state;
  await until(async () => (await state()) === 'paused');
}
const resume = (replica: TestServer) => replica.query('select pg_wal_replay_resume()');
/** Returns when the replica has all that the primary has by now. */
async function caughtUp(replica: TestServer): Promise<void> {
  const [row] = await replication.primary.query('select pg_current_wal_insert_lsn()::text as lsn');
  const isThere = `select pg_last_wal_replay_lsn() >= '${String(row!.lsn)}' as it`;
  await until(async () => (await replica.query(isThere))[0]!.it === true);
}

const fields = (name: string) => ({ username: name, email: `${name}@example.org`, password: 'a long password' });
const statusAt = async (browser: Browser, path: string) => (await browser.fetch(path)).status;
/** The same visitor, led to another process. */
function led(browser: Browser, to: string): Browser {
  const other = new Browser(to);
  other.cookie = browser.cookie;
  return other;
}

test('a profile is there right after the registration, though the replica has not heard of it', async () => {
  await pause(near);
  const ann = new Browser(atNear);
  await ann.post('/register', fields('ann'), '/register');
  expect(await statusAt(ann, '/@ann')).toBe(200);
  expect(await statusAt(led(ann, atFar), '/@ann')).toBe(200);
  // Somebody who has seen nothing yet is promised nothing: the replica answers, from the past.
  expect(await statusAt(new Browser(atNear), '/@ann')).toBe(404);
  await resume(near);
  await caughtUp(near);
  expect(await statusAt(new Browser(atNear), '/@ann')).toBe(200);
});

test('whoever has seen a reply sees the post that it answers, on any replica', async () => {
  const ben = new Browser(atNear);
  await ben.post('/register', fields('ben'), '/register');
  await pause(far);
  await ben.post('/posts', { content: 'Is anybody there?' });
  const [, id] = /id="post-(\d+)"/.exec(await ben.text('/@ben'))!;
  const cai = new Browser(atNear);
  await cai.post('/register', fields('cai'), '/register');
  await cai.post(`/posts/${id}/replies`, { content: 'I am' }, `/posts/${id}`);
  await caughtUp(near);

  // Somebody reads the reply on the near replica, and follows its link to a process whose replica lags.
  const reader = new Browser(atNear);
  expect(await reader.text('/@cai')).toContain('I am');
  expect(await led(reader, atFar).text(`/posts/${id}`)).toContain('Is anybody there?');
  expect(await statusAt(new Browser(atFar), `/posts/${id}`)).toBe(404);
  expect(await statusAt(new Browser(atFar), '/@cai')).toBe(404);
  await resume(far);
});

test('what is no token of ours is no obstacle', async () => {
  const browser = new Browser(atNear);
  browser.cookie = 'microblog.seen=nonsense';
  expect(await statusAt(browser, '/')).toBe(200);
  expect(browser.cookie).toMatch(/^microblog\.seen=1\./);
});
