import {
  BeforeDestroy,
  BeforeSave,
  BelongsTo,
  Column,
  HasMany,
  Id,
  LockedBy,
  Model,
  Table,
  Validates,
} from 'bellwether';

@Table('houses')
export class House extends Model {
  @Id('integer') declare id: number;
  @HasMany(() => Auction) declare auctions: HasMany<Auction>;
}

@Table('auctions')
@LockedBy<Auction>('house')
export class Auction extends Model {
  @Id('integer') declare id: number;
  @BelongsTo(() => House, { optional: true }) declare house: BelongsTo<House | null>;
  @Column('integer', { nullable: true }) declare houseId: number | null;
  @Column({ default: false }) declare isClosed: boolean;
  @HasMany(() => Bid, { dependent: 'destroy' }) declare bids: HasMany<Bid>;

  @BeforeDestroy()
  goes(): void {
    during.push(this.id);
  }
}

@Table('bids')
@LockedBy<Bid>('auction')
export class Bid extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Auction) declare auction: BelongsTo<Auction>;
  @Column('integer') declare auctionId: number;
  @Column('integer') declare amount: number;

  /** Reads of the aggregate what others write: true only as long as nobody writes meanwhile. */
  @BeforeSave()
  async isHighest(): Promise<void> {
    during.push(this.auctionId);
    if (!this.changes.amount) return;
    const highest = await Bid.where({ auctionId: this.auctionId }).maximum('amount');
    if (highest !== undefined && highest >= this.amount) this.amount = highest + 1;
  }

  @BeforeDestroy()
  goes(): void {
    during.push(this.auctionId);
  }

  @Validates()
  async isOpen(): Promise<void> {
    const auction = await Auction.findBy({ id: this.auctionId });
    if (auction?.isClosed) this.errors.add('auction', 'is closed');
  }
}

/** Like a bid, but without callbacks: what is read of others is read by the operation. */
@Table('offers')
@LockedBy<Offer>('auction')
export class Offer extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Auction) declare auction: BelongsTo<Auction>;
  @Column('integer') declare auctionId: number;
  @Column('integer') declare amount: number;
}

/** The auctions whose callbacks, or whose bids' callbacks, have run. */
export const during: number[] = [];

export const AUCTION_TABLES = `
  create table houses (id int primary key);
  create table auctions (id int primary key, house_id int, is_closed boolean not null);
  create table offers (id bigint generated always as identity primary key, auction_id int not null, amount int not null);
  create table bids (id bigint generated always as identity primary key, auction_id int not null, amount int not null);
`;

export const FRESH_AUCTIONS = `truncate houses, auctions, bids, offers restart identity;
    insert into houses values (1), (2);
    insert into auctions values (1, 1, false), (2, 2, false), (3, null, false)`;
