// One hot counter wanted by 64 callers: a row that is locked first, one conditional update, and slots; each by itself
// and in a transaction that stores a sale too. See docs/decisions/0011-counters.md.

import { Column, connect, Counter, Id, Model, Table } from 'bellwether';
import type { Database, IsolationLevel } from 'bellwether';
import { createTestDatabase } from 'bellwether/testing';
import { medianOf } from './measure';
import { startProxy } from './proxy';

const CALLERS = 64;
const ROUNDS = process.argv.includes('--quick') ? 3 : 9;
const BATCH_MS = 700;

@Table('goods')
class Good extends Model {
  @Id() declare readonly id: bigint;
  @Column() @Counter() declare stock: bigint;
}
@Table('spread_goods')
class SpreadGood extends Model {
  @Id() declare readonly id: bigint;
  @Column() @Counter({ slots: 32 }) declare stock: bigint;
}
@Table('sales')
class Sale extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare amount: bigint;
}

const SCHEMA = `
  create table goods (id bigint primary key, stock bigint not null check (stock >= 0)) with (fillfactor = 50);
  create table spread_goods (id bigint primary key, stock bigint not null check (stock >= 0)) with (fillfactor = 50);
  create table spread_goods_stock_slots (owner_id bigint not null references spread_goods (id) on delete cascade,
    slot int not null, amount bigint not null check (amount >= 0), primary key (owner_id, slot)) with (fillfactor = 50);
  create table sales (id bigint generated always as identity primary key, amount bigint not null);
  insert into goods values (1, 1000000000);
  insert into spread_goods values (1, 1000000000);`;

type Way = readonly [name: string, run: (db: Database) => Promise<unknown>];

const lockFirst = async () => {
  const good = await Good.lock('for update').find(1n);
  await good.update({ stock: good.stock - 1n });
};
const withSale = (isolation: IsolationLevel, take: () => Promise<unknown>) => (db: Database) =>
  db.transaction({ isolation }, async () => {
    await take();
    await Sale.create({ amount: 1n });
  });
const oneRow = () => Good.decrement(1n, 'stock');
const slots = () => SpreadGood.decrement(1n, 'stock');

/** The first of each group is what its others are compared with. */
const GROUPS: readonly (readonly Way[])[] = [
  [
    ['for update, then update', (db) => db.transaction({ isolation: 'read committed' }, lockFirst)],
    ['one row', oneRow],
    ['32 slots', slots],
  ],
  [
    ['for update, then update, then the sale', withSale('read committed', lockFirst)],
    ['one row, then the sale', withSale('read committed', oneRow)],
    ['32 slots, then the sale', withSale('read committed', slots)],
    ['one row, then the sale, serializable', withSale('serializable', oneRow)],
    ['32 slots, then the sale, serializable', withSale('serializable', slots)],
  ],
];

async function perSecond(db: Database, run: (db: Database) => Promise<unknown>): Promise<number> {
  const begunAt = performance.now();
  let done = 0;
  const caller = async () => {
    for (; performance.now() - begunAt < BATCH_MS; done++) await run(db);
  };
  await db.use(() => Promise.all(Array.from({ length: CALLERS }, caller)));
  return (done / (performance.now() - begunAt)) * 1_000;
}

async function measure(title: string, db: Database): Promise<void> {
  process.stdout.write(`\n${title}\n`);
  for (const group of GROUPS) {
    const rates = group.map((): number[] => []);
    for (let round = -1; round < ROUNDS; round++) {
      for (const [index, [, run]] of group.entries()) {
        const rate = await perSecond(db, run);
        if (round >= 0) rates[index]!.push(rate);
      }
    }
    for (const [index, [name]] of group.entries()) {
      const ratio = medianOf(rates[index]!.map((rate, round) => rate / rates[0]![round]!));
      const rate = medianOf(rates[index]!).toFixed(0);
      process.stdout.write(`  ${name.padEnd(44)} ${rate.padStart(6)}/s  ratio ${ratio.toFixed(2)}\n`);
    }
  }
}

async function main(): Promise<void> {
  const database = await createTestDatabase(SCHEMA);
  try {
    for (const networkMs of [0, 1]) {
      const proxy = networkMs > 0 ? await startProxy(database.url, networkMs) : undefined;
      const db = await connect({ url: proxy?.url ?? database.url, poolSize: CALLERS });
      await measure(
        `${CALLERS} callers, a pool of as many, ${networkMs > 0 ? `${networkMs} ms a round trip` : 'loopback'}`,
        db,
      );
      await db.close();
      proxy?.close();
    }
  } finally {
    await database.drop();
  }
}

void main();
