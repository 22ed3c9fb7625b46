import { connect } from 'bellwether';
import { countRoundTrips } from 'bellwether/testing';
import { feed, newestOfEach, walk } from '../../../apps/microblog/feed';
import * as blog from '../../../apps/microblog/operations';
import { conversation, followers, following, profile, timeline, userline } from '../../../apps/microblog/reading';
import { Micropost } from '../../../models/microblog/micropost';
import { Relationship } from '../../../models/microblog/relationship';
import { User } from '../../../models/microblog/user';
import { createTestMicroblog, somebody } from './microblog-database';
import type { TestMicroblog } from './microblog-database';
import { race } from './racing';

let microblog: TestMicroblog;
beforeAll(async () => (microblog = await createTestMicroblog({ poolSize: 8 })));
afterAll(() => microblog.close());

/**
 * 2,000 users of whom every tenth has written, most of 20,000 posts by a few. Somebody who follows those who write all
 * the time, somebody who follows only those who never do, and somebody who follows those who once did.
 */
async function createWorld(): Promise<Record<'busy' | 'silent' | 'past' | 'few', User>> {
  const [busy, silent, past, few] = [await somebody(), await somebody(), await somebody(), await somebody()];
  const { pool } = microblog.database;
  await pool.query(`
    insert into users (username, email, password_hash)
      select 'other_' || n, 'other_' || n || '@example.org', '' from generate_series(1, 2000) as n;
    insert into relationships (follower_id, followed_id)
      select id, id from users where username like 'other%';`);
  const follow = (user: User, from: number, to: number) =>
    pool.query(
      `insert into relationships (follower_id, followed_id)
        select $1, users.id from generate_series($2::int, $3) as n join users on username = 'other_' || n`,
      [user.id, from, to],
    );
  await follow(busy, 1, 900);
  await follow(past, 1001, 1900);
  await follow(silent, 1901, 2000);
  await follow(few, 1, 3);
  // The last of 1001 to 1900 is written before the first of the others.
  await pool.query(`
    insert into microposts (author_id, content, version)
      select users.id, 'post ' || n, 1 from generate_series(1, 20000) as n
      join users on username = 'other_' || case when n < 2000 then 1001 + n % 900 else 1 + n * 7 % 900 end order by n;
`);
  await pool.query('vacuum analyze');
  return { busy, silent, past, few };
}

let world: Awaited<ReturnType<typeof createWorld>>;
beforeAll(async () => (world = await createWorld()));

/** By the definition of a feed, however long it takes. */
async function feedByDefinition(userId: bigint): Promise<bigint[]> {
  const { rows } = await microblog.database.pool.query<{ id: string }>(
    `select id from microposts where author_id in (select followed_id from relationships where follower_id = $1)
      order by id desc`,
    [userId],
  );
  return rows.map(({ id }) => BigInt(id));
}

describe('the feed', () => {
  test.each(['busy', 'silent', 'past', 'few'] as const)(
    'of one who is %s is what it should be, on every page',
    async (who) => {
      const { id: userId } = world[who];
      const expected = (await feedByDefinition(userId)).slice(0, 700);
      const seen: bigint[] = [];
      let after: string | undefined;
      do {
        const page = await feed({ userId, size: 70, after });
        seen.push(...page.records.map(({ id }) => id));
        after = page.next;
      } while (after !== undefined && seen.length < 700);
      expect(seen).toEqual(expected);
    },
  );

  test('goes on behind a post that has gone', async () => {
    const { id: userId } = world.few;
    const first = await feed({ userId, size: 2 });
    const last = first.records.at(-1)!;
    const second = await feed({ userId, size: 2, after: first.next });
    await blog.deletePost({ authorId: last.authorId, postId: last.id });
    expect(await ids(feed({ userId, size: 2, after: first.next }))).toEqual(second.records.map(({ id }) => id));
  });

  test.each(['x', '', '1.5', '-1', '9'.repeat(19)])('refuses the cursor %j', async (after) => {
    await expect(feed({ userId: 1n, size: 2, after })).rejects.toMatchObject({ code: 'E_INVALID_CURSOR' });
  });

  test('is read by indexes, with a bounded number of rows, whoever reads it', async () => {
    for (const who of ['busy', 'silent', 'past', 'few'] as const) {
      const { id } = world[who];
      const followed = await Relationship.where({ followerId: id }).count();
      for (const before of [undefined, 15_000n]) {
        const walked = await planOf(walk(id, 21, before));
        expect([walked.wholeTables, walked.sorted]).toEqual([[], 0]);
        expect(walked.postsRead).toBeLessThanOrEqual(followed + 22);
        const asked = await planOf(newestOfEach(id, 21, before));
        expect(asked.wholeTables).toEqual([]);
        expect(asked.sorted).toBeLessThanOrEqual(Math.max(followed, 21 * 21));
        expect(asked.postsRead).toBeLessThanOrEqual(followed + 21 * 21 + 21);
      }
    }
  });

  test('and all other pages cost the same number of round trips, whatever is on them', async () => {
    const trips: Record<string, number> = {};
    const { id: postId } =
      (await Micropost.where({ authorId: world.few.id }).first()) ??
      (await blog.post({ authorId: world.few.id, content: 'x' }));
    await blog.reply({ authorId: world.busy.id, content: 'yes', inReplyToId: postId });
    await blog.reply({ authorId: world.past.id, content: 'yes', inReplyToId: postId });
    const other = await User.where({ username: 'other_1' }).firstOrFail();
    const counter = await countRoundTrips(microblog.database.url);
    const db = await connect({ url: counter.url, poolSize: 1 });
    const count = async (name: string, run: () => Promise<unknown>) => (trips[name] = await counter.count(run));
    try {
      await db.use(async () => {
        await Micropost.first(); // the session is open by now
        const size = 30;
        await count('feed, busy', () => feed({ userId: world.busy.id, size, after: '15000' }));
        await count('feed, of the past', () => feed({ userId: world.past.id, size }));
        await count('userline', () => userline(world.busy.id, { size }));
        await count('timeline', () => timeline({ size, after: undefined }));
        await count('followers', () => followers(other.id, { size }));
        await count('following', () => following(world.busy.id, { size }));
        await count('profile', () => profile(world.busy.username, world.few.id));
        await count('conversation', () => conversation(postId, { size }));
      });
    } finally {
      await db.close();
      await counter.close();
    }
    // The records, what goes with them, COMMIT; what is asked for at once travels at once.
    expect(trips).toEqual({
      'feed, busy': 3,
      'feed, of the past': 5,
      userline: 3,
      timeline: 3,
      followers: 3,
      following: 3,
      profile: 3,
      conversation: 4,
    });
  });
});

const ids = async (page: Promise<{ readonly records: readonly { readonly id: bigint }[] }>) =>
  (await page).records.map(({ id }) => id);

interface Plan {
  /** Whether the posts were read from end to end. */
  readonly wholeTables: readonly string[];
  /** The most rows that went into a sort. */
  readonly sorted: number;
  /** The rows that were read of the posts, those that a filter removed too. */
  readonly postsRead: number;
}

async function planOf(query: ReturnType<typeof walk>): Promise<Plan> {
  const lines = await query.explain({ analyze: true });
  const rowsOf = (line: string) => {
    const [, rows = '0', loops = '1'] = /rows=([\d.]+) loops=(\d+)/.exec(line.slice(line.indexOf('actual'))) ?? [];
    return Math.round(Number(rows) * Number(loops));
  };
  let postsRead = 0;
  let sorted = 0;
  lines.forEach((line, index) => {
    if (/Scan.* on microposts/.test(line)) {
      const removed = lines.slice(index + 1, index + 5).map((next) => /Rows Removed by Filter: (\d+)/.exec(next)?.[1]);
      postsRead += rowsOf(line) + Number(removed.find((rows) => rows !== undefined) ?? 0);
    }
    if (/->\s+Sort /.test(line))
      sorted = Math.max(sorted, rowsOf(lines.slice(index + 1).find((next) => next.includes('actual'))!));
  });
  const wholeTables = lines.filter((line) => line.includes('Seq Scan on microposts')).map((line) => line.trim());
  return { wholeTables, sorted, postsRead };
}

test('a post is in the userline and in the feed of whoever follows, or in neither, while all that changes', async () => {
  const { db } = microblog;
  const [author, reader] = [await somebody(), await somebody()];
  const pair = { userId: reader.id, otherId: author.id };
  let isWriting = true;
  const ofAuthor = async (
    page: Promise<{ readonly records: readonly { readonly id: bigint; readonly authorId: bigint }[] }>,
  ) => (await page).records.filter(({ authorId }) => authorId === author.id).map(({ id }) => id);
  const look = async () => {
    let [looks, shared] = [0, 0];
    while (isWriting) {
      await db.snapshot(async () => {
        const isFollowed = await Relationship.where({ followerId: reader.id, followedId: author.id }).exists();
        const written = await ofAuthor(userline(author.id, { size: 50 }));
        const fed = await ofAuthor(feed({ userId: reader.id, size: 50 }));
        expect(fed).toEqual(isFollowed ? written : []);
        looks++;
        if (fed.length > 0) shared++;
      });
    }
    return { looks, shared };
  };
  const write = async () => {
    for (let n = 0; n < 12; n++) {
      await blog.follow(pair);
      const { id: postId } = await blog.post({ authorId: author.id, content: `post ${n}` });
      await race(
        blog.deletePost({ authorId: author.id, postId }),
        blog.unfollow(pair),
        blog.post({ authorId: author.id, content: 'another' }),
      );
      await race(blog.follow(pair), blog.block({ userId: author.id, otherId: reader.id }));
      await blog.unblock({ userId: author.id, otherId: reader.id });
    }
    await race(
      blog.follow(pair),
      blog.deleteUser({ userId: author.id }),
      blog.post({ authorId: author.id, content: 'the last' }),
    );
  };
  const [, ...watched] = await Promise.all([write().finally(() => (isWriting = false)), look(), look()]);
  expect(watched.every(({ looks, shared }) => looks > shared && shared > 0)).toBe(true);
  expect(await ofAuthor(feed({ userId: reader.id, size: 50 }))).toEqual([]);
});

test('no author is missing from a page while users are deleted', async () => {
  const reader = await somebody();
  const authors = await Promise.all(Array.from({ length: 8 }, () => somebody()));
  for (const { id } of authors) {
    await blog.follow({ userId: reader.id, otherId: id });
    await blog.post({ authorId: id, content: 'hello' });
  }
  let isDeleting = true;
  const look = async () => {
    while (isDeleting) {
      for (const { author } of (await feed({ userId: reader.id, size: 20 })).records)
        expect(author.value).not.toBeNull();
      for (const { author } of (await timeline({ size: 20 })).records) expect(author.value).not.toBeNull();
      for (const { followed } of (await following(reader.id, { size: 20 })).records)
        expect(followed.value).not.toBeNull();
    }
  };
  const remove = async () => {
    for (const { id: userId } of authors) await blog.deleteUser({ userId });
  };
  await Promise.all([remove().finally(() => (isDeleting = false)), look(), look()]);
});
