import { BelongsTo, Column, Id, Model, Table, Unique } from 'bellwether';
import { Author } from './author';

/** Imports the file that imports this one. */
@Table('works')
export class Work extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare title: string;
  @BelongsTo(() => Author) declare author: BelongsTo<Author>;
  /** The key is an attribute that is declared. */
  @Column('bigint', { nullable: true, name: 'edited_by' }) declare editorId: bigint | null;
  @BelongsTo(() => Author, { foreignKey: 'editorId', optional: true }) declare editor: BelongsTo<Author | null>;
}

@Table('profiles')
export class Profile extends Model {
  @Id('uuid', { databaseDefault: true }) declare readonly id: string;
  @Column('text', { nullable: true }) declare motto: string | null;
  @Column() @Unique() declare authorId: bigint;
  @BelongsTo(() => Author) declare author: BelongsTo<Author>;
}

export const LIBRARY_SQL = `
  create table authors (id bigint generated always as identity primary key, name text not null,
    mentor_id bigint references authors);
  create table works (id bigint generated always as identity primary key, title text not null,
    author_id bigint not null references authors, edited_by bigint references authors);
  create table profiles (id uuid primary key default gen_random_uuid(), motto text,
    author_id bigint not null unique references authors);
`;
