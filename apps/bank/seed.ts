import { transactional } from 'bellwether';
import { Account } from '../../models/bank/account';
import { Customer } from '../../models/bank/customer';
import { Entry } from '../../models/bank/entry';
import { Movement } from '../../models/bank/movement';
import { Product } from '../../models/bank/product';
import type { SeedOptions } from '../load/mix';
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

const BATCH = 1_000;
const FUNDS = { checking: 100_000n, savings: 500_000n } as const;
const KINDS = ['checking', 'savings'] as const;

/** Adds customers, each with money in both accounts, booked like any other: a thousand of them in five statements. */
export async function seed({ users, onProgress }: SeedOptions): Promise<void> {
  for (let done = 0; done < users; done += BATCH) {
    const count = Math.min(BATCH, users - done);
    await seedBatch(Array.from({ length: count }, (_, index) => `Customer ${done + index + 1}`));
    onProgress?.(done + count, users);
  }
}

const seedBatch = transactional(
  { isolation: 'read committed', name: 'seed' },
  async (names: readonly string[]): Promise<void> => {
    const cash = await Account.where({ kind: 'cash', currency: 'EUR', customerId: null }).firstOrFail();
    const customers = await Customer.insertAll(names.map((name) => ({ name })));
    const accounts = customers.flatMap((customerId) =>
      KINDS.map((kind) => ({ customerId, kind, balance: FUNDS[kind] })),
    );
    const accountIds = await Account.insertAll(accounts.map((account) => ({ ...account, currency: 'EUR' as const })));
    const movements = await Movement.insertAll(accounts.map(() => ({ kind: 'deposit' as const })));
    await Entry.insertAll(
      accounts.flatMap(({ balance }, index) => {
        const movementId = movements[index]!; // one for each account
        return [
          { movementId, accountId: cash.id, amount: -balance },
          { movementId, accountId: accountIds[index]!, amount: balance },
        ];
      }),
    );
  },
);
