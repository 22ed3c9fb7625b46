import { BelongsTo, Check, Column, CreatedAt, HasMany, Id, Model, Table, Unique } from 'bellwether';
import { COVERS } from './cover';
import type { Cover } from './cover';
import { CURRENCIES } from './currency';
import type { Currency } from './currency';
import { Customer } from './customer';
import { Entry } from './entry';

/** `cash` and `sales` are the bank's own: the far end of what comes from or goes to the world outside. */
export const ACCOUNT_KINDS = ['checking', 'savings', 'cash', 'sales'] as const;
export type AccountKind = (typeof ACCOUNT_KINDS)[number];

/** Only `balance`, `closedAt` and `lastEntryId` ever change; what else is read of an account stays true. */
@Table('accounts')
export class Account extends Model {
  @Id() declare readonly id: bigint;

  /** Null for the bank's own accounts. */
  @BelongsTo(() => Customer, { optional: true }) declare readonly customer: BelongsTo<Customer | null>;
  @Column('bigint', { nullable: true }) declare readonly customerId: bigint | null;

  @Column('enum', { values: ACCOUNT_KINDS })
  @Unique({ scope: 'customerId', where: 'closed_at is null', message: 'is open already' })
  @Check("(customer_id is null) = (kind in ('cash', 'sales'))", { message: 'does not go with its owner' })
  declare readonly kind: AccountKind;

  @Column('enum', { values: CURRENCIES })
  @Unique({ scope: 'kind', where: 'customer_id is null' })
  declare readonly currency: Currency;

  /** The customer's, at the time of opening. */
  @Column('enum', { values: COVERS, default: 'own' }) declare readonly cover: Cover;

  /**
   * In minor units: the sum of the entries. The bank's own accounts keep none, since every deposit of the whole bank
   * would queue for that one row; what they hold is the sum of their entries.
   */
  @Column({ default: 0n })
  @Check<Account>("balance >= 0 or cover = 'joint'", {
    message: 'must not fall below zero',
    holds: ({ balance, cover }) => balance >= 0n || cover === 'joint',
  })
  @Check('customer_id is not null or balance = 0', { constraint: 'accounts_own_balance_check' })
  declare balance: bigint;

  @CreatedAt() declare readonly createdAt: Date;
  @Column('timestamptz', { nullable: true }) declare closedAt: Date | null;
  /** Of a closed account, the entry after which none may land; told by the ledger's order, not by a clock. */
  @Column('bigint', { nullable: true }) declare lastEntryId: bigint | null;

  @HasMany(() => Entry, { dependent: 'restrict' }) declare entries: HasMany<Entry>;
}
