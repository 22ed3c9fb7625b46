import { connect, notify } from 'bellwether';
import type { Database } from 'bellwether';
import { Replication } from '../../support/replication';
import { FaultyNetwork } from '../transaction/proxy';
import { errorOf, setUp, signal } from '../transaction/support';

const { database } = setUp('create table things (id int primary key)');

/** The next event of that name. */
function next(db: Database, name: 'listener:lost' | 'listener:restored'): Promise<{ attempts: number }> {
  return new Promise((resolve) => {
    const off = db.on(name, (event) => {
      off();
      resolve(event);
    });
  });
}

/** Listens, and waits for as many payloads as are asked for. */
async function hear(db: Database) {
  const heard: unknown[] = [];
  let gaps = 0;
  let look = () => {};
  const listening = await db.listen(
    'news',
    (payload) => {
      heard.push(payload);
      look();
    },
    {
      onGap: () => {
        gaps += 1;
        look();
      },
    },
  );
  const untilIt = async (isSo: () => boolean) => {
    while (!isSo()) {
      const { promise, give } = signal();
      look = give;
      await promise;
    }
  };
  return {
    heard,
    stop: () => listening.stop(),
    gaps: () => gaps,
    untilGap: (count: number) => untilIt(() => gaps >= count),
    untilHeard: (count: number) => untilIt(() => heard.length >= count),
  };
}

describe('the session that listens', () => {
  let db: Database;
  let network: FaultyNetwork;
  beforeEach(async () => {
    network = await FaultyNetwork.before(database().url);
    db = await connect({
      url: database().url,
      connectTimeoutMs: 1_000,
      listen: { url: network.url, heartbeatMs: 300 },
    });
  });
  afterEach(async () => {
    await db.close();
    await network.close();
  });

  test('is ended by an administrator: another one is opened, onGap is called, and it hears again', async () => {
    const { heard, gaps, untilGap, untilHeard } = await hear(db);
    const other = await hear(db);
    const lost = next(db, 'listener:lost');
    await database().pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name = 'bellwether listener'`,
    );
    expect(await lost).toMatchObject({ attempts: 0, error: expect.objectContaining({ code: 'E_CONNECTION_LOST' }) });
    await Promise.all([untilGap(1), other.untilGap(1)]);
    await db.use(() => notify('news', 'again'));
    await untilHeard(1);
    expect(heard).toEqual(['again']);
    expect(gaps()).toBe(1);
  });

  test('is gone for several attempts: it goes on trying, and who begins to listen meanwhile waits', async () => {
    const { heard, untilGap, untilHeard, gaps } = await hear(db);
    network.isClosed = true;
    const failures: number[] = [];
    const { promise: thrice, give } = signal();
    db.on('listener:lost', ({ attempts }) => failures.push(attempts) > 3 && give());
    const restored = next(db, 'listener:restored');
    network.cutAll();
    await thrice;
    await db.use(() => notify('news', 'lost'));
    const second = hear(db);
    network.isClosed = false;
    const { attempts } = await restored;
    expect(failures).toEqual(Array.from({ length: attempts }, (_, index) => index));
    await untilGap(1);
    const late = await second;
    await db.use(() => notify('news', 'heard'));
    await Promise.all([untilHeard(1), late.untilHeard(1)]);
    expect([heard, late.heard, gaps(), late.gaps()]).toEqual([['heard'], ['heard'], 1, 0]);
  });

  test('stays away for longer than who begins to listen has patience', async () => {
    const impatient = await connect({ url: database().url, acquireTimeoutMs: 1_000, listen: { url: network.url } });
    await hear(impatient);
    network.isClosed = true;
    const lost = next(impatient, 'listener:lost');
    network.cutAll();
    await lost;
    expect((await errorOf(impatient.listen('news', () => undefined))).code).toBe('E_CONNECTION_FAILED');
    await impatient.close(); // ends while it tries
  });

  test.each(['to server', 'to client'] as const)('hears nothing %s any more: the heartbeat finds out', async (way) => {
    const { heard, untilGap, untilHeard } = await hear(db);
    const lost = next(db, 'listener:lost');
    let silent: number | undefined;
    network.judge = (_bytes, direction, pair) => {
      silent ??= pair;
      return direction === way && pair === silent ? 'hold' : 'pass';
    };
    await lost;
    await untilGap(1);
    await db.use(() => notify('news', 1));
    await untilHeard(1);
    expect(heard).toEqual([1]);
  });

  test('is lost, and all stop listening before there is another: nothing is opened any more', async () => {
    const { stop, gaps } = await hear(db);
    network.isClosed = true;
    const lost = next(db, 'listener:lost');
    network.cutAll();
    await lost;
    await stop();
    network.isClosed = false;
    const again = await hear(db);
    await db.use(() => notify('news', 1));
    await again.untilHeard(1);
    expect(again.heard).toEqual([1]);
    expect([gaps(), again.gaps()]).toEqual([0, 0]);
  });

  test('a transaction that only notifies, and whose COMMIT got no answer, is found out to be committed', async () => {
    const { heard, untilHeard } = await hear(db);
    const far = await connect({ url: network.url, connectTimeoutMs: 1_000 });
    let committing: number | undefined;
    network.judge = (bytes, direction, pair) => {
      if (direction === 'to server' && committing === undefined && /commit\0/.test(bytes.toString('latin1'))) {
        committing = pair;
      }
      if (direction !== 'to client' || pair !== committing) return 'pass';
      committing = -1;
      return 'cut';
    };
    let bodies = 0;
    await far.transaction(async () => {
      bodies += 1;
      await notify('news', 'once');
    });
    await far.use(() => notify('news', 'end'));
    await untilHeard(2);
    expect([heard, bodies]).toEqual([['once', 'end'], 1]);
    await far.close();
  });
});

describe('the server', () => {
  let servers: Replication;
  beforeAll(async () => {
    servers = await Replication.start(0, 'select 1');
  });
  afterAll(() => servers.stop());

  test.each(['fast', 'immediate'] as const)('is restarted (%s): what is sent afterwards is heard', async (mode) => {
    const db = await connect({ url: servers.primary.url });
    const { heard, untilGap, untilHeard } = await hear(db);
    await servers.primary.restart(mode);
    await untilGap(1);
    await db.use(() => notify('news', mode));
    await untilHeard(1);
    expect(heard).toEqual([mode]);
    await db.close();
  });
});
