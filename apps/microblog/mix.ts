import { randomBytes } from 'node:crypto';
import { RecordNotFoundError } from 'bellwether';
import type { BellwetherError, Database } from 'bellwether';
import { Micropost } from '../../models/microblog/micropost';
import { User } from '../../models/microblog/user';
import { loadMix } from '../load/mix';
import type { Random } from '../load/mix';
import { audit } from './audit';
import { openMicroblog } from './database';
import { feed } from './feed';
import * as blog from './operations';
import { profile, userline } from './reading';

// What many do to the microblog at the same time: few enough users that they are in one another's way.

export interface Stage {
  /** Of users who come and go under the same names. */
  readonly usernames: readonly string[];
}

const USERS = 48;

export const mix = loadMix<Stage>({
  open: openMicroblog,
  prepare: async () => {
    const series = randomBytes(4).toString('hex');
    const usernames = Array.from({ length: USERS }, (_, n) => `load_${series}_${n}`);
    const users = await Promise.all(usernames.map(comes));
    for (const { id: userId } of users) {
      for (const { id: otherId } of users.slice(0, 6)) await blog.follow({ userId, otherId });
    }
    return { usernames };
  },
  actions: [
    { name: 'read the feed', weight: 45, run: async (stage, random) => readFeed(await one(stage, random), random) },
    { name: 'read a profile', weight: 15, run: (stage, random) => profileOf(random.pick(stage.usernames)) },
    { name: 'post', weight: 12, run: async (stage, random) => say(await one(stage, random)) },
    { name: 'reply', weight: 8, run: async (stage, random) => answer(await one(stage, random), random) },
    { name: 'follow', weight: 8, run: async (stage, random) => blog.follow(await two(stage, random)) },
    { name: 'unfollow', weight: 4, run: async (stage, random) => blog.unfollow(await two(stage, random)) },
    { name: 'block', weight: 2, run: async (stage, random) => blog.block(await two(stage, random)) },
    { name: 'unblock', weight: 2, run: async (stage, random) => blog.unblock(await two(stage, random)) },
    { name: 'delete a post', weight: 2, run: async (stage, random) => takeBack(await one(stage, random)) },
    { name: 'delete a user, and come again', weight: 2, run: (stage, random) => again(random.pick(stage.usernames)) },
  ],
  // To delete what somebody else has just deleted is refused as out of date.
  isRefusal: ({ recovery, code }: BellwetherError) => recovery === 'fix-the-input' || code === 'E_STALE_RECORD',
  audit: (db: Database) => audit(db),
  tidy: async ({ usernames }) => {
    for (const { id: userId } of await User.where({ username: [...usernames] })) await blog.deleteUser({ userId });
  },
});

const comes = (username: string) =>
  blog.register({ username, email: `${username}@example.org`, passwordHash: 'nobody signs in' });

/** @throws RecordNotFoundError when the user has just gone, and not come again */
async function called(username: string): Promise<bigint> {
  const user = await User.findBy({ username });
  if (!user) throw new RecordNotFoundError('User', 'username');
  return user.id;
}

const one = ({ usernames }: Stage, random: Random) => called(random.pick(usernames));

async function two({ usernames }: Stage, random: Random): Promise<blog.Pair> {
  const first = random.whole(usernames.length);
  const second = (first + 1 + random.whole(usernames.length - 1)) % usernames.length;
  const [userId, otherId] = await Promise.all([called(usernames[first]!), called(usernames[second]!)]); // both are in it
  return { userId, otherId };
}

/** The first page, and at times the next ones. */
async function readFeed(userId: bigint, random: Random): Promise<void> {
  let page = await feed({ userId, size: 20 });
  while (page.next !== undefined && random() < 0.3) page = await feed({ userId, size: 20, after: page.next });
}

async function profileOf(username: string): Promise<void> {
  const { user } = await profile(username);
  await userline(user.id, { size: 20 });
}

const say = (authorId: bigint) => blog.post({ authorId, content: 'Something happens all the time.' });

async function answer(authorId: bigint, random: Random): Promise<void> {
  const { records } = await feed({ userId: authorId, size: 20 });
  if (records.length === 0) return;
  await blog.reply({ authorId, content: 'So it does.', inReplyToId: random.pick(records).id });
}

async function takeBack(authorId: bigint): Promise<void> {
  const latest = await Micropost.where({ authorId }).order('id', 'desc').first();
  if (latest) await blog.deletePost({ authorId, postId: latest.id });
}

async function again(username: string): Promise<void> {
  const userId = await called(username);
  try {
    await blog.deleteUser({ userId });
  } finally {
    await comes(username); // or somebody else has
  }
}
