import { BelongsTo, Column, CreatedAt, Id, Model, Table, Unique, Validates } from 'bellwether';
import { Block } from './block';
import { User } from './user';

/** Somebody follows somebody. Each user follows itself, too. */
@Table('relationships')
export class Relationship extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => User) declare readonly follower: BelongsTo<User>;
  @Column() @Unique({ scope: 'followedId', message: 'follows already' }) declare readonly followerId: bigint;
  @BelongsTo(() => User) declare readonly followed: BelongsTo<User>;
  @Column() declare readonly followedId: bigint;
  @CreatedAt() declare readonly createdAt: Date;

  /**
   * Nobody follows whom they are blocked by. What it reads stays true until the commit, as all that a validation reads;
   * the block that comes at the same time finds this relationship and ends it ({@link Block}), or is seen here.
   */
  @Validates<Relationship>({ on: 'create', if: ({ followerId, followedId }) => followerId !== followedId })
  async isNotBlocked(): Promise<void> {
    const { followerId, followedId } = this;
    if (await Block.where({ blockerId: followedId, blockedId: followerId }).exists()) {
      this.errors.add('followed', 'has blocked the follower', 'blocked');
    }
  }
}
