import { BelongsTo, Column, HasMany, Id, Invariant, LockedBy, Model, Table, Unique, Version } from 'bellwether';
import type { BellwetherError, Database, HasMany as Many } from 'bellwether';
import { barrier, setUp, untilBlocked } from '../transaction/support';

const { database, open } = setUp(`
  create table users (id bigint generated always as identity primary key, email text not null unique,
    name text, version int not null);
  create table posts (id bigint generated always as identity primary key, author_id bigint not null);
  create table doctors (id bigint generated always as identity primary key, name text not null unique,
    ward_id int not null, on_call boolean not null);
  create table items (id bigint primary key);
  create table bids (id bigint generated always as identity primary key, item_id bigint not null references items);
`);

@Table('users')
class User extends Model {
  @Id() declare readonly id: bigint;
  @Column() @Unique() declare email: string;
  @Column('text', { nullable: true }) declare name: string | null;
  @Version() declare readonly version: number;
  @HasMany(() => Post, { dependent: 'destroy' }) declare posts: Many<Post>;
}

/** Its table has no foreign key: only locks keep its authors. */
@Table('posts')
class Post extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => User) declare author: BelongsTo<User>;
  declare authorId: bigint;
  declare userId: never;
}

@Invariant<Doctor>('somebody is on call', {
  over: 'wardId',
  having: 'count(*) filter (where on_call) > 0',
  evenEmpty: true,
})
@Invariant<Doctor>('at most three', { over: 'wardId', having: 'count(*) <= 3' })
@Table('doctors')
class Doctor extends Model {
  @Id() declare readonly id: bigint;
  @Column() @Unique() declare name: string;
  @Column() declare wardId: number;
  @Column() declare onCall: boolean;
}

@Table('items')
class Item extends Model {
  @Id('bigint', { default: 1n }) declare readonly id: bigint;
}

@LockedBy<Bid>('item')
@Table('bids')
class Bid extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Item) declare item: BelongsTo<Item>;
  declare itemId: bigint;
}

beforeEach(() => database().pool.query('truncate users, posts, doctors, items, bids restart identity'));

const one = async (query: string) =>
  Number(Object.values((await database().pool.query<Record<string, unknown>>(query)).rows[0]!)[0]);
const codeOf = async (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    (error: BellwetherError) => error.code,
  );

describe.each(['read committed', 'repeatable read', 'serializable'] as const)('at %s', (isolation) => {
  let db: Database;
  let deadlocks = 0;
  beforeAll(async () => {
    db = await open({ isolation, poolSize: 12 });
    db.on('transaction:retry', ({ error }) => {
      if ((error as BellwetherError).code === 'E_DEADLOCK') deadlocks += 1;
    });
  });
  beforeEach(() => (deadlocks = 0));

  const rows = (count: number) => Array.from({ length: count }, (_, n) => ({ email: `u${n}@x.org`, name: `${n}` }));
  const inTurns = (caller: number) => (caller % 2 === 0 ? rows(400) : rows(400).reverse());

  test('eight insert the same rows in opposite orders, ignoring what is there: each row once, no deadlock', async () => {
    const meet = barrier(8);
    const options = { onConflict: 'ignore', by: 'email', returning: 'count' } as const;
    const counts = await db.use(() =>
      Promise.all(Array.from({ length: 8 }, (_, n) => meet().then(() => User.insertAll(inTurns(n), options)))),
    );
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(400);
    expect(await one('select count(*) from users')).toBe(400);
    expect(deadlocks).toBe(0);
  });

  test('six upsert the same rows in opposite orders: none is lost, no deadlock', async () => {
    const meet = barrier(6);
    const upsert = (n: number) => User.upsertAll(inTurns(n), { by: 'email', update: ['name'] });
    await db.use(() => Promise.all(Array.from({ length: 6 }, (_, n) => meet().then(() => upsert(n)))));
    expect(await one('select count(*) from users where version = 6')).toBe(400);
    expect(deadlocks).toBe(0);
  });

  test('insertAll of children against the destruction of their parents: no orphan', async () => {
    for (let round = 0; round < 6; round++) {
      const ids = await db.use(() => User.insertAll(rows(4).map(({ email }) => ({ email: `${round} ${email}` }))));
      const meet = barrier(6);
      const post = () => meet().then(() => codeOf(Post.insertAll([...ids, ...ids].map((authorId) => ({ authorId })))));
      const destroy = (id: bigint) => meet().then(async () => codeOf((await User.find(id)).destroy()));
      const outcomes = await db.use(() => Promise.all([post(), ...ids.map(destroy), post()]));
      expect(outcomes.filter((code) => !['done', 'E_VALIDATION'].includes(code))).toEqual([]);
    }
    expect(await one('select count(*) from posts where not exists (select from users u where u.id = author_id)')).toBe(
      0,
    );
  });

  test('insertAll waits for a parent that is being deleted, and hears that it has gone', async () => {
    const [gone, stays] = await db.use(() => User.insertAll(rows(2)));
    const deleter = await database().pool.connect();
    await deleter.query('begin');
    await deleter.query('delete from users where id = $1', [gone]);
    const inserting = db.use(() => codeOf(Post.insertAll([{ authorId: stays! }, { authorId: gone! }])));
    await untilBlocked(database());
    await deleter.query('commit');
    deleter.release();
    expect(await inserting).toBe('E_VALIDATION');
    expect(await one('select count(*) from posts')).toBe(0);
  });

  test('insertAll into one group: its rule holds', async () => {
    const doctors = (caller: number) => [0, 1].map((n) => ({ name: `${caller}-${n}`, wardId: 1, onCall: true }));
    const meet = barrier(5);
    const codes = await db.use(() =>
      Promise.all(Array.from({ length: 5 }, (_, n) => meet().then(() => codeOf(Doctor.insertAll(doctors(n)))))),
    );
    expect(codes.sort()).toEqual([
      'E_INVARIANT_VIOLATION',
      'E_INVARIANT_VIOLATION',
      'E_INVARIANT_VIOLATION',
      'E_INVARIANT_VIOLATION',
      'done',
    ]);
    expect(await one('select count(*) from doctors')).toBe(2);
  });

  test('createAll into one group: its rule holds, and the records are new again', async () => {
    const meet = barrier(3);
    const create = (caller: number) =>
      meet().then(() =>
        codeOf(Doctor.createAll([0, 1].map((n) => ({ name: `${caller}-${n}`, wardId: 2, onCall: true })))),
      );
    const codes = await db.use(() => Promise.all([0, 1, 2].map(create)));
    expect(codes.sort()).toEqual(['E_INVARIANT_VIOLATION', 'E_INVARIANT_VIOLATION', 'done']);
    expect(await one('select count(*) from doctors')).toBe(2);
  });

  test('upsertAll that moves rows to another group: the rule of the one that they leave holds', async () => {
    for (let round = 0; round < 5; round++) {
      const [a, b, c] = [`a${round}`, `b${round}`, `c${round}`];
      const [from, to] = [10 + round * 10, 11 + round * 10];
      const at = (name: string, wardId: number) => ({ name, wardId, onCall: true });
      await db.use(() => Doctor.insertAll([at(a, from), at(b, from), at(c, to)]));
      const meet = barrier(2);
      const move = (name: string) =>
        meet().then(() => codeOf(Doctor.upsertAll([at(name, to)], { by: 'name', update: ['wardId'] })));
      const codes = await db.use(() => Promise.all([move(a), move(b)]));
      expect(codes.sort()).toEqual(['E_INVARIANT_VIOLATION', 'done']);
    }
  });

  test('upsertAll of a row that somebody inserts meanwhile: the group that it leaves is checked', async () => {
    const other = await database().pool.connect();
    await other.query('begin');
    await other.query(`insert into doctors (name, ward_id, on_call) values ('late', 5, true)`);
    const row = { name: 'late', wardId: 6, onCall: true };
    const moving = db.use(() => codeOf(Doctor.upsertAll([row], { by: 'name', update: ['wardId'] })));
    await untilBlocked(database());
    await other.query('commit');
    other.release();
    expect(await moving).toBe('E_INVARIANT_VIOLATION');
    expect(await one('select ward_id from doctors')).toBe(5);
  });

  test('insertAll under @LockedBy takes the root first, and waits for whoever has it', async () => {
    await db.use(() => Item.create({ id: 1n }));
    const holder = await database().pool.connect();
    await holder.query('begin');
    await holder.query('select from items where id = 1 for no key update');
    const bidding = db.use(() => codeOf(Bid.insertAll([{ itemId: 1n }, { itemId: 1n }])));
    await untilBlocked(database());
    await holder.query('commit');
    holder.release();
    expect(await bidding).toBe('done');
    expect(await db.use(() => codeOf(Bid.insertAll([{ itemId: 2n }])))).toBe('E_VALIDATION');
  });
});
