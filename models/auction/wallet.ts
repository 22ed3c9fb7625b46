import { BelongsTo, Check, Column, Id, Model, Table, Unique } from 'bellwether';
import { User } from './user';

/** A user's money, in minor units. What is reserved is still in the balance, and is not available. */
@Table('wallets')
export class Wallet extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => User) declare readonly user: BelongsTo<User>;
  @Column() @Unique() declare readonly userId: bigint;

  @Column({ default: 0n })
  @Check<Wallet>('balance >= 0', { message: 'must not fall below zero', holds: ({ balance }) => balance >= 0n })
  declare readonly balance: bigint;

  /** For the bids that lead. */
  @Column({ default: 0n })
  @Check<Wallet>('reserved between 0 and balance', {
    message: 'must be covered by the balance',
    holds: ({ reserved, balance }) => reserved >= 0n && reserved <= balance,
  })
  declare readonly reserved: bigint;

  /** What is left to bid with and to pay from. */
  @Column({ generated: true }) declare readonly available: bigint;
}
