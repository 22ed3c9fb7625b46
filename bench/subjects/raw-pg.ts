import { Pool } from 'pg';
import type { PoolClient } from 'pg';
import type { Subject } from '../subject';

interface Book {
  author_id: string;
}
interface Author {
  id: string;
}
interface Account {
  id: string;
  balance: string;
  visits: number;
}

/** The driver alone, used well: a pool, named prepared statements, rows as objects. */
export class RawPg implements Subject {
  readonly #pool: Pool;

  constructor(url: string) {
    this.#pool = new Pool({ connectionString: url, max: 10 });
  }

  async findProduct(id: number): Promise<unknown> {
    const { rows } = await this.#pool.query<object>({
      name: 'product',
      text: 'select id, sku, name, price, stock, is_active, created_at, updated_at from products where id = $1',
      values: [id],
    });
    return rows[0];
  }

  async listProducts(): Promise<readonly unknown[]> {
    const { rows } = await this.#pool.query<object>({
      name: 'products',
      text: 'select id, sku, name, price, stock, is_active, created_at, updated_at from products order by id',
    });
    return rows;
  }

  async authorsWithBooks(): Promise<readonly unknown[]> {
    const authors = await this.#pool.query<Author>({
      name: 'authors',
      text: 'select id, name, country from authors order by id',
    });
    const books = await this.#pool.query<Book>({
      name: 'books',
      text: 'select id, author_id, title, pages, published_at from books where author_id = any($1) order by id',
      values: [authors.rows.map(({ id }) => id)],
    });
    const byAuthor = new Map<string, Book[]>();
    for (const book of books.rows) {
      const list = byAuthor.get(book.author_id);
      if (list) list.push(book);
      else byAuthor.set(book.author_id, [book]);
    }
    return authors.rows.map((author) => ({ ...author, books: byAuthor.get(author.id) ?? [] }));
  }

  async insertEntry(accountId: number, amount: number): Promise<unknown> {
    const { rows } = await this.#pool.query<object>({
      name: 'entry',
      text: 'insert into entries (account_id, amount, memo, created_at) values ($1, $2, $3, $4) returning *',
      values: [accountId, amount, 'A memo', new Date()],
    });
    return rows[0];
  }

  async visit(accountId: number): Promise<unknown> {
    const { rows } = await this.#pool.query<Account>({
      name: 'account',
      text: 'select id, owner, balance, visits, updated_at from accounts where id = $1',
      values: [accountId],
    });
    const account = rows[0]!;
    account.visits += 1;
    return this.#pool.query({
      name: 'visit',
      text: 'update accounts set visits = $1, updated_at = $2 where id = $3',
      values: [account.visits, new Date(), account.id],
    });
  }

  async transfer(from: number, to: number, amount: number): Promise<unknown> {
    const client = await this.#pool.connect();
    try {
      await client.query('begin');
      await this.#move(client, from, to, BigInt(amount));
      return await client.query('commit');
    } catch (error) {
      await client.query('rollback');
      throw error;
    } finally {
      client.release();
    }
  }

  async #move(client: PoolClient, from: number, to: number, amount: bigint): Promise<void> {
    const { rows } = await client.query<Account>({
      name: 'accounts',
      text: 'select id, owner, balance, visits, updated_at from accounts where id = any($1) order by id for update',
      values: [[from, to]],
    });
    for (const { id, balance } of rows) {
      const signed = id === String(from) ? -amount : amount;
      await client.query({
        name: 'balance',
        text: 'update accounts set balance = $1, updated_at = $2 where id = $3',
        values: [BigInt(balance) + signed, new Date(), id],
      });
    }
  }

  plain(answer: unknown): unknown {
    if (Array.isArray(answer)) return answer.map((item) => this.plain(item));
    if (typeof answer !== 'object' || answer === null || answer instanceof Date) return answer;
    return Object.values(answer).map((value) => this.plain(value));
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}
