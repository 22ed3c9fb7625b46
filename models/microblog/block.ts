import { AfterCreate, BelongsTo, Check, Column, CreatedAt, Id, Model, Table, Unique } from 'bellwether';
import { Relationship } from './relationship';
import { User } from './user';

/** Somebody wants nothing from somebody: the blocked one does not follow, and does not reply to, the blocker. */
@Table('blocks')
export class Block extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => User) declare readonly blocker: BelongsTo<User>;
  @Column() @Unique({ scope: 'blockedId', message: 'blocks already' }) declare readonly blockerId: bigint;
  @BelongsTo(() => User) declare readonly blocked: BelongsTo<User>;
  @Column()
  @Check<Block>('blocker_id <> blocked_id', {
    message: 'cannot be the blocker',
    holds: ({ blockerId, blockedId }) => blockerId !== blockedId,
  })
  declare readonly blockedId: bigint;
  @CreatedAt() declare readonly createdAt: Date;

  /** Looked for first, not deleted blindly: a look stays true until the commit, so none can be on its way unseen. */
  @AfterCreate()
  async endFollowing(): Promise<void> {
    const { blockerId, blockedId } = this;
    const relationship = await Relationship.findBy({ followerId: blockedId, followedId: blockerId });
    await relationship?.destroy();
  }
}
