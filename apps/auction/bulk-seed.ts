import { randomBytes } from 'node:crypto';
import { transactional } from 'bellwether';
import { Bid } from '../../models/auction/bid';
import type { Category } from '../../models/auction/category';
import { Deposit } from '../../models/auction/deposit';
import { Item } from '../../models/auction/item';
import type { Region } from '../../models/auction/region';
import { User } from '../../models/auction/user';
import { Wallet } from '../../models/auction/wallet';
import { hashPassword } from '../web/passwords';
import { nameCategoriesAndRegions, SEED_PASSWORD } from './seed-words';

const BATCH = 500;
const ITEMS_EACH = 2;
/** Of so many items one has bids. */
const BID_ON_EVERY = 4;
const BIDS_EACH = 3;
const FUNDS = 1_000_000n;
const START = 1_000n;
const STEP = 100n;
const DAY_MS = 24 * 3_600_000;

const WORDS = ['Old', 'Small', 'Blue', 'Brass', 'Painted', 'Spare', 'Heavy', 'Folding', 'Silent', 'Second'] as const;
const THINGS = ['bell', 'clock', 'chair', 'map', 'lamp', 'kettle', 'atlas', 'violin', 'compass', 'box'] as const;

export interface BulkSeed {
  readonly users: number;
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * A large world, by bulk writes: two items a user, one in four with bids. Their ends come over the next 30 days, and are
 * seen by the sweep, for no jobs are enqueued.
 */
export async function seed({ users, onProgress }: BulkSeed): Promise<void> {
  const [categories, regions] = await nameCategoriesAndRegions();
  const passwordHash = await hashPassword(SEED_PASSWORD);
  const mark = randomBytes(3).toString('hex');
  for (let done = 0; done < users; done += BATCH) {
    const count = Math.min(BATCH, users - done);
    await fillBatch({ mark, from: done, count, passwordHash, categories, regions });
    onProgress?.(done + count, users);
  }
}

interface Batch {
  readonly mark: string;
  readonly from: number;
  readonly count: number;
  readonly passwordHash: string;
  readonly categories: readonly Category[];
  readonly regions: readonly Region[];
}

const fillBatch = transactional({ isolation: 'read committed', name: 'seed a batch' }, async (batch: Batch) => {
  const { mark, from, count, passwordHash, categories, regions } = batch;
  const numbers = Array.from({ length: count }, (_, n) => from + n);
  const regionOf = (n: number) => regions[n % regions.length]!.id;
  const userIds = await User.insertAll(
    numbers.map((n) => ({
      nickname: `user-${mark}-${n}`,
      email: `user-${mark}-${n}@example.org`,
      passwordHash,
      regionId: regionOf(n),
      offeredCount: ITEMS_EACH,
    })),
  );
  const lots = numbers.flatMap((n) => Array.from({ length: ITEMS_EACH }, (_, m) => n * ITEMS_EACH + m));
  const itemIds = await Item.insertAll(
    lots.map((n, at) => ({
      sellerId: userIds[Math.floor(at / ITEMS_EACH)]!,
      categoryId: categories[n % categories.length]!.id,
      regionId: regionOf(Math.floor(n / ITEMS_EACH)),
      name: `${WORDS[n % WORDS.length]} ${THINGS[Math.floor(n / WORDS.length) % THINGS.length]} no. ${n}`,
      startPrice: START,
      reservePrice: START,
      bidStep: STEP,
      ...(n % 3 === 0 && { buyNowPrice: 5_000n, quantity: 5, stock: 5 }),
      endsAt: new Date(Date.now() + DAY_MS * (0.1 + (n % 300) / 10)),
    })),
  );
  await fillBids(userIds, itemIds);
});

/** With the wallets, whose reservations follow from the bids. */
async function fillBids(userIds: readonly bigint[], itemIds: readonly bigint[]): Promise<void> {
  const rows = itemIds.flatMap((itemId, at) => {
    if (at % BID_ON_EVERY !== 0) return [];
    const bidder = (n: number) => userIds[(Math.floor(at / ITEMS_EACH) + 1 + n) % userIds.length]!;
    return Array.from({ length: BIDS_EACH }, (_, n) => ({
      itemId,
      bidderId: bidder(n),
      amount: START + STEP * BigInt(n),
    }));
  });
  const isHighest = (at: number) => at % BIDS_EACH === BIDS_EACH - 1;
  const reserved = new Map<bigint, bigint>();
  rows
    .filter((_, at) => isHighest(at))
    .forEach(({ bidderId, amount }) => {
      reserved.set(bidderId, (reserved.get(bidderId) ?? 0n) + amount);
    });
  await Deposit.insertAll(userIds.map((userId) => ({ userId, amount: FUNDS })));
  await Wallet.insertAll(userIds.map((userId) => ({ userId, balance: FUNDS, reserved: reserved.get(userId) ?? 0n })));
  const bidIds = await Bid.insertAll(rows);
  const highest = rows.flatMap((row, at) => (isHighest(at) ? [{ ...row, bidId: bidIds[at]! }] : []));
  await Promise.all(
    highest.map(({ itemId, bidderId, amount, bidId }) =>
      Item.where({ id: itemId }).updateAll({
        highestBidId: bidId,
        highestAmount: amount,
        leaderId: bidderId,
        bidCount: BIDS_EACH,
      }),
    ),
  );
}
