import { Column, Id, Model, Table, Unique } from 'bellwether';
import { RING_KINDS } from '../bell/ring';
import type { Ring } from '../bell/ring';

const STATUSES = ['queued', 'striking', 'rung', 'failed'] as const satisfies readonly Ring['status'][];

/** A ring in the database. */
@Table('bellbot_rings')
export class RingRecord extends Model {
  /** Counts up in the order of acceptance. */
  @Id() declare readonly id: bigint;
  @Column() @Unique() declare readonly ringId: string;
  @Column('text', { nullable: true }) @Unique() declare readonly idempotencyKey: string | null;
  @Column() declare readonly bell: string;
  @Column('enum', { values: RING_KINDS }) declare readonly kind: Ring['kind'];
  @Column('text', { nullable: true, name: 'asked_by' }) declare readonly by: string | null;
  @Column('text', { nullable: true }) declare readonly why: string | null;
  @Column('enum', { values: STATUSES }) declare readonly status: Ring['status'];
  @Column() declare readonly queuedAt: Date;
  @Column('timestamptz', { nullable: true }) declare readonly finishedAt: Date | null;
  @Column('text', { nullable: true }) declare readonly error: string | null;
}

export const SCHEMA = [
  `create type bellbot_ring_kind as enum (${list(RING_KINDS)})`,
  `create type bellbot_ring_status as enum (${list(STATUSES)})`,
  `create table bellbot_rings (
    id bigint generated always as identity primary key,
    ring_id text not null unique,
    idempotency_key text unique,
    bell text not null,
    kind bellbot_ring_kind not null,
    asked_by text,
    why text,
    status bellbot_ring_status not null,
    queued_at timestamptz not null,
    finished_at timestamptz,
    error text
  )`,
  'create index on bellbot_rings (finished_at)',
] as const;

function list(values: readonly string[]): string {
  return values.map((value) => `'${value}'`).join(', ');
}

export function ringOf({ ringId, bell, kind, by, why, status, queuedAt, finishedAt, error }: RingRecord): Ring {
  const times = { queuedAt: queuedAt.toISOString(), finishedAt: finishedAt?.toISOString() ?? null };
  return { id: ringId, bell, kind, by, why, status, error, ...times };
}
