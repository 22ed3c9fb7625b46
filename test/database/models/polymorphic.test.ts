import { BelongsTo, Column, HasMany, HasOne, Id, Model, Table } from 'bellwether';
import { errorOf, setUp } from '../transaction/support';

@Table('posts')
class Post extends Model {
  @Id() declare readonly id: bigint;
  @Column({ default: 'post' }) declare title: string;
  @HasMany(() => Comment, { as: 'subject', dependent: 'destroy' }) declare comments: HasMany<Comment>;
  @HasOne(() => Label, { as: 'on', dependent: 'nullify' }) declare label: HasOne<Label>;
}
@Table('photos')
class Photo extends Model {
  @Id() declare readonly id: bigint;
  @HasMany(() => Comment, { as: 'subject', dependent: 'delete' }) declare comments: HasMany<Comment>;
}
/** Says nothing of comments. */
@Table('videos')
class Video extends Model {
  @Id() declare readonly id: bigint;
}
/** Of the same table, and unknown to comments. */
@Table('videos')
class OldVideo extends Model {
  @Id() declare readonly id: bigint;
}
@Table('comments')
class Comment extends Model {
  @Id() declare readonly id: bigint;
  @Column({ default: 'text' }) declare text: string;
  @BelongsTo(() => [Post, Photo, Video], { polymorphic: true }) declare subject: BelongsTo<Post | Photo | Video>;
  declare subjectType: string;
  declare subjectId: bigint;
}
@Table('labels')
class Label extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => ({ p: Post, v: Video }), {
    polymorphic: true,
    optional: true,
    foreignKey: 'key',
    foreignType: 'kind',
  })
  declare on: BelongsTo<Post | Video | null>;
  declare key: bigint | null;
  declare kind: string | null;
}

const { database, db } = setUp(`
  create table posts (id bigint generated always as identity primary key, title text not null);
  create table photos (id bigint generated always as identity primary key);
  create table videos (id bigint generated always as identity primary key);
  create table comments (id bigint generated always as identity primary key, text text not null,
    subject_type text not null, subject_id bigint not null);
  create table labels (id bigint generated always as identity primary key, kind text, key bigint);
`);
beforeEach(() => database().pool.query('truncate posts, photos, videos, comments, labels restart identity'));
const MUST_EXIST = { attribute: 'subject', code: 'required', message: 'must exist' };

test('a record of any of the models is taken, found, loaded and included', async () => {
  const [post, photo] = [await Post.create({}), await Photo.create({})];
  const [first, second] = [await Comment.create({ subject: post }), await Comment.create({ subject: photo })];
  expect([first.subjectType, first.subjectId, second.subjectType, second.subjectId]).toEqual(['Post', 1n, 'Photo', 1n]);
  expect(await Comment.where({ subject: photo }).pluck('id')).toEqual([second.id]);
  expect(await Comment.where({ subject: [photo, post] }).count()).toBe(2);
  const found = await Comment.find(first.id);
  expect(found.subject.isLoaded).toBe(false);
  expect(await found.subject.load()).toBeInstanceOf(Post);
  const all = await Comment.include('subject').order('id');
  expect(all.map((comment) => comment.subject.value.constructor)).toEqual([Post, Photo]);
  const [included] = await Post.include('comments', 'label');
  expect(included!.comments.value.map(({ id }) => id)).toEqual([first.id]);
  expect(included!.comments.value[0]!.subject.isLoaded).toBe(true);
  expect(included!.label.value).toBeNull();
});

test('the other side makes and counts its own only', async () => {
  const [post, photo, video] = [await Post.create({}), await Photo.create({}), await Video.create({})];
  const comment = await post.comments.create({ text: 'a' });
  await photo.comments.create({ text: 'b' });
  await Comment.create({ subject: video });
  expect(await comment.subject.load()).toBe(post);
  expect((await photo.comments.load()).map(({ text }) => text)).toEqual(['b']);
  expect(await post.comments.query().count()).toBe(1);
  expect((await post.label.create({})).kind).toBe('p');
});

test('an unsaved parent is adopted when it is saved; another takes its place', async () => {
  const [post, photo] = [Post.new({}), Photo.new({})];
  const comment = Comment.new({ subject: post });
  expect(await errorOf(comment.save())).toMatchObject({ problems: [MUST_EXIST] });
  await post.save();
  await comment.save();
  expect(comment.subjectId).toBe(post.id);
  await photo.save();
  comment.subject.set(photo);
  expect([comment.subjectType, comment.subject.isLoaded]).toEqual(['Photo', true]);
  await comment.save();
  expect(await (await Comment.find(comment.id)).subject.load()).toBeInstanceOf(Photo);
  comment.subjectType = 'Post';
  expect(comment.subject.isLoaded).toBe(false);
});

test('a parent that is missing, gone, or of a model that nobody lists', async () => {
  expect(await errorOf(Comment.create({}))).toMatchObject({ problems: [MUST_EXIST] });
  expect(await errorOf(Comment.create({ subjectType: 'Post', subjectId: 9n }))).toMatchObject({
    problems: [MUST_EXIST],
  });
  expect(await errorOf(Comment.create({ subjectType: 'Label', subjectId: 1n }))).toMatchObject({
    problems: [MUST_EXIST],
  });
  expect(await errorOf(Label.create({ kind: 'p' }))).toMatchObject({
    problems: [{ attribute: 'on', code: 'required' }],
  });
  const label = await Label.create({});
  expect(await label.on.load()).toBeNull();
  expect(() => Comment.new({ subject: label as unknown as Post })).toThrow('no Post or Photo or Video');
  expect(() => Comment.new({ subject: 1n as unknown as Post })).toThrow('no Post or Photo or Video');
  const comment = await Comment.create({ subject: await Post.create({}) });
  await database().pool.query(`update comments set subject_type = 'Song'`);
  await comment.reload();
  expect(await errorOf(comment.subject.load())).toMatchObject({ code: 'E_UNKNOWN_PARENT_TYPE' });
  expect(await errorOf(Comment.include('subject').toArray())).toMatchObject({ code: 'E_UNKNOWN_PARENT_TYPE' });
  expect(() => Comment.where({ subject: 1n })).toThrow('a key alone does not say');
});

describe('destroying the parent', () => {
  test('does what is declared to its own, and to no others of the same key', async () => {
    const [post, photo] = [await Post.create({}), await Photo.create({})];
    for (const subject of [post, photo]) await Comment.create({ subject });
    const label = await post.label.create({});
    await post.destroy();
    expect(await Comment.order('id').pluck('subjectType')).toEqual(['Photo']);
    expect([await label.reload().then(() => label.key), label.kind]).toEqual([null, null]);
    await photo.destroy();
    expect(await Comment.count()).toBe(0);
  });

  test('is refused where nothing is declared, as a foreign key would; also through another model of the table', async () => {
    const video = await Video.create({});
    const comment = await Comment.create({ subject: video });
    const expected = { code: 'E_DEPENDENT_RECORDS', details: { association: 'rows in "comments"' } };
    expect(await errorOf(video.destroy())).toMatchObject(expected);
    expect(await errorOf((await OldVideo.find(video.id)).destroy())).toMatchObject(expected);
    await comment.destroy();
    await video.destroy();
    expect(await Video.count()).toBe(0);
  });
});

test('the models as they are declared are verified; that nothing can stand beneath is no mismatch', async () => {
  await expect(db().verify()).resolves.toEqual([]);
});

test('mistakes are told with class and property', () => {
  @Table('one')
  class One extends Model {
    @Id('uuid') declare readonly id: string;
    @HasMany(() => Comment, { as: 'subject' }) declare comments: HasMany<Comment>;
  }
  @Table('two')
  class Two extends Model {
    @Id() declare readonly id: bigint;
    @BelongsTo(() => [Post, One], { polymorphic: true }) declare it: BelongsTo<Post | One>;
    @BelongsTo(() => [], { polymorphic: true }) declare none: BelongsTo<object>;
  }
  let message = '';
  try {
    Two.new({});
  } catch (error) {
    message = (error as Error).message;
  }
  expect(message).toContain("Two.it: Two.itId is bigint, but One's @Id is uuid.");
  expect(message).toContain('Two.none: lists no model.');
  expect(message).toContain('One.comments: Comment.subject does not list One.');
});
