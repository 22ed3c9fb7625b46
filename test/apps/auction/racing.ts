import { DeadlockError } from 'bellwether';
import type { Database } from 'bellwether';
import { openAuction } from '../../../apps/auction/database';
import * as unsafe from '../../../apps/auction/unsafe';
import type { CancelBid, PlaceBid } from '../../../apps/auction/bidding';
import type { BuyNow } from '../../../apps/auction/selling';
import type { User } from '../../../models/auction/user';
import type { TestAuction } from './auction-database';
import { broken, createTestAuction } from './auction-database';

// Each rule is raced: the declared operation keeps it in every round, with few and with many connections, and its unsafe
// twin, where there is one, breaks it in some round; so that a race that never meets does not pass for a rule that holds.

const ROUNDS = 5;
/** The twin gets as many rounds as it takes, within reason. */
const MOST_ROUNDS = 300;

export type Does<V> = (values: V) => Promise<unknown>;

/** The connections of a file of races. After its last test, no declared operation may have deadlocked. */
export function setUpRaces() {
  let auction: TestAuction;
  let narrow: Database;
  let unsafeDb: Database;
  let retries = 0;
  let deadlocks = 0;
  const count = ({ error }: { readonly error: unknown }) => {
    retries++;
    if (error instanceof DeadlockError) deadlocks++;
  };
  beforeAll(async () => {
    auction = await createTestAuction(16);
    const { url } = auction.database;
    [narrow, unsafeDb] = [await openAuction({ url, poolSize: 4 }), await openAuction({ url, poolSize: 16 })];
    for (const db of [auction.db, narrow]) db.on('transaction:retry', count);
  });
  afterAll(async () => {
    await Promise.all([narrow.close(), unsafeDb.close()]);
    await auction.close();
    expect(deadlocks).toBe(0);
  });
  return {
    auction: () => auction,
    /** How often a declared operation was run again. */
    retries: () => retries,
    pools: [
      ['4 connections', () => narrow],
      ['16 connections', () => auction.db],
    ] as const,
    twins: {
      bid: (values: PlaceBid) => unsafe.unsafeBid(unsafeDb, values),
      cancelBid: (values: CancelBid) => unsafe.unsafeCancelBid(unsafeDb, values),
      conclude: (values: { readonly itemId: bigint }) => unsafe.unsafeConclude(unsafeDb, values),
      buyNow: (values: BuyNow) => unsafe.unsafeBuyNow(unsafeDb, values),
      itemPage: (itemId: bigint) => unsafe.unsafeItemPage(unsafeDb, itemId),
    },
    isBroken: async (...users: readonly User[]) => (await broken(auction, ...users)).length > 0,
  };
}

export interface Settled {
  readonly done: number;
  readonly codes: readonly string[];
}

export async function race(...operations: readonly Promise<unknown>[]): Promise<Settled> {
  const settled = await Promise.allSettled(operations);
  const errors = settled.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as { code?: string }] : [],
  );
  return { done: settled.length - errors.length, codes: errors.map((error) => error.code ?? 'a bug') };
}

export async function everyRound(db: Database, round: () => Promise<void>): Promise<void> {
  await db.use(async () => {
    for (let n = 0; n < ROUNDS; n++) await round();
  });
}

export async function someRound(breaks: () => Promise<boolean>): Promise<void> {
  for (let n = 0; n < MOST_ROUNDS; n++) if (await breaks()) return;
  throw new Error(`the unsafe twin kept the rule in all of ${MOST_ROUNDS} rounds`);
}

export const times = <T>(count: number, make: (n: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => make(n));
