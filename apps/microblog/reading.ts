import { transactional } from 'bellwether';
import type { PageOptions } from 'bellwether';
import { Block } from '../../models/microblog/block';
import { Micropost } from '../../models/microblog/micropost';
import { Relationship } from '../../models/microblog/relationship';
import { User } from '../../models/microblog/user';

// What is read in several queries and must fit together is read from one snapshot: no post without its author, however
// many users are deleted in between. Each page costs the same however far in: see the indexes of the migration.

const SNAPSHOT = { isolation: 'repeatable read', readOnly: true } as const;

export interface Profile {
  readonly user: User;
  readonly posts: number;
  /** Others than itself. */
  readonly followers: number;
  readonly following: number;
  /** How whoever looks at it stands to it; undefined for nobody in particular, and for itself. */
  readonly standing: Standing | undefined;
}
export interface Standing {
  readonly isFollowed: boolean;
  readonly isBlocked: boolean;
  /** It has blocked whoever looks. Its posts are there for everybody all the same; what it keeps is its distance. */
  readonly hasBlocked: boolean;
}

/**
 * By name, and then by key: from one snapshot, so that it never comes up empty for somebody who is there. On a replica
 * that lags it would; in a session that has registered the user, it waits for one that does not.
 *
 * @param viewerId who looks at it
 * @throws RecordNotFoundError when nobody has that name
 */
export const profile = transactional(
  { ...SNAPSHOT, name: 'profile' },
  async (username: string, viewerId?: bigint): Promise<Profile> => {
    const user = await User.where({ username }).firstOrFail();
    const { id } = user;
    const isOther = viewerId !== undefined && viewerId !== id;
    const [posts, followers, following, standing] = await Promise.all([
      Micropost.where({ authorId: id }).count(),
      Relationship.where({ followedId: id }).count(),
      Relationship.where({ followerId: id }).count(),
      isOther ? standingOf(id, viewerId) : undefined,
    ]);
    return { user, posts, followers: followers - 1, following: following - 1, standing };
  },
);

async function standingOf(userId: bigint, viewerId: bigint): Promise<Standing> {
  const [isFollowed, isBlocked, hasBlocked] = await Promise.all([
    Relationship.where({ followerId: viewerId, followedId: userId }).exists(),
    Block.where({ blockerId: viewerId, blockedId: userId }).exists(),
    Block.where({ blockerId: userId, blockedId: viewerId }).exists(),
  ]);
  return { isFollowed, isBlocked, hasBlocked };
}

/** What one user has written, newest first. */
export const userline = transactional({ ...SNAPSHOT, name: 'userline' }, (authorId: bigint, page: PageOptions) =>
  Micropost.where({ authorId }).order('id', 'desc').include('author').page(page),
);

/** What everybody has written, newest first. */
export const timeline = transactional({ ...SNAPSHOT, name: 'timeline' }, (page: PageOptions) =>
  Micropost.query().order('id', 'desc').include('author').page(page),
);

/** Who follows a user, the latest first; without itself. */
export const followers = transactional({ ...SNAPSHOT, name: 'followers' }, (userId: bigint, page: PageOptions) =>
  Relationship.where({ followedId: userId })
    .where('followerId', '!=', userId)
    .order('id', 'desc')
    .include('follower')
    .page(page),
);

/** Whom a user follows, the latest first; without itself. */
export const following = transactional({ ...SNAPSHOT, name: 'following' }, (userId: bigint, page: PageOptions) =>
  Relationship.where({ followerId: userId })
    .where('followedId', '!=', userId)
    .order('id', 'desc')
    .include('followed')
    .page(page),
);

/** Whom a user has blocked, the latest first. */
export const blocked = transactional({ ...SNAPSHOT, name: 'blocked' }, (userId: bigint, page: PageOptions) =>
  Block.where({ blockerId: userId }).order('id', 'desc').include('blocked').page(page),
);

/** A post with its author. @throws RecordNotFoundError when there is none */
export const onePost = transactional({ ...SNAPSHOT, name: 'post by key' }, (id: bigint) =>
  Micropost.include('author').find(id),
);

/**
 * The conversation that a post is part of: the post that it began with, and a page of the replies, oldest first.
 *
 * @throws RecordNotFoundError when there is no such post
 */
export const conversation = transactional(
  { ...SNAPSHOT, name: 'conversation' },
  async (postId: bigint, page: PageOptions) => {
    const { id, conversationId } = await Micropost.find(postId);
    const rootId = conversationId ?? id;
    const [root, replies] = await Promise.all([
      Micropost.where({ id: rootId }).include('author').firstOrFail(),
      Micropost.where({ conversationId: rootId }).order('id').include('author').page(page),
    ]);
    return { root, replies };
  },
);
