import { ISOLATION_LEVELS } from 'bellwether';
import type { Database } from 'bellwether';
import { audit } from '../../../apps/microblog/audit';
import { allHold } from '../../../apps/web/findings';
import * as blog from '../../../apps/microblog/operations';
import { Block } from '../../../models/microblog/block';
import { Micropost } from '../../../models/microblog/micropost';
import { Relationship } from '../../../models/microblog/relationship';
import { User } from '../../../models/microblog/user';
import { barrier, untilBlocked } from '../../database/transaction/support';
import { createTestMicroblog, somebody } from './microblog-database';
import type { TestMicroblog } from './microblog-database';
import { everyRound, race } from './racing';

// Every two operations that can be in each other's way, one against the other, many times; each at the level that it
// declares, in a small pool and in a large one.

const ROUNDS = 6;

let microblog: TestMicroblog;
beforeAll(async () => (microblog = await createTestMicroblog()));
afterAll(() => microblog.close());

const followers = (user: User) => Relationship.where({ followedId: user.id }).pluck('followerId');
const pairOf = (user: User, other: User) => ({ userId: user.id, otherId: other.id });

describe.each([4, 16])('in a pool of %i', (poolSize) => {
  let db: Database;
  beforeAll(async () => (db = await microblog.open({ poolSize })));
  afterEach(async () => expect(allHold(await audit(db))).toBe(true));

  const raced = (name: string, round: () => Promise<void>) => test(name, () => db.use(() => everyRound(ROUNDS, round)));

  raced('of many who register with one name and one address, one does', async () => {
    const [name, address] = [`one_${Math.random().toString(36).slice(2, 12)}`, `${Math.random()}@example.org`];
    const outcome = await race(
      ...[name, name, name.toUpperCase(), name.toUpperCase()].map((username) => somebody({ username, email: address })),
    );
    expect(outcome.done).toBe(1);
    for (const code of outcome.codes) expect(code).toMatch(/^(username|email): taken/);
    expect(await User.where({ username: name }).count()).toBe(1);
  });

  raced('to follow many times at once is to follow once', async () => {
    const [ann, ben] = [await somebody(), await somebody()];
    const follow = () => blog.follow(pairOf(ann, ben));
    expect(await race(follow(), follow(), follow(), follow())).toEqual({ done: 4, codes: [] });
    expect((await followers(ben)).sort()).toEqual([ann.id, ben.id]);
  });

  raced('following and unfollowing: the one or the other is the last', async () => {
    const [ann, ben] = [await somebody(), await somebody()];
    const outcome = await race(blog.follow(pairOf(ann, ben)), blog.unfollow(pairOf(ann, ben)));
    expect(outcome).toEqual({ done: 2, codes: [] });
  });

  raced('following against a block: the block is there, and nobody follows', async () => {
    const [ann, ben] = [await somebody(), await somebody()];
    const { codes } = await race(
      ...[blog.follow(pairOf(ben, ann)), blog.block(pairOf(ann, ben)), blog.follow(pairOf(ben, ann))],
    );
    expect(codes.filter((code) => code !== 'followed: blocked')).toEqual([]);
    expect(await Block.where({ blockerId: ann.id, blockedId: ben.id }).count()).toBe(1);
    expect(await followers(ann)).toEqual([ann.id]);
  });

  raced('two who block each other while they follow each other: nobody follows', async () => {
    const [ann, ben] = [await somebody(), await somebody()];
    const { codes } = await race(
      ...[blog.follow(pairOf(ben, ann)), blog.block(pairOf(ann, ben))],
      ...[blog.follow(pairOf(ann, ben)), blog.block(pairOf(ben, ann))],
    );
    expect(codes.filter((code) => code !== 'followed: blocked')).toEqual([]);
    expect([await followers(ann), await followers(ben)]).toEqual([[ann.id], [ben.id]]);
  });

  raced('following somebody who goes, and somebody going who follows', async () => {
    const [ann, ben, cai] = [await somebody(), await somebody(), await somebody()];
    const { codes } = await race(
      ...[blog.follow(pairOf(ann, ben)), blog.deleteUser({ userId: ben.id }), blog.follow(pairOf(ben, cai))],
    );
    expect(codes.filter((code) => !/^(followed|follower): required$/.test(code))).toEqual([]);
    expect(
      await Relationship.where((is) => is.or([is({ followerId: ben.id }), is({ followedId: ben.id })])).count(),
    ).toBe(0);
  });

  raced('blocking somebody who goes', async () => {
    const [ann, ben] = [await somebody(), await somebody()];
    const { codes } = await race(blog.block(pairOf(ann, ben)), blog.deleteUser({ userId: ben.id }));
    expect(codes.filter((code) => code !== 'blocked: required')).toEqual([]);
    expect(await Block.where({ blockedId: ben.id }).count()).toBe(0);
  });

  raced('posting while the author goes', async () => {
    const ann = await somebody();
    const post = () => blog.post({ authorId: ann.id, content: 'still here' });
    const { codes } = await race(post(), blog.deleteUser({ userId: ann.id }), post());
    expect(codes.filter((code) => code !== 'author: required')).toEqual([]);
    expect(await Micropost.where({ authorId: ann.id }).count()).toBe(0);
  });

  raced('answering a post that goes, or whose author goes', async () => {
    const [ann, ben] = [await somebody(), await somebody()];
    const { id: inReplyToId } = await blog.post({ authorId: ann.id, content: 'anybody there?' });
    const reply = () => blog.reply({ authorId: ben.id, content: 'yes', inReplyToId });
    const gone =
      Math.random() < 0.5
        ? blog.deletePost({ authorId: ann.id, postId: inReplyToId })
        : blog.deleteUser({ userId: ann.id });
    const { codes } = await race(reply(), gone, reply());
    expect(codes.filter((code) => !/^(inReplyTo: required)(, conversation: required)?$/.test(code))).toEqual([]);
    expect(await Micropost.where({ authorId: ben.id }).count()).toBe(0);
  });

  raced('answering against a block: before it, or not at all', async () => {
    const [ann, ben] = [await somebody(), await somebody()];
    const { id: inReplyToId } = await blog.post({ authorId: ann.id, content: 'anybody there?' });
    const reply = () => blog.reply({ authorId: ben.id, content: 'yes', inReplyToId });
    const { codes } = await race(reply(), blog.block(pairOf(ann, ben)), reply());
    expect(codes.filter((code) => code !== 'inReplyTo: blocked')).toEqual([]);
    await expect(reply()).rejects.toMatchObject({ code: 'E_VALIDATION' });
  });

  raced('of two edits of one version, one is refused', async () => {
    const ann = await somebody();
    const { id: postId } = await blog.post({ authorId: ann.id, content: 'first' });
    const edit = (content: string) => blog.edit({ authorId: ann.id, postId, content, ifVersion: 1 });
    expect(await race(edit('second'), edit('third'))).toEqual({ done: 1, codes: ['E_STALE_RECORD'] });
    expect(await Micropost.find(postId)).toMatchObject({ version: 2 });
  });

  raced('editing what goes', async () => {
    const ann = await somebody();
    const { id: postId } = await blog.post({ authorId: ann.id, content: 'first' });
    const mine = { authorId: ann.id, postId };
    const { codes } = await race(blog.edit({ ...mine, content: 'second', ifVersion: 1 }), blog.deletePost(mine));
    expect(codes.filter((code) => !['E_STALE_RECORD', 'E_RECORD_NOT_FOUND'].includes(code))).toEqual([]);
    expect(await Micropost.where({ id: postId }).count()).toBe(0);
  });

  raced('of many who delete one user, one does', async () => {
    const ann = await somebody();
    const go = () => blog.deleteUser({ userId: ann.id });
    const { done, codes } = await race(go(), go(), go());
    expect(done).toBe(1);
    for (const code of codes) expect(['E_STALE_RECORD', 'E_RECORD_NOT_FOUND']).toContain(code);
  });

  test('two who follow, block and answer each other go at once', () =>
    db.use(() =>
      everyRound(3, async () => {
        const [ann, ben] = [await somebody(), await somebody()];
        const both = [ann.id, ben.id];
        for (const [one, other] of [
          [ann, ben],
          [ben, ann],
        ] as const) {
          const { id: inReplyToId } = await blog.post({ authorId: one.id, content: 'a post' });
          await blog.reply({ authorId: other.id, content: 'a reply', inReplyToId });
          await blog.follow(pairOf(one, other));
        }
        const outcome = await race(...both.map((userId) => blog.deleteUser({ userId })));
        expect(outcome).toEqual({ done: 2, codes: [] });
        expect(await Micropost.where({ authorId: both }).count()).toBe(0);
      }),
    ));
});

// The rule stands on the models. So whoever makes the records, at whatever level both sides are, it holds.
describe.each(ISOLATION_LEVELS)('a relationship against a block, both written at %s', (isolation) => {
  test('neither committed before the other has written: the block is there, and nobody follows', () =>
    everyRound(ROUNDS, async () => {
      const { db, database } = microblog;
      const [ann, ben] = [await somebody(), await somebody()];
      const meet = barrier(2);
      /** Stays in its transaction until the other has written too, or waits for this one. */
      const overlapping = (write: () => Promise<unknown>) =>
        db.transaction({ isolation }, async () => {
          await write();
          await Promise.race([meet(), untilBlocked(database)]);
        });
      const { codes } = await race(
        overlapping(() => Relationship.create({ follower: ben, followed: ann })),
        overlapping(() => Block.create({ blocker: ann, blocked: ben })),
      );
      expect(codes.filter((code) => code !== 'followed: blocked')).toEqual([]);
      expect(await Block.where({ blockerId: ann.id, blockedId: ben.id }).count()).toBe(1);
      expect(await followers(ann)).toEqual([ann.id]);
    }));
});
