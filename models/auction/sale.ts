import { AfterCreate, BelongsTo, Check, Column, CreatedAt, enqueue, HasMany, HasOne, Id, LockedBy } from 'bellwether';
import { Model, Table, Unique } from 'bellwether';
import { Bid } from './bid';
import { Comment } from './comment';
import { Item } from './item';
import { Ring } from './ring';
import { ringBell } from './ring-bell';
import { User } from './user';

export const SALE_KINDS = ['auction', 'buy now'] as const;
export type SaleKind = (typeof SALE_KINDS)[number];

/** Never changed. Whoever makes one rings the bell: the job is part of the same transaction. */
@LockedBy<Sale>('item')
@Table('sales')
export class Sale extends Model {
  @Id() declare readonly id: bigint;

  @BelongsTo(() => Item) declare readonly item: BelongsTo<Item>;
  /** An item is sold by auction once; units of it may be bought besides. */
  @Column() @Unique({ where: "kind = 'auction'", message: 'is sold already' }) declare readonly itemId: bigint;
  @BelongsTo(() => User) declare readonly seller: BelongsTo<User>;
  @Column() declare readonly sellerId: bigint;
  @BelongsTo(() => User) declare readonly buyer: BelongsTo<User>;
  @Column() declare readonly buyerId: bigint;

  @Column('enum', { values: SALE_KINDS })
  @Check("(kind = 'auction') = (bid_id is not null)", { message: 'does not go with its bid' })
  declare readonly kind: SaleKind;

  /** The one that won; none where it was bought now. */
  @BelongsTo(() => Bid, { optional: true }) declare readonly bid: BelongsTo<Bid | null>;
  @Column('bigint', { nullable: true }) @Unique() declare readonly bidId: bigint | null;

  @Column({ default: 1 })
  @Check<Sale>('quantity > 0', { message: 'must be at least 1', holds: ({ quantity }) => quantity > 0 })
  declare readonly quantity: number;
  /** Of all units together, in minor units. */
  @Column()
  @Check<Sale>('price > 0', { message: 'must be more than zero', holds: ({ price }) => price > 0n })
  declare readonly price: bigint;

  @CreatedAt() declare readonly createdAt: Date;

  @HasOne(() => Ring) declare ring: HasOne<Ring>;
  @HasMany(() => Comment) declare comments: HasMany<Comment>;

  @AfterCreate()
  async ringTheBell(): Promise<void> {
    const saleId = String(this.id);
    // The ring's savepoint comes second: the job would have to wait for its end.
    await Promise.all([enqueue(ringBell, { saleId }, { key: `sale:${saleId}` }), Ring.create({ sale: this })]);
  }
}
