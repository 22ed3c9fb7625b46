import { BelongsTo, Column, CreatedAt, Id, Model, Table, Unique } from 'bellwether';
import { Item } from './item';
import { User } from './user';

/** Somebody who wants to be reminded before an auction ends. */
@Table('watches')
export class Watch extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Item) declare readonly item: BelongsTo<Item>;
  @Column() @Unique({ scope: 'userId' }) declare readonly itemId: bigint;
  @BelongsTo(() => User) declare readonly user: BelongsTo<User>;
  @Column() declare readonly userId: bigint;
  @CreatedAt() declare readonly createdAt: Date;
}
