import { countRoundTrips } from 'bellwether/testing';
import { bid } from '../../../apps/auction/bidding';
import { openAuction } from '../../../apps/auction/database';
import { itemPage } from '../../../apps/auction/reading';
import { buyNow } from '../../../apps/auction/selling';
import type { User } from '../../../models/auction/user';
import { createItem, createTestAuction, createUsers } from './auction-database';

test('what an operation costs in round trips', async () => {
  const auction = await createTestAuction();
  const counter = await countRoundTrips(auction.database.url);
  const db = await openAuction({ url: counter.url, poolSize: 1 });
  try {
    const [seller, ann, ben] = (await createUsers(3, 100_000n)) as [User, User, User];
    const item = await createItem(seller, { buyNowPrice: 3_000n, quantity: 9 });
    await db.use(async () => {
      const by = (user: User, amount: bigint) => bid({ itemId: item.id, bidderId: user.id, amount });
      await by(ann, 1_000n); // the session has prepared all statements by then
      await buyNow({ itemId: item.id, buyerId: ben.id });
      await itemPage(item.id);
      const trips = {
        bid: await counter.count(() => by(ben, 1_100n)),
        'buy now': await counter.count(() => buyNow({ itemId: item.id, buyerId: ben.id })),
        'item page': await counter.count(() => itemPage(item.id)),
      };
      expect(trips).toEqual({ bid: 8, 'buy now': 14, 'item page': 3 });
    });
  } finally {
    await db.close();
    await counter.close();
    await auction.close();
  }
});
