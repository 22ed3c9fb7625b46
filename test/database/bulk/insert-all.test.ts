import {
  AfterCreate,
  BelongsTo,
  Check,
  Column,
  Counter,
  CreatedAt,
  Decimal,
  Id,
  Model,
  Table,
  Unique,
  UpdatedAt,
  ValidationError,
  Version,
} from 'bellwether';
import { countingTrips, errorOf, reasonOf, setUp } from '../transaction/support';

const { database, db } = setUp(`
  create table users (id bigint generated always as identity primary key, email text not null, name text,
    stock bigint not null default 0 check (stock >= 0), rank int not null default 7, version int not null,
    created_at timestamptz not null, updated_at timestamptz not null);
  create unique index on users (lower(email));
  create table posts (id bigint generated always as identity primary key, author_id bigint not null references users,
    subject_type text, subject_id bigint, content text not null check (length(content) < 10));
  create table follows (id bigint generated always as identity primary key, follower_id bigint not null references users,
    followed_id bigint not null references users, unique (follower_id, followed_id));
  create table odds (id uuid primary key, price numeric not null, tags text[] not null, data jsonb, bytes bytea,
    at timestamptz, day date, big bigint, kind text, lists jsonb[], ratio double precision);
`);

@Table('users')
class User extends Model {
  @Id() declare readonly id: bigint;
  @Column() @Unique({ caseInsensitive: true }) declare email: string;
  @Column('text', { nullable: true }) declare name: string | null;
  @Column({ default: 0n }) @Counter() declare stock: bigint;
  @Column({ databaseDefault: true }) declare rank: number;
  @Version() declare readonly version: number;
  @CreatedAt() declare createdAt: Date;
  @UpdatedAt() declare updatedAt: Date;
}

let called = 0;
@Table('posts')
class Post extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => User) declare author: BelongsTo<User>;
  declare authorId: bigint;
  @BelongsTo(() => [User, Post], { polymorphic: true, optional: true }) declare subject: BelongsTo<User | Post | null>;
  @Column() @Check('length(content) < 10', { message: 'is too long' }) declare content: string;
  @AfterCreate() note() {
    called += 1;
  }
}

@Table('follows')
class Follow extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => User) declare follower: BelongsTo<User>;
  @Unique({ scope: 'followedId' }) declare followerId: bigint;
  @BelongsTo(() => User) declare followed: BelongsTo<User>;
  declare followedId: bigint;
}

@Table('odds')
class Odd extends Model {
  @Id('uuid') declare id: string;
  @Column() declare price: Decimal;
  @Column('text[]') declare tags: readonly string[];
  @Column('jsonb', { nullable: true }) declare data: unknown;
  @Column('bytea', { nullable: true }) declare bytes: Buffer | null;
  @Column('timestamptz', { nullable: true }) declare at: Date | null;
  @Column('date', { nullable: true }) declare day: string | null;
  @Column('bigint', { nullable: true }) declare big: bigint | null;
  @Column('enum', { values: ['a', 'b'], nullable: true }) declare kind: 'a' | 'b' | null;
  @Column('jsonb[]', { nullable: true }) declare lists: readonly unknown[] | null;
  @Column('double precision', { nullable: true }) declare ratio: number | null;
}

beforeEach(() => database().pool.query('truncate users, posts, follows, odds restart identity'));

const emails = (count: number, from = 0) => Array.from({ length: count }, (_, n) => ({ email: `u${from + n}@x.org` }));
const problemsOf = async (promise: Promise<unknown>) => {
  const error = await reasonOf(promise);
  if (error instanceof ValidationError) return error.problems;
  throw error;
};

describe('insertAll', () => {
  test('fills in defaults, timestamps and the first version, and gives the keys in the order of the rows', async () => {
    const before = new Date();
    const keys = await User.insertAll([
      { email: 'z@x.org', name: 'Zoe' },
      { email: 'a@x.org', rank: 3 },
    ]);
    const [zoe, ann] = [await User.find(keys[0]!), await User.find(keys[1]!)];
    expect(zoe).toMatchObject({ email: 'z@x.org', name: 'Zoe', stock: 0n, rank: 7, version: 1 });
    expect(ann).toMatchObject({ email: 'a@x.org', name: null, rank: 3, version: 1 });
    expect(zoe.createdAt.getTime()).toBeGreaterThanOrEqual(before.getTime());
    expect(zoe.updatedAt.getTime()).toBeGreaterThanOrEqual(before.getTime());
    await zoe.update({ name: 'Zoë' });
  });

  test('without a unique rule, keys ascend in the order of the rows', async () => {
    const [ann] = await User.insertAll([{ email: 'a@x.org' }]);
    const keys = await Post.insertAll(['c', 'a', 'b'].map((content) => ({ authorId: ann!, content })));
    expect(await Post.order('id').pluck('id', 'content')).toEqual([
      [keys[0], 'c'],
      [keys[1], 'a'],
      [keys[2], 'b'],
    ]);
  });

  test('every column type comes back as it was given', async () => {
    const rows = [
      {
        id: '00000000-0000-4000-8000-000000000001',
        price: new Decimal('12345678901234567890.000000001'),
        tags: ['a,"{}', 'ö', '\\'],
        data: { deep: [1, null, '💥'] },
        bytes: Buffer.from([0, 255, 1]),
        at: new Date('2026-01-02T03:04:05.678Z'),
        day: '2026-02-03',
        big: -(2n ** 63n),
        kind: 'b' as const,
        lists: [{ a: 1 }, ['x']],
        ratio: -0,
      },
      { id: '00000000-0000-4000-8000-000000000002', price: new Decimal(1), tags: [], ratio: 0.1 + 0.2 },
    ];
    await Odd.insertAll(rows);
    const [one, other] = await Odd.order('id');
    expect(one!.price.toFixed()).toBe('12345678901234567890.000000001');
    for (const name of ['tags', 'data', 'bytes', 'at', 'day', 'big', 'kind', 'lists', 'ratio'] as const) {
      expect([name, one![name]]).toEqual([name, rows[0]![name]]);
    }
    expect(other).toMatchObject({ tags: [], data: null, bytes: null, at: null, lists: null, ratio: 0.1 + 0.2 });
  });

  test('many rows are one round trip, and 25,000 are three statements', async () => {
    await countingTrips(database(), async (tripsOf, counted) => {
      await User.insertAll(emails(2));
      expect(await tripsOf(() => User.insertAll(emails(100, 2)))).toBe(1);
      const sent: number[] = [];
      counted.on('statement:end', ({ rows }) => sent.push(rows));
      expect(await User.insertAll(emails(25_000, 1_000), { returning: 'count' })).toBe(25_000);
      expect(sent).toEqual([10_000, 10_000, 5_000]);
    });
    expect(await User.count()).toBe(25_102);
  });

  test('nothing is sent for no rows', async () => {
    await countingTrips(database(), async (tripsOf) => {
      expect(await tripsOf(async () => expect(await User.insertAll([])).toEqual([]))).toBe(0);
    });
  });

  test('what is wrong with the values of any row is told of all, before anything is sent', async () => {
    const rows = [{ email: 'a@x.org' }, { email: 3 as never, stock: -1n }, {}, { email: 'b@x.org', stock: -1n }];
    expect(await problemsOf(User.insertAll(rows))).toEqual([
      { index: 1, attribute: 'email', code: 'type', message: 'must be text' },
      { index: 2, attribute: 'email', code: 'required', message: 'must be given' },
      { index: 3, attribute: 'stock', code: 'check', message: 'must not be below 0' },
    ]);
    expect((await errorOf(User.insertAll([{ emial: 'x' } as never]))).code).toBe('E_UNKNOWN_ATTRIBUTE');
    const error = await errorOf(User.insertAll(rows));
    expect(error.message).toMatch(/row 1: email must be text; row 2: email must be given/);
  });

  test('what the constraints refuse is told with the rows, and nothing of any batch is there', async () => {
    await User.insertAll([{ email: 'Taken@x.org' }]);
    const rows = [...emails(10_001), { email: 'tAKEN@x.org' }, { email: 'U3@x.org' }];
    expect(await problemsOf(User.insertAll(rows.slice(9_990)))).toEqual([
      { index: 11, attribute: 'email', code: 'taken', message: 'is taken' },
    ]);
    expect(await problemsOf(User.insertAll(rows.filter((_, n) => n < 5 || n > 10_001)))).toEqual([
      { index: 5, attribute: 'email', code: 'taken', message: 'is taken' },
    ]);
    expect(await User.count()).toBe(1);
    const [ann] = await User.pluck('id');
    const posts = ['short', 'far too long', 'ok', 'far too long too'].map((content) => ({ authorId: ann!, content }));
    expect(await problemsOf(Post.insertAll(posts))).toEqual([
      { index: 1, attribute: 'content', code: 'check', message: 'is too long' },
      { index: 3, attribute: 'content', code: 'check', message: 'is too long' },
    ]);
  });

  test('parents are given by record or key, and each must be there', async () => {
    const [a, b] = await User.insertAll(emails(2));
    const author = await User.find(a!);
    await Post.insertAll([
      { author, content: 'one' },
      { author: b!, content: 'two', subject: author },
    ]);
    expect(await Post.order('id').pluck('authorId')).toEqual([a, b]);
    const [, second] = await Post.order('id').include('subject');
    expect((second!.subject.value as User).id).toBe(a);
    const rows = [{ author, content: 'ok' }, { authorId: 99n, content: 'no' }, { content: 'none' }];
    expect(await problemsOf(Post.insertAll(rows))).toEqual([
      { index: 2, attribute: 'author', code: 'required', message: 'must exist' },
    ]);
    expect(await problemsOf(Post.insertAll(rows.slice(0, 2)))).toEqual([
      { index: 1, attribute: 'author', code: 'required', message: 'must exist' },
    ]);
    expect(await Post.count()).toBe(2);
    expect(called).toBe(0);
  });

  test('a polymorphic parent, which no foreign key stands beneath, must be there too', async () => {
    const [a] = await User.insertAll(emails(1));
    const gone = await User.create({ email: 'gone@x.org' });
    await gone.destroy();
    const row = { authorId: a!, content: 'x' };
    expect(await problemsOf(Post.insertAll([row, { ...row, subject: gone }]))).toEqual([
      { index: 1, attribute: 'subject', code: 'required', message: 'must exist' },
    ]);
    expect(await Post.count()).toBe(0);
  });

  test('inside a transaction, a refusal is undone by itself: it can go on', async () => {
    await db().transaction(async () => {
      await User.insertAll(emails(3));
      expect(await problemsOf(User.insertAll([{ email: 'new@x.org' }, { email: 'U1@x.org' }]))).toMatchObject([
        { index: 1, code: 'taken' },
      ]);
      await User.insertAll([{ email: 'last@x.org' }]);
    });
    expect(await User.count()).toBe(4);
  });
});

describe('onConflict: ignore', () => {
  test('leaves what is there, and gives the keys of the others', async () => {
    const [a, b] = await User.insertAll(emails(2));
    const pairs = [
      { followerId: a!, followedId: b! },
      { followerId: b!, followedId: a! },
    ];
    const by = ['followedId', 'follower'] as const;
    expect(await Follow.insertAll(pairs.slice(1), { onConflict: 'ignore', by })).toHaveLength(1);
    expect(await Follow.insertAll([...pairs, ...pairs], { onConflict: 'ignore', by })).toHaveLength(1);
    expect(await Follow.insertAll(pairs, { onConflict: 'ignore', by, returning: 'count' })).toBe(0);
    expect(
      await problemsOf(Follow.insertAll([{ followerId: 99n, followedId: a! }], { onConflict: 'ignore', by })),
    ).toEqual([{ index: 0, attribute: 'follower', code: 'required', message: 'must exist' }]);
  });

  test('without regard to case, where the rule has none', async () => {
    await User.insertAll([{ email: 'Ann@x.org' }]);
    const rows = [{ email: 'ANN@x.org' }, { email: 'ben@x.org' }];
    expect(await User.insertAll(rows, { onConflict: 'ignore', by: 'email', returning: 'count' })).toBe(1);
  });

  test('needs a rule over exactly these attributes, and an index beneath it', async () => {
    const wrong = User.insertAll(emails(1), { onConflict: 'ignore', by: 'name' });
    expect((await errorOf(wrong)).code).toBe('E_NO_UNIQUE_RULE');
    expect((await errorOf(User.insertAll(emails(1), { by: 'email' } as never))).code).toBe('E_INVALID_OPTION');
    await database().pool.query('drop index users_lower_idx');
    const bare = User.insertAll(emails(1), { onConflict: 'ignore', by: 'email' });
    expect((await errorOf(bare)).code).toBe('E_UNINDEXED_RULE');
    await database().pool.query('create unique index on users (lower(email))');
  });
});

describe('upsertAll', () => {
  test('gives rows that are there what is to be updated, with version and timestamp, and no more', async () => {
    const [a] = await User.insertAll([{ email: 'a@x.org', name: 'Ann', rank: 1 }]);
    await database().pool.query(`update users set created_at = '2020-01-01', updated_at = '2020-01-01'`);
    const rows = [
      { email: 'b@x.org', name: 'Ben', rank: 2 },
      { email: 'A@x.org', name: 'Anna', rank: 9 },
    ];
    const keys = await User.upsertAll(rows, { by: 'email', update: ['name'] });
    expect(keys[1]).toBe(a);
    const [ann, ben] = await User.order('email');
    expect(ann).toMatchObject({ id: a, email: 'a@x.org', name: 'Anna', rank: 1, version: 2 });
    expect(ben).toMatchObject({ id: keys[0], name: 'Ben', rank: 2, version: 1 });
    expect(ann!.createdAt.getUTCFullYear()).toBe(2020);
    expect(ann!.updatedAt.getUTCFullYear()).toBeGreaterThan(2020);
  });

  test('a record that was read before it is stale', async () => {
    const ann = await User.create({ email: 'a@x.org' });
    await User.upsertAll([{ email: 'a@x.org', name: 'theirs' }], { by: 'email', update: ['name'] });
    expect((await errorOf(ann.update({ name: 'mine' }))).code).toBe('E_STALE_RECORD');
  });

  test('the same key twice is refused with the row', async () => {
    const rows = [{ email: 'a@x.org' }, { email: 'b@x.org' }, { email: 'A@x.org' }];
    expect(await problemsOf(User.upsertAll(rows, { by: 'email', update: ['name'] }))).toEqual([
      { index: 2, attribute: 'email', code: 'taken', message: 'is taken' },
    ]);
    expect(await User.count()).toBe(0);
  });

  test('costs one round trip', async () => {
    await countingTrips(database(), async (tripsOf) => {
      const upsert = () => User.upsertAll(emails(50), { by: 'email', update: ['name'], returning: 'count' });
      await upsert();
      expect(await tripsOf(async () => expect(await upsert()).toBe(50))).toBe(1);
    });
  });

  test.each([
    ['the key', 'id', 'E_INVALID_OPERAND'],
    ['what it goes by', 'email', 'E_INVALID_OPERAND'],
    ['the version', 'version', 'E_READONLY_ATTRIBUTE'],
    ['what there is not', 'emial', 'E_UNKNOWN_ATTRIBUTE'],
  ])('cannot update %s', async (_name, name, code) => {
    expect((await errorOf(User.upsertAll(emails(1), { by: 'email', update: [name as never] }))).code).toBe(code);
  });
});
