import { BelongsTo, Column, HasMany, HasOne, Id, Model, Table } from 'bellwether';
import { Profile, Work } from './work';

@Table('authors')
export class Author extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare name: string;
  @HasMany(() => Work) declare works: HasMany<Work>;
  @HasMany(() => Work, { foreignKey: 'editorId' }) declare edited: HasMany<Work>;
  @HasOne(() => Profile) declare profile: HasOne<Profile>;
  /** Of the same model. */
  @BelongsTo(() => Author, { optional: true }) declare mentor: BelongsTo<Author | null>;
  @HasMany(() => Author, { foreignKey: 'mentorId' }) declare students: HasMany<Author>;
}
