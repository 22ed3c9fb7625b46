import { AfterCreate, BelongsTo, Check, Column, Id, LockedBy, Model, Table, unsafeReads, Validates } from 'bellwether';
import { ValidationError } from 'bellwether';
import { BID_STATUSES } from './bid-status';
import type { BidStatus } from './bid-status';
import { Item } from './item';
import { User } from './user';

const OVER = { attribute: 'item', message: 'is not open for bids any more', code: 'over' } as const;

/**
 * Everything that is decided about an item's bids is decided by one at a time: whoever creates or changes a bid holds
 * the item until the commit. So a bid cannot come after the close, two cannot both be the highest, and one cannot be both
 * cancelled and winning.
 */
@LockedBy<Bid>('item')
@Table('bids', { onConflict: 'retry' })
export class Bid extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Item) declare readonly item: BelongsTo<Item>;
  @Column() declare readonly itemId: bigint;
  @BelongsTo(() => User) declare readonly bidder: BelongsTo<User>;
  @Column() declare readonly bidderId: bigint;

  /** In minor units. */
  @Column()
  @Check<Bid>('amount > 0', { message: 'must be more than zero', holds: ({ amount }) => amount > 0n })
  declare readonly amount: bigint;

  @Column('enum', { values: BID_STATUSES, default: 'placed' }) declare status: BidStatus;
  /** By the database's clock, when it was the bid's turn. */
  @Column({ databaseDefault: true }) declare readonly placedAt: Date;

  /** The item is locked by now, so what is read of it here stays true. It is left in `item`. */
  @Validates({ on: 'create' })
  async isAcceptable(): Promise<void> {
    const item = await this.#runningItem();
    if (!item) return this.errors.add(OVER.attribute, OVER.message, OVER.code);
    if (item.sellerId === this.bidderId) this.errors.add('bidder', 'offers the item, and cannot bid on it', 'own item');
    if (this.amount < item.leastBid)
      this.errors.add('amount', 'must be higher than the highest bid by the increment', 'too low');
    this.item.set(item);
  }

  /** The end may have come between the look at the item and the bid itself, whose time decides. */
  @AfterCreate()
  async isInTime(): Promise<void> {
    const { endsAt } = await this.item.load();
    if (this.placedAt >= endsAt) throw new ValidationError('Bid', [OVER]);
  }

  /** A bid that has won, or whose auction is over, stays what it is. */
  @Validates({ on: 'update', if: ({ status }: Bid) => status === 'cancelled' })
  async isCancellable(): Promise<void> {
    const before = this.changes.status?.before ?? this.status;
    if (before !== 'placed') return this.errors.add('status', `is ${before} already`, 'settled');
    const item = await this.#runningItem();
    if (!item) return this.errors.add('item', 'is over, and its bids stand', 'over');
    this.item.set(item);
  }

  #runningItem(): Promise<Item | undefined> {
    return unsafeReads(() => Item.running().findBy({ id: this.itemId }));
  }
}
