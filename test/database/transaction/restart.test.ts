import { BellwetherError, Column, connect, Id, Model, sql, Table } from 'bellwether';
import type { Database, IsolationLevel } from 'bellwether';
import { Replication } from '../../support/replication';
import type { TestServer } from '../../support/replication';
import { FaultyNetwork } from './proxy';
import { barrier, signal } from './support';

@Table('accounts')
class Account extends Model {
  @Id('integer') declare readonly id: number;
  @Column('integer') declare balance: number;
}

const ACCOUNTS = 6;
const SCHEMA = `
  create table accounts (id int primary key, balance int not null);
  create table moves (name text primary key);
  create table done (name text not null);
  insert into accounts select id, 1000 from generate_series(1, ${ACCOUNTS}) id;
  alter database postgres set synchronous_commit = on;
`;

let servers: Replication;
let server: TestServer;

const unhandled: unknown[] = [];
const note = (what: unknown) => unhandled.push(what);
beforeAll(async () => {
  process.on('unhandledRejection', note).on('uncaughtExceptionMonitor', note).on('warning', note);
  servers = await Replication.start(0, SCHEMA);
  server = servers.primary;
});
afterAll(async () => {
  await servers.stop();
  process.off('unhandledRejection', note).off('uncaughtExceptionMonitor', note).off('warning', note);
  expect(unhandled).toEqual([]);
});

const MODES = ['fast', 'immediate'] as const;
type Outcome = 'committed' | 'not committed' | 'unknown';

/** What the caller is told of the outcome. Anything but the framework's errors fails the test. */
function told(error: unknown): Outcome {
  if (!(error instanceof BellwetherError)) throw new Error(`Not the framework's: ${String(error)}`, { cause: error });
  const { outcome } = error.details as { readonly outcome?: Outcome };
  return outcome ?? 'not committed';
}

const move = (on: Database, name: string, [from, to]: readonly [number, number], isolation: IsolationLevel) =>
  on.transaction({ isolation }, async () => {
    const [giver, taker] = await Account.lockAll([from, to]);
    giver.balance -= 1;
    taker.balance += 1;
    await Promise.all([giver.save(), taker.save()]);
    await sql`insert into moves (name) values (${name})`.execute(on.kysely());
  });

/** Callers that move money until they are told to stop, and what each of them was told of each move. */
function load(on: Database, isolations: readonly IsolationLevel[]) {
  const outcomes = new Map<string, Outcome>();
  let acknowledged = 0;
  let isOver = false;
  let look = () => {};
  const caller = async (isolation: IsolationLevel, index: number) => {
    const pair = [1 + (index % ACCOUNTS), 1 + ((index + 1) % ACCOUNTS)] as const;
    for (let number = 0; !isOver; number++) {
      const name = `${index}/${number}`;
      const error: unknown = await move(on, name, pair, isolation).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      outcomes.set(name, error === undefined ? 'committed' : told(error));
      if (error === undefined) acknowledged += 1;
      look();
    }
  };
  const all = on.use(() => Promise.all(isolations.map(caller)));
  /** Until so many more have been told that their money has moved. */
  const more = (count: number) => {
    const goal = acknowledged + count;
    const reached = new Promise<void>((resolve) => (look = () => acknowledged >= goal && resolve()));
    return Promise.race([reached, all]);
  };
  const stop = () => {
    isOver = true;
    return all;
  };
  return { outcomes, more, stop };
}

/** Every session of the pool can be had, none is left inside a transaction, and there are no others. */
async function expectHealthy(on: Database, poolSize: number, applicationName: string): Promise<void> {
  const meet = barrier(poolSize);
  const one = () => on.transaction(() => sql`select 1`.execute(on.kysely()).then(meet));
  await Promise.all(Array.from({ length: poolSize }, one));
  const sessions = `select state from pg_stat_activity where application_name = '${applicationName}'`;
  expect(await server.query(sessions)).toEqual(Array.from({ length: poolSize }, () => ({ state: 'idle' })));
  expect(await server.query(`select from pg_locks where locktype = 'advisory'`)).toEqual([]);
}

test.each(MODES)('restarted under load (%s): each caller is told what became of its transfer', async (mode) => {
  await server.query(`truncate moves; update accounts set balance = 1000`);
  const applicationName = `load ${mode}`;
  const db = await connect({ url: server.url, poolSize: 8, applicationName });
  const isolations = Array.from({ length: 12 }, (_, index) => (index % 3 === 2 ? 'read committed' : 'serializable'));
  const { outcomes, more, stop } = load(db, isolations);
  for (let restart = 0; restart < 4; restart++) {
    await more(100);
    await server.restart(mode);
  }
  await more(100);
  await stop();
  const told = (outcome: Outcome) => [...outcomes.keys()].filter((name) => outcomes.get(name) === outcome).sort();
  const there = (await server.query('select name from moves order by 1')).map(({ name }) => name as string);
  const isThere = new Set(there);
  expect(told('committed').filter((name) => !isThere.has(name))).toEqual([]);
  expect(told('not committed').filter((name) => isThere.has(name))).toEqual([]);
  expect(told('not committed').length).toBeGreaterThan(0); // there was somebody to hear of it
  expect(told('unknown').length).toBeLessThanOrEqual(4 * 12);
  expect(await server.query('select sum(balance)::int as sum from accounts')).toEqual([{ sum: ACCOUNTS * 1000 }]);
  await expectHealthy(db, 8, applicationName);
  await db.close();
});

const isCommit = (bytes: Buffer) => /commit\0/i.test(bytes.toString('latin1'));

/** Ends the server while a COMMIT is without its answer. What the network holds is lost when `body` has ended. */
async function loseCommit(isTaken: boolean, body: () => Promise<void>): Promise<{ error: unknown; attempts: number }> {
  const network = await FaultyNetwork.before(server.url);
  const far = await connect({ url: network.url, poolSize: 1 });
  let committing: number | undefined;
  const isHeld = signal();
  network.judge = (bytes, way, pair) => {
    if (way === 'to server' && committing === undefined && isCommit(bytes)) committing = pair;
    if (pair !== committing || (way === 'to server' && isTaken)) return 'pass';
    isHeld.give();
    return 'hold';
  };
  let attempts = 0;
  const transaction = far.transaction(async () => {
    attempts += 1;
    await sql`insert into moves (name) values ('lost')`.execute(far.kysely());
  });
  const ended = transaction.then(
    () => undefined,
    (error: unknown) => error,
  );
  try {
    await isHeld.promise;
    await body();
    network.judge = () => 'pass';
    network.cutAll();
    return { error: await ended, attempts };
  } finally {
    network.cutAll();
    await far.close();
    await network.close();
  }
}

describe('COMMIT is without its answer when the server', () => {
  const WAYS: [how: string, end: () => Promise<void>][] = [
    ['is restarted', () => server.restart('fast')],
    ['is restarted without a shutdown', () => server.restart('immediate')],
    ['crashes', () => server.crash()],
  ];
  const CRASHES = WAYS.slice(1);
  beforeEach(async () => {
    await server.query('truncate moves');
    // So that nothing reaches the log that COMMIT does not take there.
    await server.query('alter system set wal_writer_delay = 10000');
    await server.query('alter system set autovacuum = off');
    await server.query('select pg_reload_conf()');
  });
  const names = async () => (await server.query('select name from moves')).map(({ name }) => name);

  test.each(WAYS)('%s, and has not taken it: it is run again', async (_how, end) => {
    expect(await loseCommit(false, end)).toEqual({ error: undefined, attempts: 2 });
    expect(await names()).toEqual(['lost']);
  });

  test.each(WAYS)('%s, and has taken it: committed, or unknown after a crash', async (how, end) => {
    const { error, attempts } = await loseCommit(true, end);
    if (how === 'is restarted') expect(error).toBeUndefined();
    else expect(error).toMatchObject({ code: 'E_COMMIT_OUTCOME_UNKNOWN', recovery: 'ask-the-database' });
    expect([attempts, await names()]).toEqual([1, ['lost']]);
  });

  const numberUnderWay = async () =>
    (await server.query('select backend_xid as number from pg_stat_activity where backend_xid is not null'))[0]!.number;

  test.each(CRASHES)(
    '%s, and gives its number to another: that one’s end is not taken for its own',
    async (_how, end) => {
      let number: unknown;
      const { error } = await loseCommit(false, async () => {
        number = await numberUnderWay();
        await end();
        await server.query(`insert into moves (name) values ('other')`);
      });
      expect(await server.query('select name, xmin as number from moves')).toEqual([{ name: 'other', number }]);
      expect(error).toMatchObject({ code: 'E_COMMIT_OUTCOME_UNKNOWN' });
    },
  );

  test('crashes, and gives its number to another that goes on: it is run again, and the other is left alone', async () => {
    const other = await connect({ url: server.url, poolSize: 1 });
    const lost = signal();
    let ending: Promise<void> | undefined;
    const { error, attempts } = await loseCommit(false, async () => {
      const number = await numberUnderWay();
      await server.crash();
      const entered = signal();
      ending = other.transaction(async () => {
        await sql`insert into moves (name) values ('other')`.execute(other.kysely());
        entered.give();
        await lost.promise;
      });
      await entered.promise;
      expect(await numberUnderWay()).toBe(number);
    });
    lost.give();
    await ending;
    expect([error, attempts, await names()]).toEqual([undefined, 2, ['other', 'lost']]);
    await other.close();
  });
});
