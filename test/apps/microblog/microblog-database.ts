import type { ConnectOptions, Database } from 'bellwether';
import { createTestDatabase } from 'bellwether/testing';
import type { TestDatabase } from 'bellwether/testing';
import { openMicroblog } from '../../../apps/microblog/database';
import { register } from '../../../apps/microblog/operations';
import type { User } from '../../../models/microblog/user';

const template = { name: 'microblog', prepare: async (url: string) => (await openMicroblog({ url })).close() };

export interface TestMicroblog {
  readonly db: Database;
  readonly database: TestDatabase;
  /** Another connected application on the same database, with a pool of its own. */
  readonly open: (options?: ConnectOptions) => Promise<Database>;
  close(): Promise<void>;
}

/** A microblog of the test file's own, with its tables and nothing in them. */
export async function createTestMicroblog(options: ConnectOptions = {}): Promise<TestMicroblog> {
  const database = await createTestDatabase({ template });
  const opened: Database[] = [];
  const open = async (others: ConnectOptions = {}) => {
    const db = await openMicroblog({ url: database.url, ...others });
    opened.push(db);
    return db;
  };
  const db = await open({ poolSize: 16, ...options });
  const close = async () => {
    await Promise.all(opened.map((one) => one.close()));
    await database.drop();
  };
  return { db, database, open, close };
}

let registered = 0;

/** Somebody new, with a name that nobody else has. */
export function somebody(values: { readonly username?: string; readonly email?: string } = {}): Promise<User> {
  const username = values.username ?? `user_${++registered}`;
  return register({ username, email: values.email ?? `${username}@example.org`, passwordHash: 'none' });
}
