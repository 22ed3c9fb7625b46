import { bid, cancelBid } from '../../../apps/auction/bidding';
import { itemPage } from '../../../apps/auction/reading';
import { conclude } from '../../../apps/auction/selling';
import type { User } from '../../../models/auction/user';
import { reasonOf, untilBlocked } from '../../database/transaction/support';
import { broken, createItem, createUsers, endNow } from './auction-database';
import { race, setUpRaces } from './racing';

// The interleavings that chance seldom brings about: somebody else holds what both want until both wait for it.

const { auction, retries } = setUpRaces();

/** Runs `body` while another session holds what the statement locks; that ends with a commit. */
async function holding<T>(
  statement: string,
  values: readonly unknown[],
  body: (also: (sql: string, values: readonly unknown[]) => Promise<unknown>) => Promise<T>,
): Promise<T> {
  const holder = await auction().database.pool.connect();
  try {
    await holder.query('begin');
    await holder.query(statement, [...values]);
    const result = await body((sql, more) => holder.query(sql, [...more]));
    await holder.query('commit');
    return result;
  } finally {
    holder.release();
  }
}

const waiting = (count: number) => untilBlocked(auction().database, count);

test('a bid that is to be cancelled while the conclusion goes before it has won, and stays won', async () => {
  const users = await createUsers(2, 10_000n);
  const [seller, ann] = users as [User, User];
  const item = await createItem(seller);
  const leading = await bid({ itemId: item.id, bidderId: ann.id, amount: 1_000n });
  await endNow(auction(), item);
  const outcome = await holding('select from items where id = $1 for update', [item.id], async () => {
    const concluding = conclude({ itemId: item.id });
    await waiting(1);
    const cancelling = cancelBid({ bidId: leading.id, bidderId: ann.id });
    await waiting(2);
    return { concluding, refusal: reasonOf(cancelling) };
  });
  expect(await outcome.refusal).toMatchObject({ problems: [{ attribute: 'item', code: 'over' }] });
  expect(await outcome.concluding).toMatchObject({ bidId: leading.id });
  expect((await leading.reload()).status).toBe('won');
  expect(await broken(auction(), ...users)).toEqual([]);
});

test('two who outbid one another on two items wait for the wallets in one order', async () => {
  const users = await createUsers(3, 10_000n);
  const [seller, ann, ben] = users.sort((one, other) => (one.id < other.id ? -1 : 1)) as [User, User, User];
  const [one, two] = [await createItem(seller), await createItem(seller)];
  await bid({ itemId: one.id, bidderId: ben.id, amount: 1_000n });
  await bid({ itemId: two.id, bidderId: ann.id, amount: 1_000n });
  const before = retries();
  const outcome = await holding('select from wallets where user_id = $1 for update', [ann.id], async () => {
    const first = bid({ itemId: one.id, bidderId: ann.id, amount: 1_100n });
    await waiting(1);
    const second = bid({ itemId: two.id, bidderId: ben.id, amount: 1_100n });
    await waiting(2);
    return { all: race(first, second) };
  });
  expect(await outcome.all).toEqual({ done: 2, codes: [] });
  expect(retries()).toBe(before);
  expect(await broken(auction(), ...users)).toEqual([]);
});

test('the item page shows one moment, though a bid is placed while it is read', async () => {
  const [seller, ann] = (await createUsers(2, 10_000n)) as [User, User];
  const item = await createItem(seller);
  const page = await holding('lock table bids in access exclusive mode', [], async (also) => {
    const reading = itemPage(item.id);
    await waiting(1);
    await also(
      `with placed as (
        insert into bids (item_id, bidder_id, amount, status) values ($1, $2, 1000, 'placed') returning id
      )
      update items set highest_bid_id = placed.id, highest_amount = 1000, leader_id = $2, bid_count = 1
      from placed where items.id = $1`,
      [item.id, ann.id],
    );
    return { reading };
  });
  const { item: shown, bids } = await page.reading;
  expect([shown.bidCount, bids.length]).toEqual([0, 0]);
});
