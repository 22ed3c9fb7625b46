import {
  BelongsTo,
  Column,
  DependentRecordsError,
  HasMany,
  Id,
  Model,
  StaleRecordError,
  Table,
  ValidationError,
} from 'bellwether';
import type { Database, IsolationLevel } from 'bellwether';
import { errorOf, setUp, signal, untilBlocked } from '../transaction/support';

@Table('posts')
class Post extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare title: string;
  @HasMany(() => Comment, { dependent: 'destroy' }) declare comments: HasMany<Comment>;
}
@Table('comments')
class Comment extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare text: string;
  @BelongsTo(() => Post) declare post: BelongsTo<Post>;
}

/** The same tables, with other answers to what becomes of the comments. */
@Table('posts')
class DeletingPost extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare title: string;
  @HasMany(() => Comment, { dependent: 'delete', foreignKey: 'postId' }) declare comments: HasMany<Comment>;
}
@Table('posts')
class RestrictingPost extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare title: string;
  @HasMany(() => Comment, { dependent: 'restrict', foreignKey: 'postId' }) declare comments: HasMany<Comment>;
}
@Table('comments')
class LooseComment extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare text: string;
  @BelongsTo(() => NullifyingPost, { optional: true, foreignKey: 'postId' })
  declare post: BelongsTo<NullifyingPost | null>;
}
@Table('posts')
class NullifyingPost extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare title: string;
  @HasMany(() => LooseComment, { dependent: 'nullify' }) declare comments: HasMany<LooseComment>;
}
const KINDS = { destroy: Post, delete: DeletingPost, restrict: RestrictingPost, nullify: NullifyingPost } as const;
type Dependent = keyof typeof KINDS;

const { database, db, open } = setUp(`
  create table posts (id bigint generated always as identity primary key, title text not null);
  create table comments (id bigint generated always as identity primary key, text text not null, post_id bigint);
`);

const ROUNDS = 5;
const WRITERS = 12;
const LEVELS: (IsolationLevel | undefined)[] = [undefined, 'read committed', 'repeatable read'];

const orphans = async () =>
  (
    await database().pool.query(
      'select from comments where post_id is not null and post_id not in (select id from posts)',
    )
  ).rowCount;

/** Destroys a post while others comment on it. @returns the outcomes, by their names */
async function race(
  pool: Database,
  dependent: Dependent,
  destroy: (work: () => Promise<unknown>) => Promise<unknown>,
  ...levels: (IsolationLevel | undefined)[]
) {
  const Child = (dependent === 'nullify' ? LooseComment : Comment) as typeof Comment;
  const Parent = KINDS[dependent] as unknown as typeof Post;
  const { id } = await Post.create({ title: 'a' });
  await Comment.create({ text: 'first', post: id });
  const count: Record<string, number> = {};
  const note = (what: string) => (count[what] = (count[what] ?? 0) + 1);
  const write = async (_: unknown, writer: number) => {
    const isolation = levels[writer % levels.length];
    const create = () => Child.create({ text: 'x', post: id });
    try {
      await (isolation ? pool.transaction({ isolation }, create) : create());
      note('created');
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      expect(error.problems).toEqual([{ attribute: 'post', code: 'required', message: 'must exist' }]);
      note('refused');
    }
  };
  const end = async () => {
    try {
      await destroy(async () => (await Parent.find(id)).destroy());
      note('destroyed');
    } catch (error) {
      if (!(error instanceof DependentRecordsError) && !(error instanceof StaleRecordError)) throw error;
      note('kept');
    }
  };
  await Promise.all([
    ...Array.from({ length: WRITERS / 2 }, write),
    end(),
    ...Array.from({ length: WRITERS / 2 }, write),
  ]);
  return count;
}

describe.each([false, true])('with a foreign key in the database: %s', (hasKey) => {
  let pool: Database;
  beforeAll(async () => {
    pool = await open({ poolSize: 8 });
    await database().pool.query('truncate posts, comments');
    if (hasKey) await database().pool.query('alter table comments add foreign key (post_id) references posts');
  });
  afterAll(() => database().pool.query('alter table comments drop constraint if exists comments_post_id_fkey'));

  const CASES = (Object.keys(KINDS) as Dependent[]).flatMap((dependent) =>
    LEVELS.map((isolation) => [dependent, isolation] as const),
  );
  test.each(CASES)('dependent: %s, comments written at %s: never an orphan', async (dependent, isolation) => {
    for (let round = 0; round < ROUNDS; round++) {
      const count = await pool.use(() => race(pool, dependent, (work) => work(), isolation));
      expect((count.created ?? 0) + (count.refused ?? 0)).toBe(WRITERS);
      if (dependent === 'restrict') expect(count.kept).toBe(1);
      else expect(count.destroyed).toBe(1);
      expect(await orphans()).toBe(0);
    }
  });

  const EXPLICIT = (Object.keys(KINDS) as Dependent[]).flatMap((dependent) =>
    (['read committed', 'repeatable read', 'serializable'] as const).map((level) => [dependent, level] as const),
  );
  test.each(EXPLICIT)(
    'dependent: %s, destroyed inside a transaction at %s, comments written at all levels',
    async (dependent, level) => {
      for (let round = 0; round < 3; round++) {
        const destroy = (work: () => Promise<unknown>) => pool.transaction({ isolation: level }, work);
        const count = await pool.use(() => race(pool, dependent, destroy, ...LEVELS));
        expect((count.created ?? 0) + (count.refused ?? 0)).toBe(WRITERS);
        if (dependent !== 'restrict') expect(count.destroyed).toBe(1);
        expect(await orphans()).toBe(0);
      }
    },
  );

  test('the writer comes first and is not committed yet: destroy waits for it, and takes its comment along', async () => {
    const post = await db().use(() => Post.create({ title: 'waited for' }));
    const [written, release] = [signal(), signal()];
    const writing = pool.transaction(async () => {
      await Comment.create({ text: 'late', post });
      written.give();
      await release.promise;
    });
    await written.promise;
    const destroying = db().use(() => post.destroy());
    await untilBlocked(database());
    release.give();
    await Promise.all([writing, destroying]);
    expect(await orphans()).toBe(0);
    expect(post.isDestroyed).toBe(true);
  });

  // The picture was taken before the comment, and its writer, at a weaker level by declaration, leaves no trace that
  // PostgreSQL would look at: either the foreign key tells, or the comments are locked before another picture is taken.
  test.each(['repeatable read', 'serializable'] as const)(
    'destroyed at %s after the picture was taken, the comment written at read committed in between',
    async (isolation) => {
      await database().pool.query('truncate posts, comments');
      const { id } = await db().use(() => Post.create({ title: 'seen before' }));
      let attempts = 0;
      const destroying = pool.transaction({ isolation }, async () => {
        attempts += 1;
        const post = await Post.find(id);
        if (attempts === 1) {
          await db().outsideTransaction(() =>
            db().transaction({ isolation: 'read committed' }, () => Comment.create({ text: 'unseen', post: id })),
          );
        }
        await post.destroy();
      });
      await destroying;
      expect(await orphans()).toBe(0);
      expect(attempts).toBe(2);
      await database().pool.query('truncate posts, comments');
    },
  );

  test('the destroyer comes first: the writers wait, and hear that the post must exist', async () => {
    const post = await db().use(() => Post.create({ title: 'going' }));
    const [locked, release] = [signal(), signal()];
    const destroying = pool.transaction({ isolation: 'read committed' }, async () => {
      await post.destroy();
      locked.give();
      await release.promise;
    });
    await locked.promise;
    const writing = LEVELS.map((isolation) =>
      errorOf(
        db().transaction({ ...(isolation && { isolation }) }, () => Comment.create({ text: 'x', post: post.id })),
      ),
    );
    await untilBlocked(database(), LEVELS.length);
    release.give();
    await destroying;
    for (const error of await Promise.all(writing)) {
      expect(error).toMatchObject({ code: 'E_VALIDATION', problems: [{ attribute: 'post', code: 'required' }] });
    }
    expect(await orphans()).toBe(0);
  });
});

test('a foreign key that no association declares refuses a destroy; the transaction around it goes on', async () => {
  await database().pool.query(`
    create table likes (post_id bigint not null references posts);`);
  @Table('posts')
  class BarePost extends Model {
    @Id() declare readonly id: bigint;
    @Column() declare title: string;
  }
  const post = await BarePost.create({ title: 'liked' });
  await database().pool.query('insert into likes values ($1)', [post.id]);
  await db().transaction(async () => {
    expect(await errorOf(post.destroy())).toMatchObject({
      code: 'E_DEPENDENT_RECORDS',
      recovery: 'fix-the-input',
      details: { model: 'BarePost', association: 'rows in "likes"' },
    });
    expect(post.isDestroyed).toBe(false);
    await post.update({ title: 'kept' });
  });
  expect((await database().pool.query('select title from posts where id = $1', [post.id])).rows).toEqual([
    { title: 'kept' },
  ]);
});
