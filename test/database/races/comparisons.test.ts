import {
  BelongsTo,
  BellwetherError,
  Column,
  HasMany,
  Id,
  Model,
  RecordNotFoundError,
  Table,
  Transactional,
  ValidationError,
  Validates,
} from 'bellwether';
import type { Database } from 'bellwether';
import { setUp } from '../transaction/support';

// What goes wrong under the default transaction of other mappers, written as naively, at the default settings here:
// no lock, no level and no retry is spelt anywhere, and there is neither an index nor a foreign key to help.

/** A rule of the application, refused in its own words. */
class Refused extends Error {}

@Table('members')
class Member extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare email: string;

  @Validates({ on: 'create' })
  async emailIsFree() {
    if (await Member.where({ email: this.email }).exists()) this.errors.add('email', 'is taken', 'taken');
  }
}

@Table('people')
class Person extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare name: string;
  @HasMany(() => Post, { dependent: 'destroy' }) declare posts: HasMany<Post>;
  @HasMany(() => Follow, { dependent: 'destroy', foreignKey: 'followerId' }) declare following: HasMany<Follow>;
  @HasMany(() => Follow, { dependent: 'destroy', foreignKey: 'followedId' }) declare followers: HasMany<Follow>;
}
@Table('posts')
class Post extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Person) declare person: BelongsTo<Person>;
}
@Table('follows')
class Follow extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Person) declare follower: BelongsTo<Person>;
  @BelongsTo(() => Person) declare followed: BelongsTo<Person>;
}

@Table('wallets')
class Wallet extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare owner: string;
  @Column() declare balance: bigint;

  @Transactional()
  async withdraw(amount: bigint) {
    await this.reload();
    if (this.balance < amount) throw new Refused();
    this.balance -= amount;
    await this.save();
  }

  /** One of two wallets may be negative as long as their sum is not. */
  @Transactional()
  async withdrawJointly(amount: bigint) {
    const together = await Wallet.where({ owner: this.owner }).sum('balance');
    if (together < amount) throw new Refused();
    await this.reload();
    this.balance -= amount;
    await this.save();
  }
}

@Table('products')
class Product extends Model {
  @Id() declare readonly id: bigint;
  @Column('integer') declare stock: number;

  @Transactional()
  static async buy(id: bigint) {
    const product = await Product.find(id);
    if (product.stock === 0) throw new Refused();
    await product.update({ stock: product.stock - 1 });
  }
}

@Table('doctors')
class Doctor extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare onCall: boolean;

  @Transactional()
  async goHome() {
    if ((await Doctor.where({ onCall: true }).count()) < 2) throw new Refused();
    await this.reload();
    this.onCall = false;
    await this.save();
  }
}

@Table('items')
class Item extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare isOpen: boolean;
  @Column() declare highest: bigint;
  @Column('bigint', { nullable: true }) declare winnerId: bigint | null;

  @Transactional()
  static async bid(itemId: bigint, amount: bigint) {
    const item = await Item.find(itemId);
    if (!item.isOpen || amount <= item.highest) throw new Refused();
    await Bid.create({ itemId, amount });
    await item.update({ highest: amount });
  }

  @Transactional()
  static async close(itemId: bigint) {
    const item = await Item.find(itemId);
    const winner = await Bid.where({ itemId, isCancelled: false }).order('amount', 'desc').first();
    await item.update({ isOpen: false, winnerId: winner?.id ?? null });
  }
}
@Table('bids')
class Bid extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare itemId: bigint;
  @Column() declare amount: bigint;
  @Column({ default: false }) declare isCancelled: boolean;

  @Transactional()
  async cancel() {
    const item = await Item.find(this.itemId);
    if (item.winnerId === this.id) throw new Refused();
    await this.reload();
    this.isCancelled = true;
    await this.save();
  }
}

const { database, open } = setUp(`
  create table members (id bigint generated always as identity primary key, email text not null);
  create table people (id bigint generated always as identity primary key, name text not null);
  create table posts (id bigint generated always as identity primary key, person_id bigint not null);
  create table follows (id bigint generated always as identity primary key, follower_id bigint not null,
    followed_id bigint not null);
  create table wallets (id bigint generated always as identity primary key, owner text not null, balance bigint not null);
  create table products (id bigint generated always as identity primary key, stock int not null);
  create table doctors (id bigint generated always as identity primary key, on_call boolean not null);
  create table items (id bigint generated always as identity primary key, is_open boolean not null, highest bigint not null,
    winner_id bigint);
  create table bids (id bigint generated always as identity primary key, item_id bigint not null, amount bigint not null,
    is_cancelled boolean not null);
`);

const ROUNDS = 10;

/** Lets all run at once. @returns how many succeeded; the others must have heard `refusal`, and nothing else */
async function race(
  calls: readonly (() => Promise<unknown>)[],
  isRefusal: (reason: unknown) => boolean = (reason) => reason instanceof Refused,
): Promise<number> {
  const outcomes = await Promise.allSettled(calls.map((call) => call()));
  const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
  expect(reasons.filter((reason) => !isRefusal(reason))).toEqual([]);
  return outcomes.length - reasons.length;
}
const times = <T>(count: number, make: (index: number) => T) =>
  Array.from({ length: count }, (_, index) => make(index));
const violations = async (query: string) => (await database().pool.query(query)).rowCount;

describe.each([4, 16])('at the default settings, on a pool of %d', (poolSize) => {
  let db: Database;
  beforeAll(async () => (db = await open({ poolSize })));
  beforeEach(() =>
    database().pool.query(
      'truncate members, people, posts, follows, wallets, products, doctors, items, bids restart identity',
    ),
  );
  const at = (name: string, body: () => Promise<void>) => test(name, () => db.use(body));

  at('a key that only a validation looks at has one row, and all others hear that it is taken', async () => {
    const won = await race(
      times(100, (caller) => () => Member.create({ email: `${caller % ROUNDS}@x.org` })),
      (reason) => reason instanceof ValidationError && reason.on('email').join() === 'is taken',
    );
    expect(won).toBe(ROUNDS);
    expect(await violations('select from members group by email having count(*) > 1')).toBe(0);
  });

  at('a person who goes leaves no post and no relationship behind, however many come in meanwhile', async () => {
    const isGone = (reason: unknown) =>
      reason instanceof RecordNotFoundError ||
      (reason instanceof ValidationError && reason.problems.every(({ message }) => message === 'must exist'));
    for (let round = 0; round < ROUNDS; round++) {
      const [ann, bob] = [await Person.create({ name: 'Ann' }), await Person.create({ name: 'Bob' })];
      const writes = times(12, (index) => () => {
        if (index % 3 === 0) return Post.create({ person: ann.id });
        return Follow.create(
          index % 3 === 1 ? { follower: ann.id, followed: bob } : { follower: bob, followed: ann.id },
        );
      });
      const destroy = async () => (await Person.find(ann.id)).destroy();
      const won = await race([...writes.slice(0, 6), destroy, ...writes.slice(6)], isGone);
      expect(won).toBeGreaterThanOrEqual(1);
      expect(await violations(`select from people where name = 'Ann'`)).toBe(0);
    }
    expect(await violations('select from posts where person_id not in (select id from people)')).toBe(0);
    const dangling = `select from follows where follower_id not in (select id from people)
      or followed_id not in (select id from people)`;
    expect(await violations(dangling)).toBe(0);
  });

  at('a balance for 20 of 100 withdrawals pays 20', async () => {
    const wallet = await Wallet.create({ owner: 'Ann', balance: 20n });
    const won = await race(times(100, () => async () => (await Wallet.find(wallet.id)).withdraw(1n)));
    expect([won, (await wallet.reload()).balance]).toEqual([20, 0n]);
  });

  at('two wallets that cover one another are never negative together', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const [first, second] = [
        await Wallet.create({ owner: `${round}`, balance: 50n }),
        await Wallet.create({ owner: `${round}`, balance: 50n }),
      ];
      expect(await race([() => first.withdrawJointly(80n), () => second.withdrawJointly(80n)])).toBe(1);
    }
    expect(await violations('select from wallets group by owner having sum(balance) <> 20')).toBe(0);
  });

  at('one doctor stays on call', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      await Doctor.everyRow().updateAll({ onCall: false });
      const doctors = [await Doctor.create({ onCall: true }), await Doctor.create({ onCall: true })];
      expect(await race(doctors.map((doctor) => () => doctor.goHome()))).toBe(1);
      expect(await violations('select from doctors where on_call')).toBe(1);
    }
  });

  at('the total of two wallets never flickers while money moves between them', async () => {
    const [a, b] = [
      await Wallet.create({ owner: 'Ann', balance: 500n }),
      await Wallet.create({ owner: 'Bob', balance: 500n }),
    ];
    const move = (from: Wallet, to: Wallet) => () =>
      db.transaction(async () => {
        const [payer, payee] = [await Wallet.find(from.id), await Wallet.find(to.id)];
        await payer.update({ balance: payer.balance - 1n });
        await payee.update({ balance: payee.balance + 1n });
      });
    const totals: bigint[] = [];
    const read = (each: Database['transaction']) => async () => {
      totals.push(await each(async () => (await Wallet.find(a.id)).balance + (await Wallet.find(b.id)).balance));
    };
    const [inTransaction, inSnapshot] = [read(db.transaction.bind(db)), read(db.snapshot.bind(db) as never)];
    const calls = times(100, (index) => [move(a, b), inTransaction, move(b, a), inSnapshot][index % 4]!);
    expect(await race(calls)).toBe(100);
    expect(new Set(totals)).toEqual(new Set([1000n]));
  });

  at('a stock of 20 is sold 20 times', async () => {
    const { id } = await Product.create({ stock: 20 });
    expect(await race(times(100, () => () => Product.buy(id)))).toBe(20);
    expect((await Product.find(id)).stock).toBe(0);
  });

  at('no bid wins and is cancelled, none comes after the close, and the highest is the highest', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const item = await Item.create({ isOpen: true, highest: 10n });
      const first = await Bid.create({ itemId: item.id, amount: 10n });
      const bids = times(4, (index) => () => Item.bid(item.id, BigInt(11 + index)));
      await race([...bids.slice(0, 2), () => first.cancel(), () => Item.close(item.id), ...bids.slice(2)]);
    }
    const both = 'select from items join bids on bids.id = winner_id where is_cancelled';
    expect(await violations(both)).toBe(0);
    const higher = `select from items where highest <> (select max(amount) from bids where item_id = items.id)
      or winner_id is distinct from (select id from bids where item_id = items.id and not is_cancelled order by amount desc limit 1)`;
    expect(await violations(higher)).toBe(0);
  });

  at('a record that is looked for and else created is created once', async () => {
    const findOrCreate = (email: string) =>
      db.transaction(async () => (await Member.findBy({ email })) ?? (await Member.create({ email })));
    const found = times(100, (caller) => () => findOrCreate(`${caller % ROUNDS}@x.org`));
    expect(await race(found)).toBe(100);
    expect(await violations('select from members')).toBe(ROUNDS);
  });

  at('only errors of the framework reach a caller', async () => {
    const wallet = await Wallet.create({ owner: 'Ann', balance: 100n });
    const outcomes = await Promise.allSettled(
      times(50, () => wallet.reload().then((one) => one.update({ balance: 1n }))),
    );
    const reasons = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
    expect(reasons.filter((reason) => !(reason instanceof BellwetherError))).toEqual([]);
  });
});
