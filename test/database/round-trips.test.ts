import {
  AfterSave,
  BeforeSave,
  BelongsTo,
  Column,
  connect,
  HasMany,
  Id,
  Model,
  Table,
  Unique,
  UpdatedAt,
} from 'bellwether';
import type { Database } from 'bellwether';
import { countRoundTrips, createTestDatabase } from 'bellwether/testing';
import type { RoundTripCounter, TestDatabase } from 'bellwether/testing';

@Table('owners')
class Owner extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare name: string;
  @HasMany(() => Wallet) declare wallets: HasMany<Wallet>;
}

@Table('wallets')
class Wallet extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Owner) declare owner: BelongsTo<Owner>;
  @HasMany(() => Coin) declare coins: HasMany<Coin>;
  @Column() declare balance: bigint;
  @UpdatedAt() declare updatedAt: Date;
}

@Table('coins')
class Coin extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Wallet) declare wallet: BelongsTo<Wallet>;
}

@Table('handles')
class Handle extends Model {
  @Id() declare readonly id: bigint;
  @Column() @Unique() declare name: string;
}

@Table('letters')
class Letter extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare text: string;

  @BeforeSave() protected trim(): void {
    this.text = this.text.trim();
  }

  @AfterSave() protected note(): void {}
}

let database: TestDatabase;
let counter: RoundTripCounter;
let db: Database;
let owner: Owner;
const wallets: Wallet[] = [];

beforeAll(async () => {
  database = await createTestDatabase(`
    create table owners (id bigint generated always as identity primary key, name text not null);
    create table wallets (id bigint generated always as identity primary key, owner_id bigint not null references owners,
      balance bigint not null, updated_at timestamptz not null);
    create table coins (id bigint generated always as identity primary key, wallet_id bigint not null references wallets);
    create table handles (id bigint generated always as identity primary key, name text not null unique);
    create table letters (id bigint generated always as identity primary key, text text not null);
  `);
  counter = await countRoundTrips(database.url);
  db = await connect({ url: counter.url, poolSize: 1 });
  owner = await Owner.create({ name: 'Ann' });
  for (const balance of [100n, 200n]) wallets.push(await Wallet.create({ owner, balance }));
});

afterAll(async () => {
  await db.close();
  await counter.close();
  await database.drop();
});

async function transfer(amount: bigint): Promise<void> {
  await db.transaction(async () => {
    const [from, to] = await Wallet.where({ id: wallets.map(({ id }) => id) })
      .order('id')
      .lock('for update');
    from!.balance -= amount;
    to!.balance += amount;
    await Promise.all([from!.save(), to!.save()]);
  });
}

const trips = (body: () => Promise<unknown>) => counter.count(body);

describe('Round trips on the wire', () => {
  test('a read is one', async () => {
    expect(await trips(() => Wallet.find(wallets[0]!.id))).toBe(1);
    expect(await trips(async () => Wallet.order('id').limit(10))).toBe(1);
  });

  test('creating a record is one', async () => {
    expect(await trips(() => Owner.create({ name: 'Bob' }))).toBe(1);
  });

  test('creating a record together with the check that its parent is there is one', async () => {
    expect(await trips(() => Wallet.create({ owner, balance: 1n }))).toBe(1);
  });

  test('saving a change is one; saving nothing is none', async () => {
    owner.name = 'Anna';
    expect(await trips(() => owner.save())).toBe(1);
    expect(await trips(() => owner.save())).toBe(0);
  });

  test('with callbacks, BEGIN travels with the statement: two', async () => {
    expect(await trips(() => Letter.create({ text: ' Dear Ann ' }))).toBe(2);
  });

  test('a transfer is three: read for update, both writes, COMMIT', async () => {
    expect(await trips(() => transfer(1n))).toBe(3);
  });

  test('a transaction without statements is none', async () => {
    expect(await trips(() => db.transaction(async () => {}))).toBe(0);
  });

  test('the savepoint around a write that may be refused adds none', async () => {
    expect(await trips(() => db.transaction(() => Handle.create({ name: 'ann' })))).toBe(2);
    expect(await trips(() => db.transaction(() => Owner.create({ name: 'Cid' })))).toBe(2);
  });

  test('a nested transaction adds none', async () => {
    const nested = () => db.transaction({ savepoint: true }, () => Owner.create({ name: 'Dan' }));
    expect(await trips(() => db.transaction(nested))).toBe(2);
  });

  test('included associations are one a level', async () => {
    expect(await trips(async () => Owner.where({ id: owner.id }).include('wallets'))).toBe(2);
    expect(await trips(async () => Wallet.where({ id: wallets[0]!.id }).include('owner', 'coins'))).toBe(2);
  });
});
