import { BelongsTo, Column, HasMany, Id, Model, Table, Validates, ValidationError } from 'bellwether';
import type { HasManyThrough } from 'bellwether';
import { countRoundTrips } from 'bellwether/testing';
import { errorOf, setUp } from '../transaction/support';

@Table('users')
class User extends Model {
  @Id('integer') declare readonly id: number;
  @Column() declare name: string;
  @HasMany(() => Relationship, { foreignKey: 'followerId' }) declare out: HasMany<Relationship>;
  @HasMany(() => Relationship, { foreignKey: 'followedId' }) declare in: HasMany<Relationship>;
  @HasMany(() => User, { through: 'out', source: 'followed' }) declare following: HasManyThrough<User>;
  @HasMany(() => User, { through: 'in', source: 'follower' }) declare followers: HasManyThrough<User>;
  @HasMany(() => Post) declare posts: HasMany<Post>;
  @HasMany(() => Note, { through: 'posts' }) declare notes: HasManyThrough<Note>;
  @HasMany(() => Reader, { through: 'posts' }) declare readers: HasManyThrough<Reader>;
}

@Table('relationships')
class Relationship extends Model {
  @Id('integer') declare readonly id: number;
  @BelongsTo(() => User) declare follower: BelongsTo<User>;
  @BelongsTo(() => User) declare followed: BelongsTo<User>;
}

@Table('posts')
class Post extends Model {
  @Id('integer') declare readonly id: number;
  @BelongsTo(() => User) declare user: BelongsTo<User>;
  @BelongsTo(() => Reader, { optional: true }) declare reader: BelongsTo<Reader | null>;
  @HasMany(() => Note, { as: 'subject' }) declare notes: HasMany<Note>;
}

@Table('readers')
class Reader extends Model {
  @Id('text') declare readonly id: string;
}

@Table('notes')
class Note extends Model {
  @Id('integer') declare readonly id: number;
  @BelongsTo(() => [Post, User], { polymorphic: true }) declare subject: BelongsTo<Post | User>;
}

const { database, db, open } = setUp(`
  create table users (id int primary key, name text not null);
  create table relationships (id int primary key, follower_id int not null, followed_id int not null);
  create table readers (id text primary key);
  create table posts (id int primary key, user_id int not null, reader_id text);
  create table notes (id int primary key, subject_type text not null, subject_id int not null);
  insert into users select i, 'user ' || i from generate_series(1, 6) i;
  insert into relationships values (1, 1, 4), (2, 1, 2), (3, 1, 2), (4, 2, 1), (5, 3, 2), (6, 5, 99);
  insert into readers values ('a'), ('b');
  insert into posts values (1, 1, 'b'), (2, 1, 'a'), (3, 2, null), (4, 1, 'b');
  insert into notes values (1, 'Post', 1), (2, 'User', 1), (3, 'Post', 3), (4, 'Post', 2), (5, 'Post', 1);`);

const ids = (records: Iterable<{ readonly id: unknown }>) => [...records].map(({ id }) => id);

describe('has many through', () => {
  test('gives the far end, each record once, by primary key', async () => {
    const [one, two, six] = await Promise.all([User.find(1), User.find(2), User.find(6)]);
    expect(ids(await one.following.load())).toEqual([2, 4]);
    expect(ids(await two.followers.load())).toEqual([1, 3]);
    expect(ids(await six.following.load())).toEqual([]);
    expect([one.following.isLoaded, six.followers.isLoaded]).toEqual([true, false]);
    expect(ids(await one.readers.load())).toEqual(['a', 'b']);
    expect(ids(await one.notes.load())).toEqual([1, 4, 5]); // not that of the user with the same key
    expect(ids(await (await User.find(5)).following.load())).toEqual([]); // the one followed is gone
  });

  test('is a query to narrow, sort, count and page', async () => {
    const one = await User.find(1);
    expect(ids(await one.following.query().where('name', '>', 'user 2'))).toEqual([4]);
    expect(ids(await one.following.query().order('id', 'desc').limit(1))).toEqual([4]);
    expect(await one.following.query().count()).toBe(2);
    expect(await one.notes.query().countBy('subjectType' as never)).toEqual(new Map([['Post', 3]]));
    const { records, next } = await one.following.query().page({ size: 1 });
    expect(ids(records)).toEqual([2]);
    expect(ids((await one.following.query().page({ size: 1, after: next })).records)).toEqual([4]);
  });

  test('is included with two queries for any number of owners', async () => {
    const counter = await countRoundTrips(database().url);
    const far = await open({ url: counter.url, poolSize: 1 });
    await far.use(async () => {
      await User.order('id').include('following');
      expect(await counter.count(() => User.order('id').include('following').toArray())).toBe(3);
      const users = await User.order('id').include('following', 'followers', 'notes', 'readers');
      expect(users.map(({ following }) => ids(following))).toEqual([[2, 4], [1], [2], [], [], []]);
      expect(users.map(({ followers }) => ids(followers.value))).toEqual([[2], [1, 3], [], [1], [], []]);
      expect(users.map(({ notes }) => ids(notes))).toEqual([[1, 4, 5], [3], [], [], [], []]);
      expect(users.map(({ readers }) => readers.length)).toEqual([2, 0, 0, 0, 0, 0]);
      expect(() => (users[0]!.following.value as unknown[]).push(1)).toThrow(TypeError);
    });
    await far.close();
    await counter.close();
  });

  test('of a record that has no key yet: nobody', async () => {
    expect(await User.new({ name: 'new' }).following.load()).toEqual([]);
  });

  test('says when it was not loaded, and forgets with a reload', async () => {
    const one = await User.find(1);
    expect(() => (one.following as unknown as { value: unknown }).value).toThrow(/following/);
    await one.following.load();
    await one.reload();
    expect(one.following.isLoaded).toBe(false);
  });

  test('is no attribute: it can be neither assigned nor given', async () => {
    const one = await User.find(1);
    expect(() => Object.assign(one, { following: [] })).toThrow(TypeError);
    const error = await errorOf(User.create({ id: 9, name: 'x', following: [] } as never));
    expect(error.message).toMatch(/following/);
  });
});

/** Nobody is followed by more than two. */
@Table('relationships')
class Follow extends Model {
  @Id('integer') declare readonly id: number;
  @BelongsTo(() => User) declare follower: BelongsTo<User>;
  @BelongsTo(() => User) declare followed: BelongsTo<User>;

  @Validates()
  async fewFollowers(): Promise<void> {
    const { followers } = await this.followed.load();
    if ((await followers.query().count()) >= 2) this.errors.add('followed', 'has followers enough');
  }
}

describe.each(['read committed', 'repeatable read', 'serializable'] as const)('read by a rule at %s', (isolation) => {
  test('stays true until the commit', async () => {
    await database().pool.query('delete from relationships where followed_id = 6');
    const follow = (follower: number) =>
      db().transaction({ isolation }, () => Follow.create({ id: 1_000 + follower, follower, followed: 6 }));
    const results = await Promise.allSettled([1, 2, 3, 4, 5].map(follow));
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    expect(refused).toHaveLength(3);
    for (const error of refused) expect(error).toBeInstanceOf(ValidationError);
    const { rowCount } = await database().pool.query('select from relationships where followed_id = 6');
    expect(rowCount).toBe(2);
  });
});
