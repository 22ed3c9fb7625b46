import { AfterCreate, Check, Column, CreatedAt, HasMany, Id, Model, Table, Unique } from 'bellwether';
import type { HasManyThrough } from 'bellwether';
import { IsEmail, IsNotEmpty, Matches, MaxLength } from 'class-validator';
import { Block } from './block';
import { Micropost } from './micropost';
import { Relationship } from './relationship';

export const USERNAME_RULE = 'must be 3 to 20 letters, digits or underscores, and begin with a letter';

/**
 * What belongs to a user goes with it. Each in one statement, since nothing of theirs has a callback that would have to
 * run; the replies to its posts go by their foreign key.
 */
@Table('users')
export class User extends Model {
  @Id() declare readonly id: bigint;

  /** As its owner writes it; `Ann` and `ann` are one name. */
  @Column('citext')
  @Unique()
  @Matches(/^[a-z][a-z0-9_]{2,19}$/i, { message: USERNAME_RULE })
  @Check("username ~* '^[a-z][a-z0-9_]{2,19}$'", { message: USERNAME_RULE })
  declare readonly username: string;

  @Column('citext')
  @Unique()
  @IsEmail({}, { message: 'must be an e-mail address' })
  @MaxLength(254)
  declare readonly email: string;

  @Column() @IsNotEmpty() declare passwordHash: string;
  @CreatedAt() declare readonly createdAt: Date;

  @HasMany(() => Micropost, { dependent: 'delete' }) declare microposts: HasMany<Micropost>;

  /** By which it follows others, and itself. */
  @HasMany(() => Relationship, { foreignKey: 'followerId', dependent: 'delete' })
  declare relationships: HasMany<Relationship>;
  @HasMany(() => Relationship, { foreignKey: 'followedId', dependent: 'delete' })
  declare reverseRelationships: HasMany<Relationship>;
  @HasMany(() => User, { through: 'relationships', source: 'followed' }) declare following: HasManyThrough<User>;
  @HasMany(() => User, { through: 'reverseRelationships', source: 'follower' })
  declare followers: HasManyThrough<User>;

  @HasMany(() => Block, { foreignKey: 'blockerId', dependent: 'delete' }) declare blocks: HasMany<Block>;
  @HasMany(() => Block, { foreignKey: 'blockedId', dependent: 'delete' }) declare blocksAgainst: HasMany<Block>;
  @HasMany(() => User, { through: 'blocks', source: 'blocked' }) declare blocking: HasManyThrough<User>;

  /** So that its own posts are in its feed. In the transaction that creates it: nobody sees a user who does not. */
  @AfterCreate()
  async followItself(): Promise<void> {
    await Relationship.create({ follower: this, followed: this });
  }
}
