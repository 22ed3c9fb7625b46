import { Column, connect, Id, Model, sql, Table } from 'bellwether';
import type { Database } from 'bellwether';
import { errorOf, setUp, signal, untilBlocked } from './support';
import { FaultyNetwork } from './proxy';

const { database, db } = setUp(`
  create table things (id int primary key, counted int not null default 0);
  create table slow (id int);
  create function wait_for_lock() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock(1); return null; end $$;
  create constraint trigger slow after insert on slow deferrable initially deferred for each row execute function wait_for_lock();
`);

@Table('things')
class Thing extends Model {
  @Id('integer') declare readonly id: number;
  @Column({ default: 0 }) declare counted: number;
}

let network: FaultyNetwork;
let far: Database;
beforeEach(async () => {
  await database().pool.query('truncate things, slow; insert into things values (1)');
  network = await FaultyNetwork.before(database().url);
  far = await connect({ url: network.url, poolSize: 2, connectTimeoutMs: 1_000 });
});
afterEach(async () => {
  network.judge = () => 'pass';
  await far.close();
  await network.close();
});

const isCommit = (bytes: Buffer) => /commit\0/i.test(bytes.toString('latin1'));
const count = () => sql`update things set counted = counted + 1 where id = 1`.execute(far.kysely());
const counted = async () =>
  (await database().pool.query<{ counted: number }>('select counted from things')).rows[0]!.counted;

/** Cuts the connection instead of letting the server's answer to the next COMMIT through. */
function loseNextAnswer(then: () => void = () => undefined): void {
  let committing: number | undefined;
  network.judge = (bytes, direction, pair) => {
    if (direction === 'to server' && committing === undefined && isCommit(bytes)) committing = pair;
    if (direction !== 'to client' || pair !== committing) return 'pass';
    committing = -1;
    then();
    return 'cut';
  };
}

/** Cuts the connection instead of letting the next COMMIT through. */
function loseNextCommit(): void {
  let isLost = false;
  network.judge = (bytes, direction) => {
    if (isLost || direction !== 'to server' || !isCommit(bytes)) return 'pass';
    isLost = true;
    return 'cut';
  };
}

test('the answer to COMMIT is lost: found out to be committed; resolves, and the body does not run again', async () => {
  loseNextAnswer();
  const ran: string[] = [];
  const outcomes: string[] = [];
  far.on('transaction:end', ({ outcome }) => outcomes.push(outcome));
  const value = await far.transaction(async (tx) => {
    ran.push('body');
    tx.afterCommit(() => void ran.push('effect'));
    await count();
    return 'value';
  });
  expect(value).toBe('value');
  expect(ran).toEqual(['body', 'effect']);
  expect(outcomes).toEqual(['committed']);
  expect(await counted()).toBe(1);
});

test('COMMIT itself is lost: found out not to be committed; the body runs again', async () => {
  loseNextCommit();
  const outcomes: string[] = [];
  far.on('transaction:end', ({ outcome }) => outcomes.push(outcome));
  let bodies = 0;
  await far.transaction(async () => {
    bodies += 1;
    await count();
  });
  expect(bodies).toBe(2);
  expect(outcomes).toEqual(['rolled back', 'committed']);
  expect(await counted()).toBe(1);
});

test.each([
  ['a write that found no row comes first', () => sql`update things set counted = 0 where id = 99`],
  ['a refused write in a savepoint comes first', () => sql`insert into things values (1)`],
])('the transaction is known by its number although %s', async (_what, first) => {
  loseNextAnswer();
  let bodies = 0;
  await far.transaction(async () => {
    bodies += 1;
    await far.transaction({ savepoint: true }, () => first().execute(far.kysely())).catch(() => 'refused');
    await count();
  });
  expect(bodies).toBe(1);
  expect(await counted()).toBe(1);
});

test('the transaction is known by its number although a write that found no row left along with the first', async () => {
  loseNextAnswer();
  let bodies = 0;
  await far.transaction(async () => {
    bodies += 1;
    await Promise.all([sql`update things set counted = 0 where id = 99`.execute(far.kysely()), count()]);
  });
  expect(bodies).toBe(1);
  expect(await counted()).toBe(1);
});

test.each([
  ['saves', async () => void (await (await Thing.find(1)).update({ counted: 1 }))],
  ['creates', async () => void (await Thing.create({ id: 2 }))],
  [
    'saves behind a savepoint',
    () => far.transaction({ savepoint: true }, async () => void (await (await Thing.find(1)).update({ counted: 1 }))),
  ],
])('the transaction is known by the number that comes back with a record that it %s', async (_what, write) => {
  loseNextAnswer();
  let bodies = 0;
  await far.transaction(async () => {
    bodies += 1;
    await far.use(write);
  });
  expect(bodies).toBe(1);
});

test('nothing was written: the body may run again', async () => {
  loseNextAnswer();
  let bodies = 0;
  await far.transaction(async () => {
    bodies += 1;
    await sql`update things set counted = 0 where id = 99`.execute(far.kysely());
  });
  expect(bodies).toBe(2);
});

test('the server cannot be asked: E_COMMIT_OUTCOME_UNKNOWN with the number to ask for, within a bound', async () => {
  loseNextAnswer(() => (network.isClosed = true));
  const begunAt = performance.now();
  let bodies = 0;
  const ran: string[] = [];
  const error = await errorOf(
    far.transaction(async (tx) => {
      bodies += 1;
      tx.afterCommit(() => void ran.push('committed'));
      tx.afterRollback(() => void ran.push('rolled back'));
      await count();
    }),
  );
  network.isClosed = false;
  expect(performance.now() - begunAt).toBeLessThan(15_000);
  expect(error).toMatchObject({ code: 'E_COMMIT_OUTCOME_UNKNOWN', recovery: 'ask-the-database' });
  expect(error.details).toEqual({ outcome: 'unknown', xid: expect.stringMatching(/^\d+$/) });
  const { rows } = await database().pool.query('select pg_xact_status($1::text::xid8) as status', [error.details.xid]);
  expect(rows).toEqual([{ status: 'committed' }]);
  expect([bodies, ran]).toEqual([1, []]);
  expect(await counted()).toBe(1);
});

test('the session is ended while it hangs in COMMIT: not committed, so it is run again', async () => {
  const holder = await database().pool.connect();
  await holder.query('select pg_advisory_lock(1)');
  let bodies = 0;
  const attempt = db().transaction(async () => {
    bodies += 1;
    await sql`insert into slow values (${bodies})`.execute(db().kysely());
  });
  await database().pool.query('select pg_terminate_backend($1)', [await untilBlocked(database())]);
  await untilSecond(() => bodies);
  await holder.query('select pg_advisory_unlock(1)');
  holder.release();
  await attempt;
  expect((await database().pool.query('select id from slow')).rows).toEqual([{ id: 2 }]);
});

async function untilSecond(bodies: () => number): Promise<void> {
  while (bodies() < 2) await new Promise((resolve) => setImmediate(resolve));
  await untilBlocked(database());
}

test('COMMIT hangs behind a silent network: the old session is ended, its locks are freed, the outcome is found', async () => {
  const short = await connect({ url: network.url, poolSize: 2, statementTimeoutMs: 100 });
  let committing: number | undefined;
  network.judge = (bytes, direction, pair) => {
    if (direction === 'to server' && committing === undefined && isCommit(bytes)) committing = pair;
    return pair === committing ? 'hold' : 'pass';
  };
  let bodies = 0;
  const begunAt = performance.now();
  await short.transaction(async () => {
    bodies += 1;
    await sql`update things set counted = counted + 1 where id = 1`.execute(short.kysely());
  });
  expect(performance.now() - begunAt).toBeLessThan(9_000);
  expect(bodies).toBe(2);
  expect(await counted()).toBe(1);
  await short.close();
});

const BEGIN = 'begin isolation level';
/** Spoils the next BEGIN on its way, be it a text or the name under which it was prepared. */
function spoilBegin(): Promise<void> {
  const spoilt = signal();
  network.judge = (bytes, direction) => {
    if (direction !== 'to server' || !bytes.includes(BEGIN)) return 'pass';
    for (let at = bytes.indexOf(BEGIN); at >= 0; at = bytes.indexOf(BEGIN))
      bytes.write(BEGIN.replace('level', 'LEVEE'), at);
    network.judge = () => 'pass';
    spoilt.give();
    return 'pass';
  };
  return spoilt.promise;
}

const countOne = () => Thing.where({ id: 1 }).increment({ counted: 1 });
const UNKNOWN = { code: 'E_BEGIN_FAILED', recovery: 'ask-the-database', details: { outcome: 'unknown' } };

test('BEGIN is refused where it is new: a write that left along with it is not passed off as rolled back', async () => {
  const fresh = await connect({ url: network.url, poolSize: 1 });
  const spoilt = spoilBegin();
  let later: unknown;
  const error = await errorOf(
    fresh.transaction(async () => {
      later = await countOne().catch((reason: unknown) => reason);
      await countOne();
    }),
  );
  await spoilt;
  expect(later).toMatchObject({ code: 'E_STATEMENT_FAILED', details: { sqlState: '42601' } });
  expect(error).toMatchObject(UNKNOWN);
  expect(await counted()).toBe(1);
  await fresh.transaction(countOne); // the session is not used again
  expect(await counted()).toBe(2);
  await fresh.close();
});

test('BEGIN is refused where it is known: the first statement is skipped with it, and all is run again', async () => {
  await far.transaction(countOne);
  const spoilt = spoilBegin();
  let bodies = 0;
  await far.transaction(async () => {
    bodies += 1;
    await countOne();
  });
  await spoilt;
  expect(bodies).toBe(2);
  expect(await counted()).toBe(2);
});

test('BEGIN is refused where it is known: a write of the same flight that took effect is told', async () => {
  await far.transaction(countOne);
  const spoilt = spoilBegin();
  expect(await errorOf(far.transaction(() => Promise.all([countOne(), countOne()])))).toMatchObject(UNKNOWN);
  await spoilt;
  expect(await counted()).toBe(2);
});
