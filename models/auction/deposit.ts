import { BelongsTo, Check, Column, CreatedAt, Id, Model, Table } from 'bellwether';
import { User } from './user';

/** Money that a user paid in. */
@Table('deposits')
export class Deposit extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => User) declare readonly user: BelongsTo<User>;
  @Column() declare readonly userId: bigint;
  /** In minor units. */
  @Column()
  @Check<Deposit>('amount > 0', { message: 'must be more than zero', holds: ({ amount }) => amount > 0n })
  declare readonly amount: bigint;
  @CreatedAt() declare readonly createdAt: Date;
}
