import { BelongsTo, Column, connect, CreatedAt, HasMany, Id, Model, Table, UpdatedAt } from 'bellwether';
import type { Database, IsolationLevel } from 'bellwether';
import type { Subject } from '../subject';

@Table('products')
class Product extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare sku: string;
  @Column() declare name: string;
  @Column() declare price: bigint;
  @Column() declare stock: number;
  @Column() declare isActive: boolean;
  @CreatedAt() declare createdAt: Date;
  @UpdatedAt() declare updatedAt: Date;
}

@Table('authors')
class Author extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare name: string;
  @Column() declare country: string;
  @HasMany(() => Book) declare books: HasMany<Book>;
}

@Table('books')
class Book extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Author) declare author: BelongsTo<Author>;
  @Column() declare authorId: bigint;
  @Column() declare title: string;
  @Column() declare pages: number;
  @Column() declare publishedAt: Date;
}

@Table('entries')
class Entry extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare accountId: bigint;
  @Column() declare amount: bigint;
  @Column() declare memo: string;
  @CreatedAt() declare createdAt: Date;
}

@Table('accounts')
class Account extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare owner: string;
  @Column() declare balance: bigint;
  @Column() declare visits: number;
  @UpdatedAt() declare updatedAt: Date;
}

/** The framework, through its public API. */
export class Bellwether implements Subject {
  readonly #db: Database;

  private constructor(db: Database) {
    this.#db = db;
  }

  static async connect(url: string, isolation: IsolationLevel): Promise<Bellwether> {
    const subject = new Bellwether(await connect({ url, isolation, poolSize: 10 }));
    // From the first transaction on, Node calls hooks on every promise: applications live with that.
    await subject.transfer(1, 2, 0);
    return subject;
  }

  findProduct(id: number): Promise<unknown> {
    return Product.find(BigInt(id));
  }

  async listProducts(): Promise<readonly unknown[]> {
    return Product.order('id');
  }

  async authorsWithBooks(): Promise<readonly unknown[]> {
    return Author.order('id').include('books');
  }

  insertEntry(accountId: number, amount: number): Promise<unknown> {
    return Entry.create({ accountId: BigInt(accountId), amount: BigInt(amount), memo: 'A memo' });
  }

  async visit(accountId: number): Promise<unknown> {
    const account = await Account.find(BigInt(accountId));
    account.visits += 1;
    return account.save();
  }

  transfer(from: number, to: number, amount: number): Promise<unknown> {
    return this.#db.transaction(async () => {
      const [a, b] = await Account.where({ id: [BigInt(from), BigInt(to)] })
        .order('id')
        .lock('for update');
      const signed = BigInt(from < to ? amount : -amount);
      a!.balance -= signed;
      b!.balance += signed;
      await Promise.all([a!.save(), b!.save()]);
    });
  }

  plain(answer: unknown): unknown {
    if (Array.isArray(answer)) return answer.map((item) => this.plain(item));
    if (answer instanceof Author) {
      const books = answer.books as unknown as { value: readonly Book[] };
      return [...Object.values(answer.toJSON()), this.plain([...books.value])];
    }
    return answer instanceof Model ? Object.values(answer.toJSON()) : answer;
  }

  async close(): Promise<void> {
    await this.#db.close();
  }
}
