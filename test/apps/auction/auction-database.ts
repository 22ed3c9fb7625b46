import type { Database } from 'bellwether';
import { createTestDatabase } from 'bellwether/testing';
import type { TestDatabase } from 'bellwether/testing';
import { audit } from '../../../apps/auction/audit';
import { openAuction } from '../../../apps/auction/database';
import { offer } from '../../../apps/auction/offering';
import type { Offer } from '../../../apps/auction/offering';
import { addFunds, register } from '../../../apps/auction/people';
import { Category } from '../../../models/auction/category';
import type { Item } from '../../../models/auction/item';
import { Region } from '../../../models/auction/region';
import type { User } from '../../../models/auction/user';
import { Wallet } from '../../../models/auction/wallet';

const template = { name: 'auction', prepare: async (url: string) => (await openAuction({ url })).close() };

export interface TestAuction {
  readonly db: Database;
  readonly database: TestDatabase;
  close(): Promise<void>;
}

/** An auction of the test file's own, with its tables and nothing in them. */
export async function createTestAuction(poolSize = 16): Promise<TestAuction> {
  const database = await createTestDatabase({ template });
  const db = await openAuction({ url: database.url, poolSize });
  const close = async () => {
    await db.close();
    await database.drop();
  };
  return { db, database, close };
}

let made = 0;

/** A user with money, in minor units. */
export async function createUser(funds = 0n): Promise<User> {
  const name = `user-${++made}`;
  const region = await Region.findOrCreateBy({ name: 'Anywhere' });
  const email = `${name}@example.org`;
  const user = await register({ nickname: name, email, passwordHash: 'none', regionId: region.id });
  if (funds > 0n) await addFunds({ userId: user.id, amount: funds });
  return user;
}

export const createUsers = (count: number, funds = 0n): Promise<User[]> =>
  Promise.all(Array.from({ length: count }, () => createUser(funds)));

/** Ends in an hour. */
export async function createItem(seller: User, values: Partial<Offer> = {}): Promise<Item> {
  const category = await Category.findOrCreateBy({ name: 'Anything' });
  return offer({
    sellerId: seller.id,
    categoryId: category.id,
    name: 'A thing',
    startPrice: 1_000n,
    bidStep: 100n,
    endsAt: new Date(Date.now() + 3_600_000),
    ...values,
  });
}

/** Brings the end of auctions about, as the passing of time does. */
export async function endNow({ database }: TestAuction, ...items: readonly Item[]): Promise<void> {
  const ids = items.map(({ id }) => id);
  await database.pool.query('update items set ends_at = clock_timestamp() where id = any($1)', [ids]);
}

export async function walletOf({ id: userId }: User): Promise<{ balance: bigint; reserved: bigint }> {
  const { balance, reserved } = await Wallet.where({ userId }).firstOrFail();
  return { balance, reserved };
}

/** The rules that are broken; none is as it should be. */
export async function broken({ db }: TestAuction, ...users: readonly User[]): Promise<string[]> {
  const findings = await audit(db, users.length > 0 ? users.map(({ id }) => id) : undefined);
  return findings.flatMap(({ rule, violations, detail }) => (violations > 0 ? [`${rule}: ${detail}`] : []));
}
