import { BelongsTo, Check, Column, CreatedAt, Id, Model, Table } from 'bellwether';
import { Movement } from './movement';
import { Product } from './product';

/** What a customer bought, and the movement that paid for it. */
@Table('purchases')
export class Purchase extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Product) declare readonly product: BelongsTo<Product>;
  @Column() declare readonly productId: bigint;
  @BelongsTo(() => Movement) declare readonly movement: BelongsTo<Movement>;
  @Column() declare readonly movementId: bigint;
  @Column()
  @Check<Purchase>('quantity > 0', { message: 'must be at least 1', holds: ({ quantity }) => quantity > 0 })
  declare readonly quantity: number;
  @CreatedAt() declare readonly createdAt: Date;
}
