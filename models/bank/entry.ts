import { BelongsTo, Check, Column, Id, Model, Table } from 'bellwether';
import { Account } from './account';
import { Movement } from './movement';

/** One side of a movement, never changed: negative for the debit, positive for the credit. */
@Table('entries')
export class Entry extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Movement) declare readonly movement: BelongsTo<Movement>;
  @Column() declare readonly movementId: bigint;
  @BelongsTo(() => Account) declare readonly account: BelongsTo<Account>;
  @Column() declare readonly accountId: bigint;
  /** In minor units of the account's currency. */
  @Column()
  @Check<Entry>('amount <> 0', { message: 'must not be zero', holds: ({ amount }) => amount !== 0n })
  declare readonly amount: bigint;
}
