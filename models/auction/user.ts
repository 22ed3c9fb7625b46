import { AfterCreate, BelongsTo, Column, Counter, CreatedAt, HasMany, HasOne, Id, Invariant } from 'bellwether';
import { Model, Table, Unique } from 'bellwether';
import { IsEmail, IsNotEmpty, Matches, MaxLength } from 'class-validator';
import { Comment } from './comment';
import { Item } from './item';
import { Region } from './region';
import { Wallet } from './wallet';

/** Somebody who sells and buys. */
@Invariant<User>('what is reserved are the bids that lead', {
  over: 'id',
  touchedBy: ['wallet', 'leading'],
  having: `(select reserved from wallets where user_id = users.id)
    = (select coalesce(sum(highest_amount), 0) from items where leader_id = users.id and status = 'open')`,
})
@Table('users')
export class User extends Model {
  @Id() declare readonly id: bigint;

  @Column()
  @Unique({ caseInsensitive: true })
  @Matches(/^[\p{L}\p{N}][\p{L}\p{N}_.-]{1,29}$/u, {
    message: 'must be 2 to 30 letters, digits, dots, dashes or underscores',
  })
  declare readonly nickname: string;

  @Column('citext')
  @Unique()
  @IsEmail({}, { message: 'must be an e-mail address' })
  @MaxLength(254)
  declare email: string;
  @Column() @IsNotEmpty() declare passwordHash: string;

  @BelongsTo(() => Region) declare region: BelongsTo<Region>;
  @Column() declare regionId: bigint;

  /** How many items the user has ever offered: the length of the seller's list. */
  @Column({ default: 0 }) @Counter() declare readonly offeredCount: number;
  /** Sum and number of the ratings that others gave. */
  @Column({ default: 0 }) @Counter() declare readonly ratingSum: number;
  @Column({ default: 0 }) @Counter() declare readonly ratingCount: number;

  /** Belongs to an exercise; its wreckage is no part of the auction's books. */
  @Column({ default: false }) declare readonly isDrill: boolean;
  @CreatedAt() declare readonly createdAt: Date;

  @HasOne(() => Wallet) declare wallet: HasOne<Wallet>;
  @HasMany(() => Item, { foreignKey: 'sellerId' }) declare offers: HasMany<Item>;
  /** Items on which this user's bid is the highest, or was when they closed. */
  @HasMany(() => Item, { foreignKey: 'leaderId' }) declare leading: HasMany<Item>;
  @HasMany(() => Comment, { foreignKey: 'subjectId' }) declare comments: HasMany<Comment>;

  @AfterCreate()
  async openWallet(): Promise<void> {
    await Wallet.create({ user: this });
  }
}
