import { transactional } from 'bellwether';
import { Bid } from '../../models/auction/bid';
import { Comment } from '../../models/auction/comment';
import { Deposit } from '../../models/auction/deposit';
import { Item } from '../../models/auction/item';
import { Mail } from '../../models/auction/mail';
import { Ring } from '../../models/auction/ring';
import { Sale } from '../../models/auction/sale';
import { User } from '../../models/auction/user';
import { Wallet } from '../../models/auction/wallet';
import { Watch } from '../../models/auction/watch';

/** Removes users of an exercise with all that is theirs, where nobody else has dealt with them. Jobs see that it is gone. */
export const removeTraces = transactional(
  { isolation: 'read committed', name: 'remove traces' },
  async (userId: readonly bigint[]): Promise<void> => {
    const itemId = await Item.where({ sellerId: userId }).pluck('id');
    const saleId = await Sale.where({ itemId }).pluck('id');
    const values = { highestBidId: null, highestAmount: null, leaderId: null, bidCount: 0 };
    await Comment.where({ saleId }).deleteAll();
    await Ring.where({ saleId }).deleteAll();
    await Sale.where({ id: saleId }).deleteAll();
    await Item.where({ id: itemId }).updateAll(values);
    await Bid.where({ itemId }).deleteAll();
    await Watch.where({ itemId }).deleteAll();
    await Item.where({ id: itemId }).deleteAll();
    await Mail.where({ userId }).deleteAll();
    await Deposit.where({ userId }).deleteAll();
    await Wallet.where({ userId }).deleteAll();
    await User.where({ id: userId }).deleteAll();
  },
);
