import { randomBytes } from 'node:crypto';
import { BellwetherError, sql } from 'bellwether';
import type { Database } from 'bellwether';
import { Item } from '../../models/auction/item';
import { Sale } from '../../models/auction/sale';
import type { User } from '../../models/auction/user';
import { audit } from './audit';
import { bid, cancelBid } from './bidding';
import type { CancelBid, PlaceBid } from './bidding';
import { offer } from './offering';
import { addFunds, register } from './people';
import { nameCategoriesAndRegions } from './seed-words';
import { buyNow, conclude } from './selling';
import type { BuyNow } from './selling';
import { removeTraces } from './traces';
import * as unsafe from './unsafe';

// The same things at the same moment, done by the declared operations and by their unsafe twins; then SQL counts the
// breaches of each rule.

export const VARIANTS = ['unsafe', 'declared'] as const;
export type Variant = (typeof VARIANTS)[number];

interface Side {
  readonly bid: (values: PlaceBid) => Promise<unknown>;
  readonly cancelBid: (values: CancelBid) => Promise<unknown>;
  readonly buyNow: (values: BuyNow) => Promise<unknown>;
  readonly conclude: (values: { readonly itemId: bigint }) => Promise<unknown>;
}

/** How it went on one side. */
export interface Outcome {
  readonly done: number;
  readonly refused: number;
  /** What is no answer of the auction, by code. */
  readonly failed: Readonly<Record<string, number>>;
  /** Units that were sold beyond what there was. */
  readonly oversold: number;
  /** Breaches of the rules, by rule; rules that hold are left out. */
  readonly breaches: Readonly<Record<string, number>>;
}

export interface Drill {
  readonly outcomes: Readonly<Record<Variant, Outcome>>;
}

const BIDDERS = 8;
const LOTS = 4;
const STOCK = 20;
const FUNDS = 100_000n;

const sideOf = (db: Database): Readonly<Record<Variant, Side>> => ({
  declared: { bid, cancelBid, buyNow, conclude },
  unsafe: {
    bid: (values) => unsafe.unsafeBid(db, values),
    cancelBid: (values) => unsafe.unsafeCancelBid(db, values),
    buyNow: (values) => unsafe.unsafeBuyNow(db, values),
    conclude: (values) => unsafe.unsafeConclude(db, values),
  },
});

/** Takes some seconds. Leaves nothing behind. */
export async function drill(db: Database): Promise<Drill> {
  const sides = sideOf(db);
  const unsafeOutcome = await play(db, sides.unsafe);
  return { outcomes: { unsafe: unsafeOutcome, declared: await play(db, sides.declared) } };
}

async function play(db: Database, side: Side): Promise<Outcome> {
  const { people, lots, shop } = await prepare();
  const [seller, ...bidders] = people as [User, ...User[]];
  try {
    const settled = await Promise.allSettled([
      ...lots.flatMap((lot, n) => bidders.map((bidder, m) => struggle(side, lot, bidder, n + m))),
      ...Array.from({ length: 2 * STOCK }, (_, n) =>
        side.buyNow({ itemId: shop.id, buyerId: bidders[n % BIDDERS]!.id }),
      ),
    ]);
    await endNow(db, lots);
    const ended = await Promise.allSettled(
      lots.flatMap(({ id }) => [side.conclude({ itemId: id }), side.conclude({ itemId: id })]),
    );
    const ids = [seller, ...bidders].map(({ id }) => id);
    return { ...count([...settled, ...ended]), ...(await judge(db, ids, shop)) };
  } finally {
    await removeTraces(people.map(({ id }) => id));
  }
}

/** As the passing of time does it: the models would refuse to write to what the unsafe side has left. */
async function endNow(db: Database, lots: readonly Item[]): Promise<void> {
  const ids = lots.map(({ id }) => String(id));
  await sql`update items set ends_at = clock_timestamp() where id = any(${ids}::bigint[])`.execute(db.kysely());
}

/** One bidder on one lot: bids, and now and then takes the bid back. */
async function struggle(side: Side, { id: itemId }: Item, { id: bidderId }: User, n: number): Promise<void> {
  await side.bid({ itemId, bidderId, amount: 1_000n + 100n * BigInt(n) });
  await side.bid({ itemId, bidderId, amount: 3_000n + 100n * BigInt(n) });
  if (n % 3 !== 0) return;
  const mine = await Item.where({ id: itemId }).pluck('highestBidId', 'leaderId');
  const [bidId, leaderId] = mine[0]!; // the lot is there as long as the drill runs
  if (bidId !== null && leaderId === bidderId) await side.cancelBid({ bidId, bidderId });
}

async function prepare() {
  const [categories, regions] = await nameCategoriesAndRegions();
  const mark = randomBytes(4).toString('hex');
  const people: User[] = [];
  for (let n = 0; n <= BIDDERS; n++) {
    const nickname = `drill-${mark}-${n}`;
    const values = { nickname, email: `${nickname}@example.org`, passwordHash: 'none', isDrill: true };
    const user = await register({ ...values, regionId: regions[0]!.id });
    await addFunds({ userId: user.id, amount: FUNDS });
    people.push(user);
  }
  const lot = {
    sellerId: people[0]!.id,
    categoryId: categories[0]!.id,
    name: 'For the drill',
    startPrice: 1_000n,
    bidStep: 100n,
    endsAt: new Date(Date.now() + 600_000),
  };
  const lots = [];
  for (let n = 0; n < LOTS; n++) lots.push(await offer(lot));
  const shop = await offer({ ...lot, buyNowPrice: 1_000n, quantity: STOCK });
  return { people, lots, shop };
}

async function judge(db: Database, userIds: readonly bigint[], { id: itemId }: Item) {
  const broken = (await audit(db, userIds)).filter(({ violations }) => violations > 0);
  const sold = await Sale.where({ itemId }).sum('quantity');
  return {
    oversold: Math.max(0, sold - STOCK),
    breaches: Object.fromEntries(broken.map(({ rule, violations }) => [rule, violations])),
  };
}

function count(settled: readonly PromiseSettledResult<unknown>[]): Pick<Outcome, 'done' | 'refused' | 'failed'> {
  const reasons = settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
  const isRefusal = (reason: unknown) => reason instanceof BellwetherError && reason.recovery === 'fix-the-input';
  const failed: Record<string, number> = {};
  for (const reason of reasons.filter((one) => !isRefusal(one))) {
    const code = reason instanceof BellwetherError ? reason.code : 'E_INTERNAL';
    failed[code] = (failed[code] ?? 0) + 1;
  }
  return { done: settled.length - reasons.length, refused: reasons.filter(isRefusal).length, failed };
}
