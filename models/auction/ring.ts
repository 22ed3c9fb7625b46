import { BelongsTo, Column, CreatedAt, Id, Model, Table, Unique } from 'bellwether';
import { Sale } from './sale';

/** `failed`: the bell will not be asked again. */
export const RING_STATUSES = ['pending', 'rung', 'failed'] as const;
export type RingStatus = (typeof RING_STATUSES)[number];

/** What has become of the ring for a sale. */
@Table('rings')
export class Ring extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Sale) declare readonly sale: BelongsTo<Sale>;
  @Column() @Unique() declare readonly saleId: bigint;
  @Column('enum', { values: RING_STATUSES, default: 'pending' }) declare readonly status: RingStatus;
  /** How often the bell was asked. */
  @Column({ default: 0 }) declare readonly attempts: number;
  /** What came of the last time, if it was not rung. */
  @Column('text', { nullable: true }) declare readonly problem: string | null;
  @Column('timestamptz', { nullable: true }) declare readonly rungAt: Date | null;
  @CreatedAt() declare readonly createdAt: Date;
}
