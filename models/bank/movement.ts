import { Column, CreatedAt, HasMany, Id, Model, Table } from 'bellwether';
import { IsOptional, MaxLength } from 'class-validator';
import { Entry } from './entry';

export const MOVEMENT_KINDS = ['deposit', 'withdrawal', 'transfer', 'saving', 'purchase'] as const;
export type MovementKind = (typeof MOVEMENT_KINDS)[number];

/** Money that moved: one event, booked as a pair of entries that sum to zero. */
@Table('movements')
export class Movement extends Model {
  @Id() declare readonly id: bigint;
  @Column('enum', { values: MOVEMENT_KINDS }) declare readonly kind: MovementKind;
  @Column('text', { nullable: true }) @IsOptional() @MaxLength(140) declare readonly memo: string | null;
  @CreatedAt() declare readonly createdAt: Date;
  @HasMany(() => Entry, { dependent: 'restrict' }) declare entries: HasMany<Entry>;
}
