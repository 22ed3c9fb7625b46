import { transactional } from 'bellwether';
import { Customer } from '../../models/bank/customer';
import { Product } from '../../models/bank/product';
import { deposit, openAccount } from './operations';

const CUSTOMERS = [
  { name: 'Ada Lovelace', cover: 'own', checking: 250_000n, savings: 1_000_000n },
  { name: 'Blaise Pascal', cover: 'own', checking: 120_050n, savings: 40_000n },
  { name: 'Emmy Noether', cover: 'joint', checking: 80_000n, savings: 60_000n },
] as const;

const PRODUCTS = [
  { name: 'Brass call bell', price: 2_490n, stocked: 25 },
  { name: 'Cash box', price: 3_900n, stocked: 10 },
  { name: 'The last fountain pen', price: 12_000n, stocked: 1 },
] as const;

/** Fills an empty bank. Serializable, so that of two processes that both find it empty, one fills it. */
export const seedIfEmpty = transactional({ isolation: 'serializable', name: 'seed' }, async (): Promise<boolean> => {
  if (await Customer.where({ isDrill: false }).exists()) return false;
  for (const { name, cover, checking, savings } of CUSTOMERS) {
    const customer = await Customer.create({ name, cover });
    for (const [kind, amount] of [['checking', checking] as const, ['savings', savings] as const]) {
      const account = await openAccount({ customerId: customer.id, kind, currency: 'EUR' });
      await deposit({ accountId: account.id, amount });
    }
  }
  for (const { stocked, ...product } of PRODUCTS) {
    await Product.create({ ...product, currency: 'EUR', stocked, stock: stocked });
  }
  return true;
});
