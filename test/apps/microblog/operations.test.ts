import { countRoundTrips } from 'bellwether/testing';
import { connect, sql } from 'bellwether';
import { audit, checkRules, RULE_NAMES } from '../../../apps/microblog/audit';
import { allHold } from '../../../apps/web/findings';
import * as blog from '../../../apps/microblog/operations';
import { Block } from '../../../models/microblog/block';
import { Micropost } from '../../../models/microblog/micropost';
import { Relationship } from '../../../models/microblog/relationship';
import { User } from '../../../models/microblog/user';
import { createTestMicroblog, somebody } from './microblog-database';
import type { TestMicroblog } from './microblog-database';

let microblog: TestMicroblog;
beforeAll(async () => (microblog = await createTestMicroblog({ poolSize: 5 })));
afterAll(() => microblog.close());
afterEach(async () => expect(allHold(await audit(microblog.db))).toBe(true));

const follows = (user: User, other: User) => Relationship.where({ followerId: user.id, followedId: other.id }).exists();
const problemsOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: { problems?: readonly { attribute: string; code: string }[]; code: string }) =>
      error.problems?.map(({ attribute, code }) => `${attribute}: ${code}`).join(', ') ?? error.code,
  );

describe('registering', () => {
  test('a new user follows itself', async () => {
    const ann = await somebody();
    expect(await follows(ann, ann)).toBe(true);
  });

  test.each([
    [{ username: 'Ann_Lee' }, 'username: taken'],
    [{ email: 'ANN@example.org', username: 'other' }, 'email: taken'],
    [{ username: 'ann lee', email: 'x@example.org' }, 'username: matches'],
    [{ username: '1ann', email: 'x@example.org' }, 'username: matches'],
    [{ username: 'an', email: 'x@example.org' }, 'username: matches'],
    [{ username: 'fine', email: 'not an address' }, 'email: isEmail'],
    [{ username: 'fine', email: '' }, 'email: isEmail'],
  ])('%j is refused: %s', async (values, expected) => {
    if (!(await User.findBy({ username: 'ann_lee' }))) {
      await somebody({ username: 'ann_lee', email: 'ann@example.org' });
    }
    const users = await User.count();
    expect(await problemsOf(somebody(values))).toBe(expected);
    expect(await User.count()).toBe(users);
  });

  test('half a user is none: when it cannot follow itself, it is not there', async () => {
    await microblog.database.pool.query('alter table relationships add constraint fails check (id < 0) not valid');
    try {
      await expect(somebody({ username: 'half' })).rejects.toThrow();
    } finally {
      await microblog.database.pool.query('alter table relationships drop constraint fails');
    }
    expect(await User.findBy({ username: 'half' })).toBeUndefined();
  });
});

describe('following', () => {
  test('is seen from both ends, happens once, and ends', async () => {
    const [ann, ben] = [await somebody(), await somebody()];
    const pair = { userId: ann.id, otherId: ben.id };
    await blog.follow(pair);
    await blog.follow(pair);
    expect((await ann.following.query().order('id')).map(({ id }) => id)).toEqual([ann.id, ben.id]);
    expect((await ben.followers.query().order('id')).map(({ id }) => id)).toEqual([ann.id, ben.id]);
    await blog.unfollow(pair);
    expect(await follows(ann, ben)).toBe(false);
    expect(await problemsOf(blog.unfollow({ userId: ann.id, otherId: ann.id }))).toBe('E_OWN_POSTS');
    expect(await problemsOf(blog.follow({ userId: ann.id, otherId: 0n }))).toBe('followed: required');
  });

  test('a block ends it, and keeps it from beginning again; the blocker may go on following', async () => {
    const [ann, ben] = [await somebody(), await somebody()];
    await blog.follow({ userId: ben.id, otherId: ann.id });
    await blog.follow({ userId: ann.id, otherId: ben.id });
    await blog.block({ userId: ann.id, otherId: ben.id });
    await blog.block({ userId: ann.id, otherId: ben.id });
    expect([await follows(ben, ann), await follows(ann, ben)]).toEqual([false, true]);
    expect(await problemsOf(blog.follow({ userId: ben.id, otherId: ann.id }))).toBe('followed: blocked');
    expect((await ann.blocking.query()).map(({ id }) => id)).toEqual([ben.id]);
    await blog.unblock({ userId: ann.id, otherId: ben.id });
    await blog.follow({ userId: ben.id, otherId: ann.id });
    expect(await follows(ben, ann)).toBe(true);
  });

  test('nobody blocks themselves', async () => {
    const ann = await somebody();
    expect(await problemsOf(blog.block({ userId: ann.id, otherId: ann.id }))).toBe('blockedId: check');
  });
});

describe('posting', () => {
  test.each([
    ['nothing', '', 'content: check'],
    ['spaces', ' \n ', 'content: check'],
    ['280 characters', 'é'.repeat(280), 'no error'],
    ['281 characters', 'x'.repeat(281), 'content: check'],
    ['280 emoji', '🔔'.repeat(280), 'no error'],
    ['281 emoji', '🔔'.repeat(281), 'content: check'],
    ['280 letters in two parts each, composed', 'e\u0301'.repeat(280), 'no error'],
  ])('%s', async (_what, content, expected) => {
    const { id: authorId } = await somebody();
    expect(await problemsOf(blog.post({ authorId, content }))).toBe(expected);
  });

  test('a reply is in the conversation of what it answers; one that is blocked is refused', async () => {
    const [ann, ben] = [await somebody(), await somebody()];
    const first = await blog.post({ authorId: ann.id, content: 'first' });
    const second = await blog.reply({ authorId: ben.id, content: 'second', inReplyToId: first.id });
    const third = await blog.reply({ authorId: ann.id, content: 'third', inReplyToId: second.id });
    expect([first, second, third].map(({ conversationId }) => conversationId)).toEqual([null, first.id, first.id]);
    await blog.block({ userId: ann.id, otherId: ben.id });
    const refused = blog.reply({ authorId: ben.id, content: 'again', inReplyToId: first.id });
    expect(await problemsOf(refused)).toBe('inReplyTo: blocked');
    await blog.reply({ authorId: ann.id, content: 'the other way it goes', inReplyToId: second.id });
    const gone = blog.reply({ authorId: ben.id, content: 'to nobody', inReplyToId: 0n });
    expect(await problemsOf(gone)).toBe('inReplyTo: required');
  });

  test('an edit of an old version is refused; so is one of somebody else’s post', async () => {
    const [ann, ben] = [await somebody(), await somebody()];
    const { id: postId } = await blog.post({ authorId: ann.id, content: 'first' });
    const mine = { authorId: ann.id, postId };
    const edited = await blog.edit({ ...mine, content: 'second', ifVersion: 1 });
    expect(edited).toMatchObject({ content: 'second', version: 2 });
    expect(await problemsOf(blog.edit({ ...mine, content: 'third', ifVersion: 1 }))).toBe('E_STALE_RECORD');
    const others = { authorId: ben.id, postId };
    expect(await problemsOf(blog.edit({ ...others, content: 'mine', ifVersion: 2 }))).toBe('E_RECORD_NOT_FOUND');
    expect(await problemsOf(blog.deletePost(others))).toBe('E_RECORD_NOT_FOUND');
  });

  test('with a post goes all that answers it', async () => {
    const [ann, ben] = [await somebody(), await somebody()];
    const first = await blog.post({ authorId: ann.id, content: 'first' });
    const second = await blog.reply({ authorId: ben.id, content: 'second', inReplyToId: first.id });
    await blog.reply({ authorId: ann.id, content: 'third', inReplyToId: second.id });
    await blog.deletePost({ authorId: ann.id, postId: first.id });
    expect(await Micropost.where({ authorId: [ann.id, ben.id] }).count()).toBe(0);
  });
});

test('with a user goes all that is theirs, and nothing else', async () => {
  const [ann, ben, cai] = [await somebody(), await somebody(), await somebody()];
  await blog.follow({ userId: ann.id, otherId: ben.id });
  await blog.follow({ userId: ben.id, otherId: ann.id });
  await blog.follow({ userId: cai.id, otherId: ben.id });
  await blog.block({ userId: ann.id, otherId: cai.id });
  await blog.block({ userId: cai.id, otherId: ann.id });
  const bens = await blog.post({ authorId: ben.id, content: 'stays' });
  await blog.reply({ authorId: ann.id, content: 'goes', inReplyToId: bens.id });
  const anns = await blog.post({ authorId: ann.id, content: 'goes' });
  await blog.reply({ authorId: ben.id, content: 'goes with what it answers', inReplyToId: anns.id });
  await blog.deleteUser({ userId: ann.id });
  const all = { authorId: [ann.id, ben.id, cai.id] };
  expect((await Micropost.where(all)).map(({ content }) => content)).toEqual(['stays']);
  expect(await Block.where({ blockedId: [ann.id, cai.id] }).count()).toBe(0);
  expect(await follows(cai, ben)).toBe(true);
  expect(await Relationship.where({ followerId: ben.id }).pluck('followedId')).toEqual([ben.id]);
});

test('what each operation costs, in round trips', async () => {
  const [ann, ben] = [await somebody(), await somebody()];
  const pair = { userId: ann.id, otherId: ben.id };
  const { id: postId } = await blog.post({ authorId: ben.id, content: 'hello' });
  const counter = await countRoundTrips(microblog.database.url);
  const db = await connect({ url: counter.url, poolSize: 1 });
  const trips: Record<string, number> = {};
  const count = async (name: string, run: () => Promise<unknown>) => (trips[name] = await counter.count(run));
  try {
    await db.use(async () => {
      await sql`select 1`.execute(db.kysely()); // the session is open by now
      await count('register', () => somebody());
      await count('follow', () => blog.follow(pair));
      await count('unfollow', () => blog.unfollow(pair));
      await count('block', () => blog.block(pair));
      await count('unblock', () => blog.unblock(pair));
      await count('post', () => blog.post({ authorId: ann.id, content: 'hello' }));
      await count('reply', () => blog.reply({ authorId: ann.id, content: 'hello', inReplyToId: postId }));
      await blog.deleteUser({ userId: (await somebody()).id }); // which foreign keys there are is known by now
      await count('delete user', () => blog.deleteUser({ userId: ann.id }));
    });
  } finally {
    await db.close();
    await counter.close();
  }
  expect(trips).toEqual({
    register: 3,
    follow: 4,
    unfollow: 2,
    block: 4,
    unblock: 2,
    post: 2,
    reply: 4,
    'delete user': 4,
  });
});

/** With no constraint to keep them out, each rule is broken once or more. */
const BREACHES = `
  alter table microposts drop constraint microposts_author_id_fkey, drop constraint microposts_in_reply_to_id_fkey,
    drop constraint microposts_conversation_id_fkey, drop constraint microposts_content_check;
  alter table relationships drop constraint relationships_follower_id_fkey,
    drop constraint relationships_followed_id_fkey, drop constraint relationships_follower_id_followed_id_key;
  alter table blocks drop constraint blocks_blocker_id_fkey, drop constraint blocks_blocked_id_fkey,
    drop constraint blocks_blocker_id_blocked_id_key, drop constraint blocks_blocked_id_check;
  drop index users_lower_idx, users_lower_idx1;
  insert into users (username, email, password_hash)
    values ('twin', 'twin@example.org', ''), ('Twin', 'TWIN@example.org', '');
  insert into relationships (follower_id, followed_id) values (-1, -2), (-1, -2);
  insert into blocks (blocker_id, blocked_id) values (-2, -1), (-2, -1), (-3, -3);
  insert into microposts (author_id, content, in_reply_to_id, version) values (-1, '', -1, 1)`;

test('the audit finds each breach', async () => {
  const undone = new Error('undone');
  const breaches = microblog.db.transaction(async () => {
    await sql.raw(BREACHES).execute(microblog.db.kysely());
    const broken = (await checkRules(microblog.db)).filter(({ violations, detail }) => violations > 0 && detail !== '');
    expect(broken.map(({ rule }) => rule)).toEqual(RULE_NAMES.filter((rule) => !rule.includes('in the conversation')));
    throw undone;
  });
  await expect(breaches).rejects.toBe(undone);
});
