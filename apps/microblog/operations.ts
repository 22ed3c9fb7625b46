import { RecordNotFoundError, transactional } from 'bellwether';
import { Block } from '../../models/microblog/block';
import { Micropost } from '../../models/microblog/micropost';
import { Relationship } from '../../models/microblog/relationship';
import { User } from '../../models/microblog/user';
import { OwnPostsError } from './errors';

// The operations of the microblog. Each says what it needs in its first line, and no body takes a lock by hand.
//
// Where a decision rests on rows that another operation may write at the same moment, it is `serializable`: by
// `forbid: ['write skew']`, which says why. Where a constraint or one statement decides, `read committed` suffices.

/**
 * E-mail and username are decided by unique indexes, at any isolation. That the user follows itself is a callback of the
 * model, inside this transaction: there is a user who does, or no user. Without: of two with one e-mail both are there,
 * or a process that dies in the middle leaves somebody who never sees their own posts.
 */
export const register = transactional(
  { isolation: 'read committed', name: 'register' },
  (values: Registration): Promise<User> => User.create(values),
);
export interface Registration {
  readonly username: string;
  readonly email: string;
  readonly passwordHash: string;
}

/** Somebody, and whom it is about. */
export interface Pair {
  readonly userId: bigint;
  readonly otherId: bigint;
}

/**
 * Both ends are locked `for key share` while the relationship is written, so that neither goes away in between; the
 * pair is unique; and the model refuses to follow whom one is blocked by. That refusal rests on a block that is *not*
 * there, while {@link block} rests on a relationship that is not there: each may miss the other without ever touching
 * the same row. That is write skew; PostgreSQL ends one of the two, which the framework runs again. To follow twice is
 * to follow.
 */
export const follow = transactional(
  { forbid: ['write skew'], name: 'follow' },
  ({ userId, otherId }: Pair): Promise<Relationship> =>
    Relationship.findOrCreateBy({ followerId: userId, followedId: otherId }),
);

/** One statement, and the row that both sides are read from: A's following and B's followers cannot disagree. */
export const unfollow = transactional(
  { isolation: 'read committed', name: 'unfollow' },
  async ({ userId, otherId }: Pair): Promise<void> => {
    if (userId === otherId) throw new OwnPostsError();
    await Relationship.where({ followerId: userId, followedId: otherId }).deleteAll();
  },
);

/** The other one no longer follows, from the same moment on from which it cannot. The other half of {@link follow}. */
export const block = transactional(
  { forbid: ['write skew'], name: 'block' },
  ({ userId, otherId }: Pair): Promise<Block> => Block.findOrCreateBy({ blockerId: userId, blockedId: otherId }),
);

export const unblock = transactional(
  { isolation: 'read committed', name: 'unblock' },
  async ({ userId, otherId }: Pair): Promise<void> => {
    await Block.where({ blockerId: userId, blockedId: otherId }).deleteAll();
  },
);

/**
 * The author is locked `for key share`, and stays until the post is there. A post is one row, from which its author's
 * userline and every follower's feed are read: it is in all of them or in none, with nothing to be kept in step.
 */
export const post = transactional(
  { isolation: 'read committed', name: 'post' },
  ({ authorId, content }: Post): Promise<Micropost> => Micropost.create({ authorId, content }),
);
export interface Post {
  readonly authorId: bigint;
  readonly content: string;
}

/**
 * The post that is answered and its author are there until the reply is, and the model refuses to answer whom one is
 * blocked by: it reads that there is no block, and what it reads stays true.
 */
export const reply = transactional(
  { forbid: ['write skew'], name: 'reply' },
  ({ authorId, content, inReplyToId }: Reply): Promise<Micropost> =>
    Micropost.create({ authorId, content, inReplyToId }),
);
export interface Reply extends Post {
  readonly inReplyToId: bigint;
}

/**
 * Whoever edits what they have read a while ago says which version that was. The write compares once more with the row
 * that was read here, so that of two edits at once one is refused, not overwritten.
 */
export const edit = transactional(
  { isolation: 'read committed', name: 'edit' },
  async ({ authorId, postId, content, ...precondition }: Edit): Promise<Micropost> => {
    const micropost = await ownPost(authorId, postId);
    return micropost.update({ content }, precondition);
  },
);
export type Edit = Post & { readonly postId: bigint } & (
    { readonly ifVersion: number } | { readonly ifMatch: string | undefined }
  );

/** With all that answers it, by the foreign keys: a reply is never seen without the post that it answers. */
export const deletePost = transactional(
  { isolation: 'read committed', name: 'delete post' },
  async ({ authorId, postId }: { readonly authorId: bigint; readonly postId: bigint }): Promise<void> => {
    const micropost = await ownPost(authorId, postId);
    await micropost.destroy({ onConflict: 'retry' });
  },
);

/**
 * Posts, relationships and blocks go too. The user is locked `for update` before these are looked for, and whoever
 * writes another one locks the user `for key share` first: they come before, and go with it, or find nobody there.
 */
export const deleteUser = transactional(
  { isolation: 'read committed', name: 'delete user' },
  async ({ userId }: { readonly userId: bigint }): Promise<void> => {
    const user = await User.find(userId);
    await user.destroy({ onConflict: 'retry' });
  },
);

/** What belongs to somebody else is answered like what is not there. */
async function ownPost(authorId: bigint, postId: bigint): Promise<Micropost> {
  const micropost = await Micropost.findBy({ id: postId, authorId });
  if (!micropost) throw new RecordNotFoundError('Micropost', 'id');
  return micropost;
}
