import { sql, transactional } from 'bellwether';
import { Bid } from '../../models/auction/bid';
import { Category } from '../../models/auction/category';
import { Comment } from '../../models/auction/comment';
import { Item } from '../../models/auction/item';
import { Mail } from '../../models/auction/mail';
import { Region } from '../../models/auction/region';
import { Sale } from '../../models/auction/sale';
import { User } from '../../models/auction/user';
import { Wallet } from '../../models/auction/wallet';
import { Watch } from '../../models/auction/watch';

// What is read in several queries and must fit together is read from one snapshot.

const SNAPSHOT = { isolation: 'repeatable read', readOnly: true } as const;
const LATEST = 50;

/**
 * An item with its latest bids, newest first, and its sales, of one moment. Under `read committed` each query sees
 * another one: the highest bid is not among the bids that are listed, or the count is not theirs.
 */
export const itemPage = transactional({ ...SNAPSHOT, name: 'item page' }, async (itemId: bigint) => {
  const [item, bids, sales] = await Promise.all([
    Item.include('seller', 'category', 'region', 'leader').find(itemId),
    Bid.where({ itemId }).order('id', 'desc').limit(LATEST).include('bidder'),
    Sale.where({ itemId }).order('id', 'desc').limit(LATEST).include('buyer', 'ring'),
  ]);
  return { item, bids, sales };
});
export type ItemPage = Awaited<ReturnType<typeof itemPage>>;

export interface Browse {
  readonly categoryId?: bigint | undefined;
  readonly regionId?: bigint | undefined;
  /** Words that must be in the name or the description; as web search engines take them. */
  readonly words?: string | undefined;
  /** The `next` of the page before. */
  readonly after?: string | undefined;
  readonly size?: number;
}

/** What runs, that which ends soonest first. */
export function browse({ categoryId, regionId, words = '', after, size = 24 }: Browse) {
  let items = Item.where({ status: 'open' })
    .whereSql(sql<boolean>`ends_at > now()`)
    .order('endsAt');
  if (categoryId !== undefined) items = items.where({ categoryId });
  if (regionId !== undefined) items = items.where({ regionId });
  if (words !== '') {
    const isFound = sql<boolean>`to_tsvector('simple', name || ' ' || description) @@ websearch_to_tsquery('simple', ${words})`;
    items = items.whereSql(isFound);
  }
  return items.include('seller').page({ size, ...(after !== undefined && { after }) });
}

export const categoriesAndRegions = async () => {
  const [categories, regions] = await Promise.all([Category.order('name'), Region.order('name')]);
  return { categories, regions };
};

/** All that is the user's, of one moment. */
export const aboutMe = transactional({ ...SNAPSHOT, name: 'about me' }, async (userId: bigint) => {
  const [wallet, leading, bids, offers, bought, sold, watches, mails] = await Promise.all([
    Wallet.where({ userId }).firstOrFail(),
    Item.where({ leaderId: userId, status: 'open' }).order('endsAt'),
    Bid.where({ bidderId: userId }).order('id', 'desc').limit(LATEST).include('item'),
    Item.where({ sellerId: userId }).order('id', 'desc').limit(LATEST),
    Sale.where({ buyerId: userId }).order('id', 'desc').limit(LATEST).include('item', 'seller', 'comments'),
    Sale.where({ sellerId: userId }).order('id', 'desc').limit(LATEST).include('item', 'buyer', 'comments'),
    Watch.where({ userId }).order('id', 'desc').limit(LATEST).include('item'),
    Mail.where({ userId }).order('id', 'desc').limit(LATEST),
  ]);
  return { wallet, leading, bids, offers, bought, sold, watches, mails };
});
export type AboutMe = Awaited<ReturnType<typeof aboutMe>>;

/** A user as others see them, of one moment. */
export const userPage = transactional({ ...SNAPSHOT, name: 'user page' }, async (userId: bigint) => {
  const [user, comments, offers] = await Promise.all([
    User.include('region').find(userId),
    Comment.where({ subjectId: userId }).order('id', 'desc').limit(LATEST).include('author'),
    Item.where({ sellerId: userId, status: 'open' }).order('endsAt').limit(LATEST),
  ]);
  return { user, comments, offers };
});
export type UserPage = Awaited<ReturnType<typeof userPage>>;
