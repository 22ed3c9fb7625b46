import type { Generated } from 'kysely';
import { Kysely, PostgresDialect } from 'kysely';
import { Pool } from 'pg';
import type { Subject } from '../subject';

/** As the driver gives them: bigints as text. Whatever can be compared with a bigint column may be sent. */
type Key = string | number;

interface Tables {
  products: {
    id: Generated<Key>;
    sku: string;
    name: string;
    price: string;
    stock: number;
    is_active: boolean;
    created_at: Date;
    updated_at: Date;
  };
  authors: { id: Generated<Key>; name: string; country: string };
  books: { id: Generated<Key>; author_id: Key; title: string; pages: number; published_at: Date };
  entries: { id: Generated<Key>; account_id: Key; amount: Key; memo: string; created_at: Date };
  accounts: { id: Generated<Key>; owner: string; balance: string; visits: number; updated_at: Date };
}

/** Kysely with its own dialect, as its documentation shows it. */
export class KyselyAlone implements Subject {
  readonly #db: Kysely<Tables>;

  constructor(url: string) {
    this.#db = new Kysely({ dialect: new PostgresDialect({ pool: new Pool({ connectionString: url, max: 10 }) }) });
  }

  findProduct(id: number): Promise<unknown> {
    return this.#db.selectFrom('products').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  }

  listProducts(): Promise<readonly unknown[]> {
    return this.#db.selectFrom('products').selectAll().orderBy('id').execute();
  }

  async authorsWithBooks(): Promise<readonly unknown[]> {
    const authors = await this.#db.selectFrom('authors').selectAll().orderBy('id').execute();
    const keys = authors.map(({ id }) => id);
    const books = await this.#db.selectFrom('books').selectAll().where('author_id', 'in', keys).orderBy('id').execute();
    const byAuthor = new Map<Key, typeof books>();
    for (const book of books) {
      const list = byAuthor.get(book.author_id);
      if (list) list.push(book);
      else byAuthor.set(book.author_id, [book]);
    }
    return authors.map((author) => ({ ...author, books: byAuthor.get(author.id) ?? [] }));
  }

  insertEntry(accountId: number, amount: number): Promise<unknown> {
    return this.#db
      .insertInto('entries')
      .values({ account_id: accountId, amount, memo: 'A memo', created_at: new Date() })
      .returningAll()
      .executeTakeFirstOrThrow();
  }

  async visit(accountId: number): Promise<unknown> {
    const account = await this.#db
      .selectFrom('accounts')
      .selectAll()
      .where('id', '=', accountId)
      .executeTakeFirstOrThrow();
    return this.#db
      .updateTable('accounts')
      .set({ visits: account.visits + 1, updated_at: new Date() })
      .where('id', '=', account.id)
      .execute();
  }

  transfer(from: number, to: number, amount: number): Promise<unknown> {
    return this.#db.transaction().execute(async (tx) => {
      const accounts = await tx
        .selectFrom('accounts')
        .selectAll()
        .where('id', 'in', [from, to])
        .orderBy('id')
        .forUpdate()
        .execute();
      for (const { id, balance } of accounts) {
        const signed = BigInt(id === String(from) ? -amount : amount);
        await tx
          .updateTable('accounts')
          .set({ balance: String(BigInt(balance) + signed), updated_at: new Date() })
          .where('id', '=', id)
          .execute();
      }
    });
  }

  plain(answer: unknown): unknown {
    if (Array.isArray(answer)) return answer.map((item) => this.plain(item));
    if (typeof answer !== 'object' || answer === null || answer instanceof Date) return answer;
    return Object.values(answer).map((value) => this.plain(value));
  }

  async close(): Promise<void> {
    await this.#db.destroy();
  }
}
