import { Column, Id, Model, Table } from 'bellwether';

// UNSAFE. Tables for the drill alone, as they are where nobody has declared anything: no rules here, no constraints in the
// database. What the microblog keeps is in the others.

@Table('unsafe_users')
export class UnsafeUser extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare username: string;
}

@Table('unsafe_relationships')
export class UnsafeRelationship extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare followerId: bigint;
  @Column() declare followedId: bigint;
}

@Table('unsafe_blocks')
export class UnsafeBlock extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare blockerId: bigint;
  @Column() declare blockedId: bigint;
}
