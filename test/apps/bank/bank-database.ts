import type { Database } from 'bellwether';
import { createTestDatabase } from 'bellwether/testing';
import type { TestDatabase } from 'bellwether/testing';
import { openBank } from '../../../apps/bank/database';
import { deposit, openAccount, openCustomer } from '../../../apps/bank/operations';
import type { Account } from '../../../models/bank/account';
import type { Currency } from '../../../models/bank/currency';
import type { Cover } from '../../../models/bank/cover';
import type { Customer } from '../../../models/bank/customer';

const template = { name: 'bank', prepare: async (url: string) => (await openBank({ url })).close() };

export interface TestBank {
  readonly db: Database;
  readonly database: TestDatabase;
  close(): Promise<void>;
}

/** A bank of the test file's own, with its tables and nothing in them. */
export async function createTestBank(poolSize = 20): Promise<TestBank> {
  const database = await createTestDatabase({ template });
  const db = await openBank({ url: database.url, poolSize });
  const close = async () => {
    await db.close();
    await database.drop();
  };
  return { db, database, close };
}

export interface Holder {
  readonly customer: Customer;
  readonly checking: Account;
  readonly savings: Account;
}

/** A customer with both accounts, and money in them, in minor units. */
export async function createHolder(
  balances: { readonly checking?: bigint; readonly savings?: bigint } = {},
  { cover = 'own', currency = 'EUR' }: { readonly cover?: Cover; readonly currency?: Currency } = {},
): Promise<Holder> {
  const customer = await openCustomer({ name: 'A customer', cover });
  const open = async (kind: 'checking' | 'savings') => {
    const account = await openAccount({ customerId: customer.id, kind, currency });
    const amount = balances[kind] ?? 0n;
    if (amount > 0n) await deposit({ accountId: account.id, amount });
    return account.reload();
  };
  return { customer, checking: await open('checking'), savings: await open('savings') };
}
