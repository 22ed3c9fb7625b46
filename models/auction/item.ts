import { BelongsTo, Check, Column, Counter, CreatedAt, HasMany, Id, Invariant, Model, sql, Table } from 'bellwether';
import type { Query } from 'bellwether';
import { IsNotEmpty, IsOptional, MaxLength } from 'class-validator';
import { Bid } from './bid';
import { STANDING_SQL } from './bid-status';
import { Category } from './category';
import { Region } from './region';
import { Sale } from './sale';
import { User } from './user';
import { Watch } from './watch';

/** `closed`: its auction is concluded, or the last of it was bought. */
export const ITEM_STATUSES = ['open', 'closed', 'cancelled'] as const;
export type ItemStatus = (typeof ITEM_STATUSES)[number];

const ITS_BIDS = `from bids where item_id = items.id and ${STANDING_SQL}`;
const ITS_HIGHEST = `${ITS_BIDS} order by amount desc, id limit 1`;

/**
 * What somebody offers: one unit goes to the highest bid, and as long as the auction is open, units go at the buy-now
 * price to whoever takes them. Bids, sales and what they change here belong together; see `@LockedBy` in both.
 */
@Invariant<Item>('the highest bid and the count agree with the bids', {
  over: 'id',
  touchedBy: 'bids',
  having: `bid_count = (select count(*) ${ITS_BIDS})
    and highest_bid_id is not distinct from (select id ${ITS_HIGHEST})
    and highest_amount is not distinct from (select amount ${ITS_HIGHEST})
    and leader_id is not distinct from (select bidder_id ${ITS_HIGHEST})`,
})
@Table('items', { onConflict: 'merge' })
export class Item extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => User) declare readonly seller: BelongsTo<User>;
  @Column() declare readonly sellerId: bigint;
  @BelongsTo(() => Category) declare category: BelongsTo<Category>;
  @Column() declare categoryId: bigint;
  /** The seller's when it was offered. */
  @BelongsTo(() => Region) declare readonly region: BelongsTo<Region>;
  @Column() declare readonly regionId: bigint;

  @Column() @IsNotEmpty({ message: 'must be given' }) @MaxLength(100) declare name: string;
  @Column({ default: '' }) @MaxLength(4000) declare description: string;

  /** What the first bid must be, in minor units like all amounts. */
  @Column()
  @Check<Item>('start_price > 0', { message: 'must be more than zero', holds: ({ startPrice }) => startPrice > 0n })
  declare readonly startPrice: bigint;

  /** The item is not sold by auction for less. */
  @Column()
  @Check<Item>('reserve_price >= start_price', {
    message: 'must not be below the start price',
    holds: ({ reservePrice, startPrice }) => reservePrice >= startPrice,
  })
  declare readonly reservePrice: bigint;

  /** By how much a bid must be higher than the one before. */
  @Column()
  @Check<Item>('bid_step > 0', { message: 'must be more than zero', holds: ({ bidStep }) => bidStep > 0n })
  declare readonly bidStep: bigint;

  /** For each unit. Null: it cannot be bought now. */
  @Column('bigint', { nullable: true })
  @IsOptional()
  @Check<Item>('buy_now_price >= start_price', {
    message: 'must not be below the start price',
    holds: ({ buyNowPrice, startPrice }) => buyNowPrice === null || buyNowPrice >= startPrice,
  })
  declare readonly buyNowPrice: bigint | null;

  /** How many were offered. */
  @Column({ default: 1 })
  @Check<Item>('quantity > 0', { message: 'must be at least 1', holds: ({ quantity }) => quantity > 0 })
  declare readonly quantity: number;
  /** How many of them are left. */
  @Column({ default: 1 }) @Counter() declare readonly stock: number;

  /** By the database's clock. May be moved while the auction runs. */
  @Column() declare endsAt: Date;
  @Column('enum', { values: ITEM_STATUSES, default: 'open' }) declare status: ItemStatus;
  @Column('timestamptz', { nullable: true }) declare closedAt: Date | null;

  @BelongsTo(() => Bid, { optional: true }) declare highestBid: BelongsTo<Bid | null>;
  @Column('bigint', { nullable: true }) declare highestBidId: bigint | null;
  @Column('bigint', { nullable: true }) declare highestAmount: bigint | null;
  /** Whose the highest bid is. */
  @BelongsTo(() => User, { optional: true }) declare leader: BelongsTo<User | null>;
  @Column('bigint', { nullable: true }) declare leaderId: bigint | null;
  @Column({ default: 0 }) @Counter() declare bidCount: number;

  @CreatedAt() declare readonly createdAt: Date;

  @HasMany(() => Bid, { dependent: 'restrict' }) declare bids: HasMany<Bid>;
  @HasMany(() => Sale, { dependent: 'restrict' }) declare sales: HasMany<Sale>;
  @HasMany(() => Watch, { dependent: 'delete' }) declare watches: HasMany<Watch>;

  /** Whose auction runs at this moment, by the database's clock. */
  static running(): Query<Item> {
    return Item.where({ status: 'open' }).whereSql(sql<boolean>`ends_at > clock_timestamp()`);
  }

  /** Whose auction has ended and is not concluded. */
  static due(): Query<Item> {
    return Item.where({ status: 'open' }).whereSql(sql<boolean>`ends_at <= clock_timestamp()`);
  }

  /** The least that the next bid must be. */
  get leastBid(): bigint {
    return this.highestAmount === null ? this.startPrice : this.highestAmount + this.bidStep;
  }

  get isReserveMet(): boolean {
    return this.highestAmount !== null && this.highestAmount >= this.reservePrice;
  }
}
