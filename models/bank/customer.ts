import { Column, CreatedAt, HasMany, Id, Model, Table } from 'bellwether';
import { IsNotEmpty, MaxLength } from 'class-validator';
import { Account } from './account';
import { COVERS } from './cover';
import type { Cover } from './cover';

@Table('customers')
export class Customer extends Model {
  @Id() declare readonly id: bigint;
  @Column() @IsNotEmpty({ message: 'must be given' }) @MaxLength(80) declare name: string;
  @Column('enum', { values: COVERS, default: 'own' }) declare readonly cover: Cover;
  /** Belongs to an attack that is only an exercise; its wreckage is no part of the bank's books. */
  @Column({ default: false }) declare readonly isDrill: boolean;
  @CreatedAt() declare readonly createdAt: Date;
  @HasMany(() => Account, { dependent: 'restrict' }) declare accounts: HasMany<Account>;
}
