import { InvalidCursorError, sql, transactional } from 'bellwether';
import type { Page, Query } from 'bellwether';
import { Micropost } from '../../models/microblog/micropost';

// The feed: the newest posts of those whom a user follows. It is read from the posts themselves, by two queries that
// were measured (docs/decisions/0013-feed.md). Both go by indexes whatever the planner thinks of the numbers: a subquery
// in the place of a value is never turned into a join, nor is one with a limit of its own.

export interface FeedOptions {
  readonly userId: bigint;
  /** How many posts at most. */
  readonly size: number;
  /** The `next` of the page before. */
  readonly after?: string | undefined;
}

/** A post with its author. */
export type ShownPost = Awaited<ReturnType<typeof shown>>[number];
const shown = (posts: Query<Micropost>) => posts.include('author').toArray();

/**
 * A page of the feed, newest first; one snapshot, so that no author is missing whom somebody deletes in between.
 *
 * The walk goes back over the newest posts of all, as many as the user follows people, and picks. A feed in which
 * something happens has its page after some dozens. Else each of those followed is asked for their newest post, which
 * costs about what the walk has cost; the page can only be by those whose newest are the newest of all. So a page costs
 * no more with a million posts than with a thousand, however deep.
 */
export const feed = transactional(
  { isolation: 'repeatable read', readOnly: true, name: 'feed' },
  async ({ userId, size, after }: FeedOptions): Promise<Page<ShownPost>> => {
    const before = after === undefined ? undefined : cursorOf(after);
    const walked = await shown(walk(userId, size + 1, before));
    const posts = walked.length > size ? walked : await shown(newestOfEach(userId, size + 1, before));
    const records = posts.slice(0, size);
    return { records, next: posts.length > size ? String(records.at(-1)!.id) : undefined };
  },
);

/** The feed's posts among the last ones of all: as many are looked at as the user follows people. */
export function walk(userId: bigint, limit: number, before?: bigint): Query<Micropost> {
  const top = before === undefined ? sql`(select max(id) + 1 from microposts)` : sql`${before}::bigint`;
  const followed = sql`(select count(*) from relationships where follower_id = ${userId})`;
  const posts = Micropost.whereSql(sql<boolean>`id >= ${top} - ${followed}`).whereSql(
    sql<boolean>`(select true from relationships where follower_id = ${userId} and followed_id = author_id)`,
  );
  return (before === undefined ? posts : posts.where('id', '<', before)).order('id', 'desc').limit(limit);
}

const PAST_ALL = 2n ** 63n - 1n;

/**
 * The same posts, however old. The page's posts of one author are asked for as what stands before a place in the index,
 * not as what is that author's: of the latter the planner has a guess, and where the guess is few it reads all of them
 * and sorts.
 */
export function newestOfEach(userId: bigint, limit: number, before = PAST_ALL): Query<Micropost> {
  const authors = sql`
    select followed_id from relationships cross join lateral (
      select id from microposts where author_id = followed_id and id < ${before} order by id desc limit 1
    ) as newest
    where follower_id = ${userId} order by newest.id desc limit ${limit}`;
  const posts = sql`
    select newest.id from (${authors}) as authors join lateral (
      select id, author_id from microposts where (author_id, id) < (authors.followed_id, ${before}::bigint)
      order by author_id desc, id desc limit ${limit}
    ) as newest on author_id = authors.followed_id
    order by newest.id desc limit ${limit}`;
  return Micropost.whereSql(sql<boolean>`id = any(array(${posts}))`)
    .order('id', 'desc')
    .limit(limit);
}

/** What the cursor says is a post's key; that post may be gone by now, its place is not. */
function cursorOf(after: string): bigint {
  if (/^\d{1,18}$/.test(after)) return BigInt(after);
  throw new InvalidCursorError('Micropost');
}
