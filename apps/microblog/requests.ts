import { RecordNotFoundError, ValidationError } from 'bellwether';
import { Micropost } from '../../models/microblog/micropost';
import { User } from '../../models/microblog/user';
import { publish } from '../web/live';
import { checkNewPassword, hashPassword, verifyPassword } from '../web/passwords';
import { ForbiddenError, InvalidFieldsError } from '../web/refusals';
import { conversationTopic, FOLLOWING, POSTS } from './live-topics';
import * as operations from './operations';

// What visitors ask for, by page or API: the operations, what must be told of them to the pages that are open, and the
// words in which somebody is refused.

export interface NewUser {
  readonly username: string;
  readonly email: string;
  readonly password: string;
}

export async function register({ username, email, password }: NewUser): Promise<User> {
  checkNewPassword(password);
  const passwordHash = await hashPassword(password); // before the transaction: it takes a while
  return operations.register({ username, email, passwordHash });
}

/** @throws InvalidFieldsError when the password is not theirs */
export async function deleteAccount(me: User, password: string): Promise<void> {
  const isRight = await verifyPassword(password, me.passwordHash);
  if (!isRight) throw new InvalidFieldsError({ password: ['is not the one that you sign in with'] });
  await operations.deleteUser({ userId: me.id });
}

/** @throws RecordNotFoundError when nobody has that name */
export async function userCalled(username: string | undefined): Promise<User> {
  const user = username === undefined ? undefined : await User.findBy({ username });
  if (!user) throw new RecordNotFoundError('User', 'username');
  return user;
}

export async function follow(me: User, username: string | undefined): Promise<User> {
  const other = await userCalled(username);
  await unlessBlocked(`@${other.username}`, operations.follow({ userId: me.id, otherId: other.id }));
  await tellFollowing(me.id, other.id, true);
  return other;
}

export async function unfollow(me: User, username: string | undefined): Promise<User> {
  const other = await userCalled(username);
  await operations.unfollow({ userId: me.id, otherId: other.id });
  await tellFollowing(me.id, other.id, false);
  return other;
}

export async function block(me: User, username: string | undefined): Promise<User> {
  const other = await userCalled(username);
  await operations.block({ userId: me.id, otherId: other.id });
  await tellFollowing(other.id, me.id, false);
  return other;
}

export async function unblock(me: User, username: string | undefined): Promise<User> {
  const other = await userCalled(username);
  await operations.unblock({ userId: me.id, otherId: other.id });
  return other;
}

export async function post(me: User, content: string): Promise<Micropost> {
  const made = await operations.post({ authorId: me.id, content });
  await publish(POSTS, { author: String(me.id) });
  return made;
}

export async function reply(me: User, inReplyToId: bigint, content: string): Promise<Micropost> {
  await Micropost.find(inReplyToId); // or 404
  const doing = operations.reply({ authorId: me.id, content, inReplyToId });
  const made = await unlessBlocked('Who wrote this post', doing);
  await publish(POSTS, { author: String(me.id) });
  await publish(conversationTopic(made.conversationId ?? inReplyToId));
  return made;
}

export async function edit(me: User, postId: bigint, content: string, ifVersion: number): Promise<Micropost> {
  const edited = await operations.edit({ authorId: me.id, postId, content, ifVersion });
  await publish(conversationTopic(edited.conversationId ?? edited.id));
  return edited;
}

export async function deletePost(me: User, postId: bigint): Promise<void> {
  const { conversationId } = await ownPost(me, postId);
  await operations.deletePost({ authorId: me.id, postId });
  await publish(conversationTopic(conversationId ?? postId));
}

/** Somebody else's is answered like one that is not there. @throws RecordNotFoundError */
export async function ownPost(me: User, postId: bigint): Promise<Micropost> {
  const own = await Micropost.where({ id: postId, authorId: me.id }).first();
  if (!own) throw new RecordNotFoundError('Micropost', 'id');
  return own;
}

function tellFollowing(follower: bigint, followed: bigint, isFollowed: boolean): Promise<void> {
  return publish(FOLLOWING, { follower: String(follower), followed: String(followed), isFollowed });
}

async function unlessBlocked<T>(who: string, doing: Promise<T>): Promise<T> {
  try {
    return await doing;
  } catch (error) {
    const isBlocked = error instanceof ValidationError && error.problems.some(({ code }) => code === 'blocked');
    throw isBlocked ? new ForbiddenError(`${who} has blocked you.`, 'Leave them in peace.') : error;
  }
}
