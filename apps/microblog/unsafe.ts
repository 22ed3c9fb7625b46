import { transactional } from 'bellwether';
import { UnsafeBlock, UnsafeRelationship, UnsafeUser } from '../../models/microblog/unsafe-tables';
import type { Pair } from './operations';

// UNSAFE. Never call these from the microblog; they are here to be compared with `operations.ts`.
//
// They are what an ordinary ORM makes of the same operations, on PostgreSQL's default isolation: look whether it may be,
// then do it. Each is right when it runs alone.

const ORDINARY = { isolation: 'read committed' } as const;

/** A rule of the body's own refuses; how it says so does not matter here. */
export class UnsafeRefusal extends Error {}

/** Two with one name have both looked before either was there. */
export const unsafeRegister = transactional(
  { ...ORDINARY, name: 'unsafe register' },
  async (username: string): Promise<bigint> => {
    if (await UnsafeUser.where({ username }).exists()) throw new UnsafeRefusal('is taken');
    const { id } = await UnsafeUser.create({ username });
    await UnsafeRelationship.create({ followerId: id, followedId: id });
    return id;
  },
);

/** Without a transaction around both: in between, and for good if the process dies there, the user is half a user. */
export async function unsafeRegisterInTwoSteps(username: string): Promise<bigint> {
  const { id } = await UnsafeUser.create({ username });
  await UnsafeRelationship.create({ followerId: id, followedId: id });
  return id;
}

/** Whom it has found to be there may go, and may have blocked it, by the time it writes. */
export const unsafeFollow = transactional(
  { ...ORDINARY, name: 'unsafe follow' },
  async ({ userId, otherId }: Pair): Promise<void> => {
    if (!(await UnsafeUser.where({ id: otherId }).exists())) throw new UnsafeRefusal('is not there');
    const isBlocked = await UnsafeBlock.where({ blockerId: otherId, blockedId: userId }).exists();
    if (isBlocked) throw new UnsafeRefusal('has blocked the follower');
    await UnsafeRelationship.create({ followerId: userId, followedId: otherId });
  },
);

/** Ends the following that it can see. */
export const unsafeBlock = transactional(
  { ...ORDINARY, name: 'unsafe block' },
  async ({ userId, otherId }: Pair): Promise<void> => {
    await UnsafeBlock.create({ blockerId: userId, blockedId: otherId });
    await UnsafeRelationship.where({ followerId: otherId, followedId: userId }).deleteAll();
  },
);

/** Takes with it what it can see. */
export const unsafeDeleteUser = transactional(
  { ...ORDINARY, name: 'unsafe delete user' },
  async ({ userId }: { readonly userId: bigint }): Promise<void> => {
    await UnsafeRelationship.where((is) => is.or([is({ followerId: userId }), is({ followedId: userId })])).deleteAll();
    await UnsafeBlock.where((is) => is.or([is({ blockerId: userId }), is({ blockedId: userId })])).deleteAll();
    await UnsafeUser.where({ id: userId }).deleteAll();
  },
);
