import { Check, Column, CreatedAt, Id, Model, Table, Validates } from 'bellwether';
import { IsNotEmpty, MaxLength } from 'class-validator';
import { CURRENCIES } from './currency';
import type { Currency } from './currency';

@Table('products')
export class Product extends Model {
  @Id() declare readonly id: bigint;
  @Column() @IsNotEmpty({ message: 'must be given' }) @MaxLength(80) declare name: string;

  /** In minor units. Never changes: a new price is a new product. A trigger holds this for writes in SQL. */
  @Column()
  @Check<Product>('price > 0', { message: 'must be more than zero', holds: ({ price }) => price > 0n })
  declare price: bigint;

  @Column('enum', { values: CURRENCIES }) declare readonly currency: Currency;

  /** How many were ever put on the shelf. */
  @Column() declare readonly stocked: number;
  /** How many of them are left. */
  @Column()
  @Check<Product>('stock >= 0', { message: 'must not fall below zero', holds: ({ stock }) => stock >= 0 })
  declare stock: number;

  @CreatedAt() declare readonly createdAt: Date;

  @Validates({ on: 'update' })
  priceStays(): void {
    if (this.changes.price) this.errors.add('price', 'cannot be changed; make a new product', 'immutable');
  }
}
