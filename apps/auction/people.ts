import { transactional } from 'bellwether';
import { Comment } from '../../models/auction/comment';
import { Deposit } from '../../models/auction/deposit';
import { Sale } from '../../models/auction/sale';
import { User } from '../../models/auction/user';
import { Watch } from '../../models/auction/watch';
import { changeWallets } from './wallets';

export interface Register {
  readonly nickname: string;
  readonly email: string;
  readonly passwordHash: string;
  readonly regionId: bigint;
  readonly isDrill?: boolean;
}

/** The user and the wallet, together. Of two with one name or one address the unique indexes refuse one. */
export const register = transactional(
  { isolation: 'read committed', name: 'register' },
  ({ regionId, ...values }: Register): Promise<User> => User.create({ ...values, region: regionId }),
);

/** One conditional update; a balance that is read and written back would forget a deposit of the same moment. */
export const addFunds = transactional(
  { isolation: 'read committed', name: 'add funds' },
  async ({ userId, amount }: { readonly userId: bigint; readonly amount: bigint }): Promise<Deposit> => {
    const deposit = await Deposit.create({ user: userId, amount });
    await changeWallets([[userId, { balance: amount }]]);
    return deposit;
  },
);

export interface CommentOn {
  readonly saleId: bigint;
  readonly authorId: bigint;
  /** From 1 to 5. */
  readonly rating: number;
  readonly text: string;
}

/** On the other side of a sale, once. The rating counts for that user in the same transaction. */
export const comment = transactional(
  { isolation: 'read committed', name: 'comment' },
  async ({ saleId, authorId, rating, text }: CommentOn): Promise<Comment> => {
    const { sellerId, buyerId } = await Sale.find(saleId); // never changes
    const subject = authorId === sellerId ? buyerId : sellerId;
    return Comment.create({ sale: saleId, author: authorId, subject, rating, text });
  },
);

/** Watching twice is watching once. */
export const watch = async ({ itemId, userId }: { itemId: bigint; userId: bigint }): Promise<Watch> =>
  Watch.findOrCreateBy({ itemId, userId });

export const unwatch = ({ itemId, userId }: { itemId: bigint; userId: bigint }): Promise<number> =>
  Watch.where({ itemId, userId }).deleteAll();
