import { getEventListeners } from 'node:events';
import { Column, connect, Id, Model, sql, Table } from 'bellwether';
import type { Database, FrameworkEvents } from 'bellwether';
import { barrier, errorOf, FAILURES, planFailures, reasonOf, setUp, signal, untilBlocked, untilIdle } from './support';
import { FaultyNetwork } from './proxy';

@Table('things')
class Thing extends Model {
  @Id('integer') declare id: number;
  @Column('integer') declare counted: number;
}

const { database, db, open } = setUp(`
  ${FAILURES}
  create table things (id int primary key, counted int not null);
  create table slow (id int);
  create function wait_for_lock() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock(1); return null; end $$;
  create constraint trigger slow after insert on slow deferrable initially deferred for each row execute function wait_for_lock();
`);
beforeEach(() => database().pool.query('truncate things, slow, planned; insert into things values (1, 0), (2, 0)'));

const unhandled: unknown[] = [];
const note = (what: unknown) => unhandled.push(what);
beforeAll(() => process.on('unhandledRejection', note).on('warning', note));
afterAll(() => {
  process.off('unhandledRejection', note).off('warning', note);
  expect(unhandled).toEqual([]);
});

const MINE = new Error('the user went away');
const ABORTED = { code: 'E_ABORTED', recovery: 'try-later', details: { outcome: 'not committed' }, cause: MINE };
const counted = async () =>
  (await database().pool.query<{ counted: number }>('select counted from things where id = 1')).rows[0]!.counted;
const count = (on: Database) => sql`update things set counted = counted + 1 where id = 1`.execute(on.kysely());

/** Runs `body` while somebody else holds the row. */
async function whileLocked(body: () => Promise<void>): Promise<void> {
  const holder = await database().pool.connect();
  await holder.query('begin; select from things where id = 1 for update');
  try {
    await body();
  } finally {
    await holder.query('rollback');
    holder.release();
  }
}

/** Every session of the pool can be had, and none is inside a transaction. */
async function expectHealthy(on: Database, size: number): Promise<void> {
  const meet = barrier(size);
  await Promise.all(
    Array.from({ length: size }, () => on.transaction(() => sql`select 1`.execute(on.kysely()).then(meet))),
  );
}

describe('a transaction is called off', () => {
  test('while it waits for a lock: the statement is cancelled, all is rolled back, records are as they were', async () => {
    const one = await open({ poolSize: 1, applicationName: 'locked' });
    const controller = new AbortController();
    const ran: string[] = [];
    const thing = await one.use(() => Thing.find(2));
    let inner: unknown;
    await whileLocked(async () => {
      const attempt = errorOf(
        one.transaction({ signal: controller.signal }, async (tx) => {
          tx.afterCommit(() => void ran.push('committed'));
          tx.afterRollback(() => void ran.push('rolled back'));
          await one.use(() => thing.update({ counted: 5 }));
          inner = await reasonOf(count(one));
          throw inner as Error;
        }),
      );
      await untilBlocked(database());
      controller.abort(MINE);
      expect(await attempt).toMatchObject(ABORTED);
      await untilIdle(database(), 'locked'); // although the other one still holds the row
    });
    expect(inner).toMatchObject(ABORTED);
    expect([thing.counted, ran, await counted()]).toEqual([0, ['rolled back'], 0]);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    await expectHealthy(one, 1);
  });

  test('while its body waits for something else: nobody waits for that; what it sends later is refused', async () => {
    const one = await open({ poolSize: 1 });
    const controller = new AbortController();
    const [entered, release] = [signal(), signal()];
    let late!: Promise<unknown>;
    const attempt = errorOf(
      one.transaction({ signal: controller.signal }, async () => {
        await count(one);
        entered.give();
        await release.promise;
        late = reasonOf(count(one));
        await late;
      }),
    );
    await entered.promise;
    controller.abort(MINE);
    expect(await attempt).toMatchObject(ABORTED);
    await count(one); // its session is free again
    release.give();
    await release.promise;
    await new Promise(setImmediate);
    expect(await late).toMatchObject(ABORTED);
    expect(await counted()).toBe(1);
  });

  test('while it waits for a session: it does not wait on, and the session is not lost', async () => {
    const one = await open({ poolSize: 1 });
    const controller = new AbortController();
    const [entered, release] = [signal(), signal()];
    const holding = one.transaction(async () => {
      await count(one);
      entered.give();
      await release.promise;
    });
    await entered.promise;
    let bodies = 0;
    const waiting = [1, 2, 3].map(() =>
      errorOf(one.transaction({ signal: controller.signal }, () => Promise.resolve((bodies += 1)))),
    );
    controller.abort(MINE);
    for (const error of await Promise.all(waiting)) expect(error).toMatchObject(ABORTED);
    release.give();
    await holding;
    expect(bodies).toBe(0);
    await expectHealthy(one, 1);
  });

  test('just when another one gives back the session that it waits for: that goes back once', async () => {
    const one = await open({ poolSize: 1 });
    for (let turns = 0; turns < 20; turns++) {
      const controller = new AbortController();
      const after = async () => {
        for (let turn = 0; turn < turns; turn++) await Promise.resolve();
        controller.abort(MINE);
      };
      const off = one.on('transaction:end', () => void after());
      const first = one.transaction(() => count(one));
      const called = reasonOf(one.transaction({ signal: controller.signal }, () => count(one)));
      const others = [1, 2, 3].map(() => one.transaction(() => count(one)));
      await first;
      off();
      expect(await called).toMatchObject(ABORTED);
      await Promise.all(others);
    }
    expect(await counted()).toBe(80);
  });

  test('while what failed is rolled back, to be run again: it hears of that, not of the failure', async () => {
    await planFailures(database(), '40001', 1);
    const controller = new AbortController();
    const error = await errorOf(
      db().transaction({ signal: controller.signal }, async () => {
        try {
          await sql`select fail_as_planned()`.execute(db().kysely());
        } finally {
          setImmediate(() => controller.abort(MINE)); // ROLLBACK has left by then, and is not answered
        }
      }),
    );
    expect(error).toMatchObject(ABORTED);
  });

  test('in the pause before another attempt', async () => {
    await planFailures(database(), '40001', 1_000);
    const controller = new AbortController();
    const off = db().on('transaction:retry', ({ pauseMs }) => pauseMs > 0 && controller.abort(MINE));
    const error = await errorOf(
      db().transaction({ signal: controller.signal, attempts: 1_000 }, () =>
        sql`select fail_as_planned()`.execute(db().kysely()),
      ),
    );
    off();
    expect(error).toMatchObject(ABORTED);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  test('before it begins: nothing is sent', async () => {
    const sent: FrameworkEvents['statement:end'][] = [];
    const off = db().on('statement:end', (event) => sent.push(event));
    let bodies = 0;
    const gone = AbortSignal.abort(MINE);
    expect(await errorOf(db().transaction({ signal: gone }, () => Promise.resolve((bodies += 1))))).toMatchObject(
      ABORTED,
    );
    expect(await errorOf(db().use({ signal: gone }, () => Thing.find(1)))).toMatchObject(ABORTED);
    off();
    expect([bodies, sent]).toEqual([0, []]);
  });

  test('by the signal of a nested one: the outermost with it', async () => {
    const controller = new AbortController();
    await whileLocked(async () => {
      const attempt = errorOf(
        db().transaction(async () => {
          await db().use(() => Thing.find(2).then((thing) => thing.update({ counted: 1 })));
          await db().transaction({ signal: controller.signal, savepoint: true }, () => count(db()));
        }),
      );
      await untilBlocked(database());
      controller.abort(MINE);
      expect(await attempt).toMatchObject(ABORTED);
    });
    expect((await db().use(() => Thing.find(2))).counted).toBe(0);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  test('after it has ended: nothing happens', async () => {
    const controller = new AbortController();
    await db().transaction({ signal: controller.signal }, () => count(db()));
    controller.abort(MINE);
    expect(await counted()).toBe(1);
  });

  test('what is no signal is refused', async () => {
    const attempt = db().transaction({ signal: {} as AbortSignal }, () => count(db()));
    expect(await errorOf(attempt)).toMatchObject({ code: 'E_INVALID_OPTION' });
  });
});

describe('during COMMIT the truth is told', () => {
  test('it hangs and is cancelled: not committed', async () => {
    const holder = await database().pool.connect();
    await holder.query('select pg_advisory_lock(1)');
    const controller = new AbortController();
    const attempt = errorOf(
      db().transaction({ signal: controller.signal }, () => sql`insert into slow values (1)`.execute(db().kysely())),
    );
    await untilBlocked(database());
    controller.abort(MINE);
    expect(await attempt).toMatchObject(ABORTED);
    await holder.query('select pg_advisory_unlock(1)');
    holder.release();
    expect((await database().pool.query('select from slow')).rowCount).toBe(0);
  });

  test('it has taken effect by then: the value is given', async () => {
    const network = await FaultyNetwork.before(database().url);
    const far = await connect({ url: network.url, poolSize: 2 });
    const controller = new AbortController();
    let committing: number | undefined;
    network.judge = (bytes, direction, pair) => {
      if (direction === 'to server' && /commit\0/i.test(bytes.toString('latin1'))) committing = pair;
      if (direction === 'to client' && pair === committing) controller.abort(MINE); // the answer is on its way
      return 'pass';
    };
    expect(await far.transaction({ signal: controller.signal }, () => count(far).then(() => 'done'))).toBe('done');
    expect(controller.signal.aborted).toBe(true);
    expect(await counted()).toBe(1);
    await expectHealthy(far, 2);
    await far.close();
    await network.close();
  });
});

describe('queries are called off', () => {
  test.each<[what: string, run: (on: Database) => Promise<unknown>]>([
    ['a read', (on) => sql`select from things where id = 1 for update`.execute(on.kysely())],
    ['a write', (on) => count(on)],
    ['a statement of a model', () => Thing.where({ id: 1 }).increment({ counted: 1 })],
    ['a save', () => Thing.find(1).then((thing) => thing.update({ counted: 1 }))],
  ])('%s that waits for a lock', async (_what, run) => {
    const one = await open({ poolSize: 1 });
    const controller = new AbortController();
    await whileLocked(async () => {
      const attempt = errorOf(one.use({ signal: controller.signal }, () => run(one)));
      await untilBlocked(database());
      controller.abort(MINE);
      expect(await attempt).toMatchObject(ABORTED);
      await sql`select 1`.execute(one.kysely()); // the session is in use again, and the cancel has hit nothing in it
    });
    expect(await counted()).toBe(0);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  test('inside a transaction: with the transaction', async () => {
    const controller = new AbortController();
    await whileLocked(async () => {
      const attempt = errorOf(db().transaction(() => db().use({ signal: controller.signal }, () => count(db()))));
      await untilBlocked(database());
      controller.abort(MINE);
      expect(await attempt).toMatchObject(ABORTED);
    });
  });

  test('a transaction inside of use() is called off too', async () => {
    const controller = new AbortController();
    await whileLocked(async () => {
      const attempt = errorOf(db().use({ signal: controller.signal }, () => db().transaction(() => count(db()))));
      await untilBlocked(database());
      controller.abort(MINE);
      expect(await attempt).toMatchObject(ABORTED);
    });
  });

  test('many under one signal, over and over: one listener at most, none left, the pool whole', async () => {
    const ten = await open({ poolSize: 10, applicationName: 'ten' });
    for (let round = 0; round < 5; round++) {
      const controller = new AbortController();
      await whileLocked(async () => {
        const attempts = Array.from({ length: 30 }, (_, index) =>
          errorOf(
            ten.use({ signal: controller.signal }, () =>
              index % 2 === 0 ? count(ten) : ten.transaction(() => count(ten)),
            ),
          ),
        );
        await untilBlocked(database(), 10);
        expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
        controller.abort(MINE);
        for (const error of await Promise.all(attempts)) expect(error).toMatchObject(ABORTED);
      });
      expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    }
    expect(await counted()).toBe(0);
    await untilIdle(database(), 'ten');
    await expectHealthy(ten, 10);
  });

  test('a cancel hits nothing that is sent later on the same session', async () => {
    const one = await open({ poolSize: 1 });
    for (let round = 0; round < 40; round++) {
      const controller = new AbortController();
      const query = one
        .use({ signal: controller.signal }, () => sql`select pg_sleep(0.002)`.execute(one.kysely()))
        .catch((error: unknown) => expect(error).toMatchObject(ABORTED));
      await new Promise((resolve) => setTimeout(resolve, 2)); // just about when it ends by itself
      controller.abort(MINE);
      const next = sql`select 1 as one`.execute(one.kysely());
      expect((await next).rows).toEqual([{ one: 1 }]);
      await query;
    }
  });
});

test('BEGIN is not cancelled, since what was sent along with it would take effect by itself', async () => {
  const network = await FaultyNetwork.before(database().url);
  const far = await connect({ url: network.url, poolSize: 1 });
  await count(far);
  const controller = new AbortController();
  let requests = 0;
  network.judge = (bytes, direction) => {
    if (direction === 'to server' && bytes.length === 16) requests += 1; // a request to cancel is as long as that
    const isBegin = direction === 'to server' && bytes.includes('begin ');
    if (isBegin) setImmediate(() => controller.abort(MINE));
    return isBegin ? 'hold' : 'pass';
  };
  const attempt = errorOf(far.transaction({ signal: controller.signal }, () => count(far)));
  await new Promise((resolve) => controller.signal.addEventListener('abort', resolve));
  // A request would come on a connection of its own: those that are opened later are served later.
  for (let times = 0; times < 5; times++) await (await connect({ url: network.url })).close();
  network.cutAll();
  expect(await attempt).toMatchObject(ABORTED);
  expect(requests).toBe(0);
  expect(await counted()).toBe(1);
  await far.close();
  await network.close();
});

test('the server cannot be asked to cancel: the session is closed, and its work rolled back', async () => {
  const network = await FaultyNetwork.before(database().url);
  const far = await connect({ url: network.url, poolSize: 1, connectTimeoutMs: 1_000 });
  const controller = new AbortController();
  await whileLocked(async () => {
    const attempt = errorOf(far.transaction({ signal: controller.signal }, () => count(far)));
    await untilBlocked(database());
    network.judge = () => 'hold';
    controller.abort(MINE);
    expect(await attempt).toMatchObject(ABORTED);
  });
  network.judge = () => 'pass';
  await expectHealthy(far, 1);
  await far.close();
  await network.close();
});
