import {
  BeforeValidation,
  BelongsTo,
  Check,
  Column,
  CreatedAt,
  HasMany,
  Id,
  Model,
  Table,
  Validates,
  Version,
} from 'bellwether';
import { Block } from './block';
import { User } from './user';

/** In code points, which PostgreSQL counts as well: a family of emoji is several, an umlaut one. */
export const MOST_CHARACTERS = 280;
export const countCharacters = (text: string): number => [...text].length;

/**
 * What somebody says. A reply goes when the post that it answers goes, by the foreign key: with its post kept from the
 * reader, a reply would be seen without what it answers.
 */
@Table('microposts')
export class Micropost extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => User) declare readonly author: BelongsTo<User>;
  @Column() declare readonly authorId: bigint;

  /** Without spaces around it, and in Unicode's composed form. */
  @Column()
  @Check<Micropost>(`char_length(content) between 1 and ${MOST_CHARACTERS}`, {
    message: `must be 1 to ${MOST_CHARACTERS} characters long`,
    holds: ({ content }) => content !== '' && countCharacters(content) <= MOST_CHARACTERS,
  })
  declare content: string;

  @BelongsTo(() => Micropost, { optional: true }) declare readonly inReplyTo: BelongsTo<Micropost | null>;
  @Column('bigint', { nullable: true }) declare readonly inReplyToId: bigint | null;
  /** Of a reply, the post that the conversation began with; null of that one itself. */
  @BelongsTo(() => Micropost, { optional: true }) declare readonly conversation: BelongsTo<Micropost | null>;
  @Column('bigint', { nullable: true }) declare conversationId: bigint | null;
  @HasMany(() => Micropost, { foreignKey: 'inReplyToId' }) declare replies: HasMany<Micropost>;

  @Version() declare readonly version: number;
  @CreatedAt() declare readonly createdAt: Date;

  @BeforeValidation()
  tidy(): void {
    if (typeof this.content === 'string') this.content = this.content.trim().normalize('NFC');
  }

  @BeforeValidation<Micropost>({ if: ({ isNew, inReplyToId }) => isNew && inReplyToId !== null })
  async joinConversation(): Promise<void> {
    const answered = await this.inReplyTo.load();
    if (answered) this.conversationId = answered.conversationId ?? answered.id;
  }

  @Validates<Micropost>({ on: 'create', if: ({ inReplyToId }) => inReplyToId !== null })
  async mayReply(): Promise<void> {
    const answered = await this.inReplyTo.load();
    if (!answered) return; // which its association says
    if (await Block.where({ blockerId: answered.authorId, blockedId: this.authorId }).exists()) {
      this.errors.add('inReplyTo', 'is by somebody who has blocked the author', 'blocked');
    }
  }
}
