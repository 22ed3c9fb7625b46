import { Column, CreatedAt, Id, Model, Table, Unique } from 'bellwether';

/** The answer to a request that may be sent again; committed with what the request did. */
@Table('idempotency_keys')
export class IdempotencyKey extends Model {
  @Id() declare readonly id: bigint;
  /** Whose request it is: keys of different users do not meet. Empty for nobody's. */
  @Column() declare readonly owner: string;
  @Column() @Unique({ scope: 'owner' }) declare readonly key: string;
  /** SHA-256 of method, path and body. */
  @Column() declare readonly fingerprint: string;
  @Column('integer', { nullable: true }) declare status: number | null;
  @Column('jsonb', { nullable: true }) declare body: unknown;
  @CreatedAt() declare readonly createdAt: Date;
}
