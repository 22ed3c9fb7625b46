import { Category } from '../../models/auction/category';
import { Item } from '../../models/auction/item';
import { Region } from '../../models/auction/region';
import { User } from '../../models/auction/user';
import { loadMix } from '../load/mix';
import type { Random } from '../load/mix';
import { audit } from './audit';
import { bid, cancelBid } from './bidding';
import { openAuction } from './database';
import { offer } from './offering';
import { addFunds, comment, register } from './people';
import { aboutMe, browse, itemPage, userPage } from './reading';
import { nameCategoriesAndRegions } from './seed-words';
import { buyNow, conclude } from './selling';

// The bidding mix of RUBiS: of a hundred interactions 85 read, and 15 write. Where RUBiS leads from page to page to get
// to an item, items are chosen among few, so that clients meet.

interface Stage {
  readonly userIds: readonly string[];
  readonly itemIds: readonly string[];
  readonly categoryIds: readonly string[];
  readonly regionIds: readonly string[];
}

const USERS = 60;
const ITEMS = 40;
const FUNDS = 500_000n;
const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;

async function prepare(): Promise<Stage> {
  const [categories, regions] = await nameCategoriesAndRegions();
  const mark = Date.now().toString(36);
  const userIds: bigint[] = [];
  for (let n = 0; n < USERS; n++) {
    const nickname = `load-${mark}-${n}`;
    const regionId = regions[n % regions.length]!.id;
    const user = await register({ nickname, email: `${nickname}@example.org`, passwordHash: 'none', regionId });
    await addFunds({ userId: user.id, amount: FUNDS });
    userIds.push(user.id);
  }
  const itemIds: bigint[] = [];
  for (let n = 0; n < ITEMS; n++)
    itemIds.push(await offerOne(userIds[n % USERS]!, categories[n % categories.length]!.id, HOUR_MS));
  const texts = (ids: readonly bigint[]) => ids.map(String);
  return {
    userIds: texts(userIds),
    itemIds: texts(itemIds),
    categoryIds: texts(categories.map(({ id }) => id)),
    regionIds: texts(regions.map(({ id }) => id)),
  };
}

async function offerOne(sellerId: bigint, categoryId: bigint, leftMs: number): Promise<bigint> {
  const item = await offer({
    sellerId,
    categoryId,
    name: 'A thing under load',
    startPrice: 1_000n,
    bidStep: 50n,
    buyNowPrice: 2_000n,
    quantity: 200,
    endsAt: new Date(Date.now() + leftMs),
  });
  return item.id;
}

const userIn = (stage: Stage, random: Random) => BigInt(random.pick(stage.userIds));
const itemIn = (stage: Stage, random: Random) => BigInt(random.pick(stage.itemIds));

/** Looks at the page first, as people do; somebody else may be faster. */
async function bidOnOne(stage: Stage, random: Random): Promise<void> {
  const { item } = await itemPage(itemIn(stage, random));
  const amount = item.leastBid + item.bidStep * BigInt(random.whole(4));
  await bid({ itemId: item.id, bidderId: userIn(stage, random), amount });
}

async function cancelOne(stage: Stage, random: Random): Promise<void> {
  const { item } = await itemPage(itemIn(stage, random));
  if (item.highestBidId === null || item.leaderId === null) return;
  await cancelBid({ bidId: item.highestBidId, bidderId: item.leaderId });
}

/** An auction that ends in a moment. */
async function offerAndBid(stage: Stage, random: Random): Promise<void> {
  const sellerId = userIn(stage, random);
  const itemId = await offerOne(sellerId, BigInt(random.pick(stage.categoryIds)), 2 * SECOND_MS);
  const bidderId = BigInt(random.pick(stage.userIds.filter((id) => BigInt(id) !== sellerId)));
  await bid({ itemId, bidderId, amount: 1_000n });
}

/** As the workers would do it; several clients conclude the same. */
async function concludeDue({ userIds }: Stage): Promise<void> {
  const due = Item.due().where({ sellerId: userIds.map(BigInt) });
  for (const itemId of await due.limit(3).pluck('id')) await conclude({ itemId });
}

async function buyAndComment(stage: Stage, random: Random): Promise<void> {
  const buyerId = userIn(stage, random);
  const { id: saleId } = await buyNow({ itemId: itemIn(stage, random), buyerId });
  await comment({ saleId, authorId: buyerId, rating: 1 + random.whole(5), text: 'As described.' });
}

export const mix = loadMix<Stage>({
  open: openAuction,
  prepare,
  actions: [
    { name: 'browse', weight: 20, run: () => browse({}) },
    {
      name: 'browse a category',
      weight: 22,
      run: ({ categoryIds }, random) => browse({ categoryId: BigInt(random.pick(categoryIds)) }),
    },
    {
      name: 'browse a region',
      weight: 10,
      run: ({ regionIds }, random) => browse({ regionId: BigInt(random.pick(regionIds)) }),
    },
    { name: 'search', weight: 4, run: () => browse({ words: 'thing load' }) },
    { name: 'categories', weight: 3, run: () => Promise.all([Category.order('name'), Region.order('name')]) },
    { name: 'item page', weight: 17, run: (stage, random) => itemPage(itemIn(stage, random)) },
    { name: 'user page', weight: 4, run: (stage, random) => userPage(userIn(stage, random)) },
    { name: 'about me', weight: 4, run: (stage, random) => aboutMe(userIn(stage, random)) },
    { name: 'bid', weight: 8, run: bidOnOne },
    { name: 'buy now and comment', weight: 3, run: buyAndComment },
    { name: 'cancel a bid', weight: 1, run: cancelOne },
    { name: 'offer and bid', weight: 1, run: offerAndBid },
    { name: 'conclude', weight: 1, run: concludeDue },
    {
      name: 'add funds',
      weight: 2,
      run: (stage, random) => addFunds({ userId: userIn(stage, random), amount: 10_000n }),
    },
  ],
  audit: async (db, { userIds }) => audit(db, await User.where({ id: userIds.map(BigInt) }).pluck('id')),
});
