import { BelongsTo, Column, connect, HasMany, Id, Model, Table } from 'bellwether';
import type { ConnectOptions, Database, Guarantee, HasMany as Many, SessionOptions } from 'bellwether';
import { countRoundTrips } from 'bellwether/testing';
import { Replication } from '../../support/replication';
import type { TestServer } from '../../support/replication';
import { FaultyNetwork } from '../transaction/proxy';
import { errorOf } from '../transaction/support';

@Table('notes')
class Note extends Model {
  @Id('integer') declare readonly id: number;
  @Column() declare text: string;
  @HasMany(() => Whereabouts) declare here: Many<Whereabouts>;
  @HasMany(() => Whereabouts) declare there: Many<Whereabouts>;
}

/** Says which server answered. */
@Table('whereabouts')
class Whereabouts extends Model {
  @Id('integer') declare readonly id: number;
  @Column('integer') declare port: number;
  @BelongsTo(() => Note) declare note: BelongsTo<Note>;
}

let replication: Replication;
let primary: TestServer;
let near: TestServer;
let far: TestServer;
const opened: Database[] = [];

beforeAll(async () => {
  replication = await Replication.start(
    2,
    `create table notes (id int primary key, text text not null);
     create view whereabouts as select 1 as id, inet_server_port() as port, 1 as note_id, '1'::xid as xmin, '(0,1)'::tid as ctid;
     insert into notes values (1, 'old');`,
  );
  primary = replication.primary;
  [near, far] = replication.replicas as [TestServer, TestServer];
});
afterAll(async () => {
  await Promise.all(opened.map((db) => db.close()));
  await replication.stop();
});

const open = async (replicas: readonly (TestServer | string)[], options: ConnectOptions = {}): Promise<Database> => {
  const urls = replicas.map((replica) => (typeof replica === 'string' ? replica : replica.url));
  const db = await connect({ url: primary.url, replicas: urls, poolSize: 4, replicaRetryMs: 1, ...options });
  opened.push(db);
  return db;
};
const portOf = ({ url }: { readonly url: string }) => Number(new URL(url).port);
const whereabouts = async () => (await Whereabouts.query().pluck('port'))[0];
const text = async () => (await Note.find(1)).text;

/** Asks until it is so, at most ten seconds long. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await isSo())) if (Date.now() > deadline) throw new Error('Did not happen within ten seconds.');
}
async function pause(replica: TestServer): Promise<void> {
  await replica.query('select pg_wal_replay_pause()');
  await until(
    async () => (await replica.query('select pg_get_wal_replay_pause_state() as state'))[0]!.state === 'paused',
  );
}
const resume = (replica: TestServer) => replica.query('select pg_wal_replay_resume()');
/** All replicas show `text`, and then stand still where they are told to. */
async function begin(text: string, paused: readonly TestServer[]): Promise<void> {
  await Promise.all([resume(near), resume(far)]);
  await primary.query(`update notes set text = '${text}' where id = 1`);
  for (const replica of [near, far]) {
    await until(async () => (await replica.query('select text from notes where id = 1'))[0]!.text === text);
  }
  for (const replica of paused) await pause(replica);
}
const at = (guarantees: readonly Guarantee[]): SessionOptions => ({ guarantees, timeoutMs: 0 });

test('outside of a session nothing goes to a replica; inside, what only reads and stands alone does', async () => {
  const db = await open([near]);
  await begin('old', []);
  await db.use(async () => {
    expect(await whereabouts()).toBe(portOf(primary));
    await db.session(async () => {
      expect(await whereabouts()).toBe(portOf(near));
      expect(await db.snapshot(whereabouts)).toBe(portOf(near));
      expect(await db.transaction(whereabouts)).toBe(portOf(primary));
      expect(await db.transaction({ readOnly: true }, whereabouts)).toBe(portOf(primary));
      expect(
        await db.kysely<{ whereabouts: { port: number } }>().selectFrom('whereabouts').select('port').execute(),
      ).toEqual([
        { port: portOf(primary) }, // kysely's queries may write, for all that is known
      ]);
    });
    expect(await whereabouts()).toBe(portOf(primary));
  });
});

const WRITES: [how: string, write: (db: Database) => Promise<unknown>][] = [
  ['a single statement', () => Note.where({ id: 1 }).updateAll({ text: 'new' })],
  ['a save', async (db) => db.transaction(async () => (await Note.find(1)).update({ text: 'new' }))],
  [
    'a transaction at read committed',
    (db) => db.transaction({ isolation: 'read committed' }, () => Note.where({ id: 1 }).updateAll({ text: 'new' })),
  ],
];
describe.each(WRITES)('read your writes, after %s', (_how, write) => {
  test.each([
    ['without the guarantee the old row is read', [], 'old'],
    ['with it the new one, from the primary', ['read your writes'], 'new'],
  ] as const)('%s', async (_what, guarantees, expected) => {
    const db = await open([near]);
    await begin('old', [near]);
    await db.session(at(guarantees), async () => {
      expect(await text()).toBe('old');
      await write(db);
      expect(await text()).toBe(expected);
      expect(await db.snapshot(text)).toBe(expected);
    });
  });
});

test('a replica that comes up to it while a read waits is the one that answers', async () => {
  const db = await open([near]);
  await begin('old', [near]);
  await db.session({ timeoutMs: 30_000 }, async () => {
    await Note.where({ id: 1 }).updateAll({ text: 'new' });
    const reading = Promise.all([text(), whereabouts()]);
    await resume(near);
    expect(await reading).toEqual(['new', portOf(near)]);
  });
});

describe('monotonic reads', () => {
  test.each([
    ['without the guarantee time goes backwards', [], 'old'],
    ['with it, it does not', ['monotonic reads'], 'new'],
  ] as const)('from one replica to another that is behind: %s', async (_what, guarantees, expected) => {
    const [ahead, behind] = [await open([near]), await open([far])];
    await begin('old', [far]);
    await primary.query(`update notes set text = 'new' where id = 1`);
    await until(async () => (await near.query('select text from notes where id = 1'))[0]!.text === 'new');
    const token = await ahead.session(at(guarantees), async (session) => {
      expect([await text(), await whereabouts()]).toEqual(['new', portOf(near)]);
      return session.token;
    });
    expect(await behind.session({ ...at(guarantees), token }, text)).toBe(expected);
  });

  test('from the primary to a replica that is behind', async () => {
    const db = await open([near]);
    await begin('old', [near]);
    await primary.query(`update notes set text = 'new' where id = 1`);
    await db.session(at(['monotonic reads']), async () => {
      expect(await text()).toBe('old');
      expect(await db.transaction(text)).toBe('new');
      expect(await text()).toBe('new');
    });
  });
});

test('one of two replicas has caught up: it answers, and the other one is not taken for as far', async () => {
  const db = await open([near, far]);
  await begin('old', [far]);
  await db.session({ timeoutMs: 30_000 }, async () => {
    await Note.where({ id: 1 }).updateAll({ text: 'new' });
    for (let read = 0; read < 20; read++) expect([await text(), await whereabouts()]).toEqual(['new', portOf(near)]);
  });
});

describe('tokens', () => {
  test('a session goes on where another process left it', async () => {
    const [one, other] = [await open([near]), await open([near])];
    await begin('old', [near]);
    const token = await one.session(async (session) => {
      await Note.where({ id: 1 }).updateAll({ text: 'new' });
      return session.token;
    });
    expect(await other.session(at(['read your writes']), text)).toBe('old');
    expect(await other.session({ ...at(['read your writes']), token }, text)).toBe('new');
    expect(token).toMatch(/^[\w.-]+$/); // fits into a cookie
  });

  test.each(['', 'x', '1.0-0', '1.0-0.0-0.0-0', '2.0-0.0-0', '1.0-0.zz', '1.123456789-0.0-0'])(
    '%p is none',
    async (token) => {
      const db = await open([near]);
      const error = await errorOf(db.session({ token }, text));
      expect(error).toMatchObject({ code: 'E_INVALID_SESSION_TOKEN', recovery: 'fix-the-input' });
    },
  );

  test.each(['1.FFFFFFFF-FFFFFFFF.0-0', '1.0-0.FFFFFFFF-FFFFFFFF', '1.unknown.0-0'])(
    '%s: what no replica has is read from the primary',
    async (token) => {
      const db = await open([near]);
      await begin('old', []);
      expect(await db.session({ token, timeoutMs: 0 }, whereabouts)).toBe(portOf(primary));
    },
  );
});

test('a session inside another keeps what the outer one is promised, and tells it what it wrote', async () => {
  const db = await open([near]);
  await begin('old', [near]);
  await db.session(at(['read your writes']), async () => {
    await db.session(at([]), () => Note.where({ id: 1 }).updateAll({ text: 'new' }));
    expect(await text()).toBe('new');
    expect(await db.session(at([]), text)).toBe('new');
  });
});

test('ifBehind: fail refuses what would burden the primary', async () => {
  const db = await open([near]);
  await begin('old', [near]);
  await db.session({ timeoutMs: 0, ifBehind: 'fail' }, async () => {
    expect(await text()).toBe('old');
    await Note.where({ id: 1 }).updateAll({ text: 'new' });
    for (const read of [text, () => db.snapshot(text)]) {
      expect(await errorOf(read())).toMatchObject({ code: 'E_REPLICA_BEHIND', recovery: 'try-later' });
    }
  });
});

test('a snapshot on a replica is one picture, and refuses writes', async () => {
  const db = await open([near]);
  await begin('old', []);
  await db.session(async () => {
    await db.snapshot(async () => {
      expect(await text()).toBe('old');
      await primary.query(`update notes set text = 'new' where id = 1`);
      await until(async () => (await near.query('select text from notes where id = 1'))[0]!.text === 'new');
      expect(await text()).toBe('old');
    });
    const writing = db.snapshot(() => Note.where({ id: 1 }).updateAll({ text: 'newer' }));
    expect(await errorOf(writing)).toMatchObject({ code: 'E_READ_ONLY' });
  });
});

test('a session costs no round trip', async () => {
  const [front, back] = [await countRoundTrips(primary.url), await countRoundTrips(near.url)];
  const db = await open([back.url], { url: front.url, poolSize: 1 });
  await begin('old', []);
  await db.session({ timeoutMs: 30_000 }, async () => {
    await text();
    await Note.find(1);
    const trips = async (body: () => Promise<unknown>) => {
      let atFront = 0;
      const atBack = await back.count(async () => (atFront = await front.count(body)));
      return { atFront, atBack };
    };
    expect(await trips(text)).toEqual({ atFront: 0, atBack: 1 });
    expect(await trips(() => Note.include('here', 'there').toArray())).toEqual({ atFront: 0, atBack: 2 });
    expect(await trips(() => Note.where({ id: 1 }).updateAll({ text: 'new' }))).toEqual({ atFront: 1, atBack: 0 });
    const saved = await trips(() => db.transaction(() => Note.where({ id: 1 }).updateAll({ text: 'newer' })));
    expect(saved).toEqual({ atFront: 2, atBack: 0 });
  });
  await Promise.all([front.close(), back.close()]);
});

test('the associations of one record are read on one replica, however many there are', async () => {
  const db = await open([near, far]);
  await begin('old', []);
  const ports = new Set<number>();
  await db.session({ timeoutMs: 30_000 }, async () => {
    for (let round = 0; round < 20; round++) {
      const { here, there } = await Note.include('here', 'there').find(1);
      expect(there.value[0]!.port).toBe(here.value[0]!.port);
      ports.add(here.value[0]!.port);
    }
  });
  expect(ports).toEqual(new Set([portOf(near), portOf(far)]));
});

test('a replica that cannot be reached is left alone, and asked again later', async () => {
  const network = await FaultyNetwork.before(near.url);
  const db = await open([network.url]);
  await begin('old', []);
  const left: string[] = [];
  db.on('replica:left', ({ why }) => left.push(why));
  await db.session(async () => {
    expect(await whereabouts()).toBe(portOf(near));
    network.isClosed = true;
    network.cutAll();
    expect([await whereabouts(), await db.snapshot(whereabouts)]).toEqual([portOf(primary), portOf(primary)]);
    expect(left).toContain('unreachable');
    network.isClosed = false;
    await until(async () => (await whereabouts()) === portOf(near));
  });
  await network.close();
});

test('a replica that became a primary is no replica any more', async () => {
  const db = await open([far]);
  await begin('old', []);
  const left: string[] = [];
  db.on('replica:left', ({ why }) => left.push(why));
  await db.session(async () => {
    expect(await whereabouts()).toBe(portOf(far));
    await far.query('select pg_promote()');
    expect(await whereabouts()).toBe(portOf(primary));
    expect(left).toContain('not a replica');
  });
});

test('options that cannot work are refused', async () => {
  const db = await open([near]);
  for (const options of [{ guarantees: ['read my writes'] }, { timeoutMs: -1 }, { ifBehind: 'wait' }]) {
    expect(await errorOf(db.session(options as SessionOptions, text))).toMatchObject({ code: 'E_INVALID_OPTION' });
  }
});
