import { BeforeSave, BelongsTo, Column, HasMany, HasOne, Id, Model, Table } from 'bellwether';
import type { HasMany as Many, HasManyThrough, HasOne as One, Query } from 'bellwether';
import { countingTrips, errorOf, setUp } from '../transaction/support';

const { database, db } = setUp(`
  create table users (id bigint generated always as identity primary key, name text not null);
  create table posts (id bigint generated always as identity primary key, user_id bigint not null references users,
    parent_id bigint references posts, content text not null, likes int not null default 0);
  create table follows (id bigint generated always as identity primary key, follower_id bigint not null references users,
    followed_id bigint not null references users);
  create table comments (id bigint generated always as identity primary key, subject_type text not null,
    subject_id bigint not null, text text not null);
`);

@Table('users')
class User extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare name: string;
  @HasMany(() => Post) declare posts: Many<Post>;
  @HasOne(() => Post) declare best: One<Post>;
  @HasMany(() => Follow, { foreignKey: 'followerId' }) declare follows: Many<Follow>;
  @HasMany(() => User, { through: 'follows', source: 'followed' }) declare following: HasManyThrough<User>;
  @HasMany(() => Comment, { as: 'subject' }) declare comments: Many<Comment>;
  seen?: number;
  @BeforeSave({ if: (user: User) => user.name === 'looks' }) async look() {
    const [ann] = await User.where({ name: 'Ann' }).include({ posts: (posts) => posts.order('id').limit(2) });
    this.seen = ann!.posts.length;
  }
}

@Table('posts')
class Post extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => User) declare user: BelongsTo<User>;
  declare userId: bigint;
  @BelongsTo(() => Post, { optional: true }) declare parent: BelongsTo<Post | null>;
  @HasMany(() => Post, { foreignKey: 'parentId' }) declare replies: Many<Post>;
  @HasMany(() => Comment, { as: 'subject' }) declare comments: Many<Comment>;
  @Column() declare content: string;
  @Column({ default: 0 }) declare likes: number;
}

@Table('follows')
class Follow extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => User) declare follower: BelongsTo<User>;
  @BelongsTo(() => User) declare followed: BelongsTo<User>;
}

@Table('comments')
class Comment extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => [Post, User], { polymorphic: true }) declare subject: BelongsTo<Post | User>;
  @Column() declare text: string;
}

let ann: User, ben: User, cyd: User;
beforeAll(async () => {
  [ann, ben, cyd] = (await User.createAll(['Ann', 'Ben', 'Cyd'].map((name) => ({ name })))) as [User, User, User];
  const posts = await Post.createAll([
    ...[1, 2, 3, 4].map((n) => ({ user: ann, content: `a${n}`, likes: n % 3 })),
    ...[1, 2].map((n) => ({ user: ben, content: `b${n}`, likes: n })),
  ]);
  await Post.createAll(
    [cyd, ben, cyd, ben].map((user, n) => ({ user, parent: posts[n % 2]!, content: `r${n}`, likes: 9 })),
  );
  const pairs = [
    [ann, ben],
    [ann, cyd],
    [ann, ann],
    [ben, ann],
    [ann, ben],
  ] as const;
  await Follow.createAll(pairs.map(([follower, followed]) => ({ follower, followed })));
  await Comment.createAll([
    ...[1, 2, 3].map((n) => ({ subject: posts[0]!, text: `on a1 ${n}` })),
    { subject: ann, text: 'on Ann' },
    { subject: ben, text: 'on Ben' },
  ]);
});

const contents = (posts: Iterable<Post>) => [...posts].map(({ content }) => content);

describe('an association that is refined', () => {
  test('has its limit for each record by itself, in its order', async () => {
    const users = await User.order('id').include({ posts: (posts) => posts.order('content', 'desc').limit(2) });
    expect(users.map(({ posts }) => contents(posts))).toEqual([
      ['a4', 'a3'],
      ['r3', 'r1'],
      ['r2', 'r0'],
    ]);
  });

  test('has its conditions, by attribute, in SQL, and its offset', async () => {
    const of = async (refine: (posts: Query<Post>) => Query<Post>) =>
      (await User.order('id').include({ posts: refine })).map(({ posts }) => contents(posts));
    expect(await of((posts) => posts.where('likes', '<', 3))).toEqual([['a1', 'a2', 'a3', 'a4'], ['b1', 'b2'], []]);
    expect(await of((posts) => posts.where('likes', '<', 3).limit(1))).toEqual([['a1'], ['b1'], []]);
    expect(await of((posts) => posts.order('id').offset(1).limit(2))).toEqual([['a2', 'a3'], ['b2', 'r1'], ['r2']]);
    expect(await of((posts) => posts.limit(0))).toEqual([[], [], []]);
  });

  test('is found in one round trip a level, however many there are', async () => {
    await countingTrips(database(), async (tripsOf) => {
      const read = () =>
        Post.where({ parent: null }).include('user', {
          replies: (replies) =>
            replies
              .order('id', 'desc')
              .limit(1)
              .include({ user: (user) => user.include({ posts: (all) => all.limit(1) }) }),
        });
      await read();
      let posts: Awaited<ReturnType<typeof read>> = [];
      expect(await tripsOf(async () => void (posts = await read()))).toBe(4);
      const [first, second, third] = posts;
      expect(contents(first!.replies)).toEqual(['r2']);
      expect(contents(second!.replies)).toEqual(['r3']);
      expect(third!.replies.length).toBe(0);
      expect(first!.replies.value[0]!.user.value.name).toBe('Cyd');
      expect(contents(first!.replies.value[0]!.user.value.posts)).toEqual(['r0']);
      expect(first!.user.value.name).toBe('Ann');
    });
  });

  test('has one: the first in its order', async () => {
    const users = await User.order('id').include({ best: (posts) => posts.order('likes', 'desc').order('id') });
    expect(users.map(({ best }) => best.value?.content)).toEqual(['a2', 'r1', 'r0']);
    const [none] = await User.where({ id: ann.id }).include({ best: (posts) => posts.where({ likes: 99 }) });
    expect(none!.best.value).toBeNull();
  });

  test('through another: limited for each record by itself, in one query, each record once', async () => {
    await countingTrips(database(), async (tripsOf) => {
      const named = async (refine: (users: Query<User>) => Query<User>) =>
        (await User.order('id').include({ following: refine })).map(({ following }) =>
          [...following].map((u) => u.name),
        );
      expect(await named((users) => users.order('name', 'desc'))).toEqual([['Cyd', 'Ben', 'Ann'], ['Ann'], []]);
      expect(await named((users) => users.where('name', '!=', 'Ben'))).toEqual([['Ann', 'Cyd'], ['Ann'], []]);
      const limited = () => named((users) => users.order('name', 'desc').limit(2));
      expect(await limited()).toEqual([['Cyd', 'Ben'], ['Ann'], []]);
      expect(await tripsOf(limited)).toBe(2);
    });
  });

  test('of a polymorphic association, from both sides', async () => {
    const users = await User.order('id').include({ comments: (all) => all.order('id', 'desc').limit(2) });
    expect(users.map(({ comments }) => [...comments].map(({ text }) => text))).toEqual([['on Ann'], ['on Ben'], []]);
    const [post] = await Post.order('id').include({ comments: (all) => all.order('id', 'desc').limit(2) });
    expect([...post!.comments].map(({ text }) => text)).toEqual(['on a1 3', 'on a1 2']);
    const comments = await Comment.order('id').include({ subject: (all) => all.include('comments') });
    expect(comments.map(({ subject }) => subject.value.comments.length)).toEqual([3, 3, 3, 1, 1]);
  });

  test('knows its owner without asking', async () => {
    await countingTrips(database(), async (tripsOf) => {
      const [user] = await User.order('id').include({ posts: (posts) => posts.limit(1) });
      expect(await tripsOf(async () => expect(await user!.posts.value[0]!.user.load()).toBe(user))).toBe(0);
    });
  });

  test('of those named twice the last counts', async () => {
    const [user] = await User.order('id')
      .include('posts')
      .include({ posts: (posts) => posts.limit(1) });
    expect(user!.posts.length).toBe(1);
    const [again] = await User.order('id')
      .include({ posts: (posts) => posts.limit(1) })
      .include('posts');
    expect(again!.posts.length).toBe(4);
  });

  test('goes with pages, find and first', async () => {
    const query = User.order('id').include({ posts: (posts) => posts.limit(1) });
    expect((await query.page({ size: 2 })).records.map(({ posts }) => posts.length)).toEqual([1, 1]);
    expect((await query.find(ben.id)).posts.length).toBe(1);
    expect((await query.first())!.posts.length).toBe(1);
  });

  test.each([
    ['read committed', ['posts', 'users']],
    ['repeatable read', ['posts', 'users']],
    ['serializable', []],
  ] as const)('%s: read by a callback it stays true until the commit', async (isolation, locked) => {
    const undone = new Error('undone');
    const looking = db().transaction({ isolation }, async () => {
      const user = await User.create({ name: 'looks' });
      expect(user.seen).toBe(2);
      const { rows } = await database().pool.query<{ name: string }>(
        `select distinct relation::regclass::text as name from pg_locks where mode = 'ShareRowExclusiveLock'
          and database = (select oid from pg_database where datname = current_database()) order by name`,
      );
      expect(rows.map(({ name }) => name)).toEqual(locked);
      throw undone;
    });
    await expect(looking).rejects.toBe(undone);
  });
});

test.each([
  ['narrows a belongsTo', () => Post.include({ user: (user) => user.where({ name: 'Ann' }) }), /narrows or sorts/],
  ['locks', () => User.include({ posts: (posts) => posts.lock() }), /locks/],
  ['gives something else', () => User.include({ posts: () => Promise.resolve([]) }), /gives no query/],
  ['gives another model', () => User.include({ posts: () => User.query() }), /gives a query over User instead of Post/],
] as const)('a function that %s is refused', async (_name, query, words) => {
  const error = await errorOf(db().use(async () => query()));
  expect(error.code).toBe('E_INVALID_QUERY');
  expect(error.message).toMatch(words);
  expect((await errorOf(db().use(async () => User.include({ nonsense: (all: unknown) => all } as never)))).code).toBe(
    'E_INVALID_QUERY',
  );
});
