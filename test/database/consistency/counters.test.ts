import { Column, Counter, Id, Model, Table, Version } from 'bellwether';
import { countingTrips, errorOf, setUp } from '../transaction/support';

@Table('products')
class Product extends Model {
  @Id('integer') declare readonly id: number;
  @Column() declare name: string;
  @Column() @Counter({ min: 0 }) declare stock: number;
  @Column() @Counter({ min: -5n, max: 10n }) declare level: bigint;
}

@Table('tickets')
class Ticket extends Model {
  @Id('integer') declare readonly id: number;
  @Column() @Counter() declare left: number;
  @Version() declare readonly version: bigint;
}

const { database, db } = setUp(`
  create table products (id int primary key, name text not null,
    stock int not null check (stock >= 0), level bigint not null check (level between -5 and 10));
  create table tickets (id int primary key, "left" int not null check ("left" >= 0), version bigint not null default 1);
`);
beforeEach(() =>
  database().pool.query(`truncate products, tickets; insert into products values (1, 'Lamp', 5, 0);
    insert into tickets values (1, 3)`),
);
const stored = async () =>
  (await database().pool.query<{ stock: number; level: string }>('select stock, level from products')).rows[0]!;

const LEVELS = ['read committed', 'repeatable read', 'serializable'] as const;

describe.each([undefined, ...LEVELS])('in a transaction at %s', (isolation) => {
  const run = (body: () => Promise<unknown>) => (isolation ? db().transaction({ isolation }, body) : body());

  test('takes what is left to the last unit, then refuses', async () => {
    const product = await Product.find(1);
    await run(() => product.decrement('stock', 3));
    expect(product.stock).toBe(2);
    await run(() => Product.decrement(1, 'stock', 2));
    const refused = { code: 'E_COUNTER_EXHAUSTED', recovery: 'fix-the-input' };
    expect(await errorOf(run(() => product.decrement('stock')))).toMatchObject({
      ...refused,
      details: { model: 'Product', attribute: 'stock', bound: 'min' },
    });
    await run(() => product.increment('stock', 1));
    expect(product.stock).toBe(1);
    expect(await stored()).toMatchObject({ stock: 1 });
  });

  test('keeps to a min below zero and to a max', async () => {
    await run(() => Product.decrement(1, 'level', 5n));
    expect(await errorOf(run(() => Product.decrement(1, 'level', 1n)))).toMatchObject({ details: { bound: 'min' } });
    await run(() => Product.increment(1, 'level', 15n));
    expect(await errorOf(run(() => Product.increment(1, 'level')))).toMatchObject({ details: { bound: 'max' } });
    expect(await stored()).toMatchObject({ level: '10' });
  });

  test('a refusal leaves the transaction usable', async () => {
    await run(async () => {
      expect(await errorOf(Product.decrement(1, 'stock', 6))).toMatchObject({ code: 'E_COUNTER_EXHAUSTED' });
      await Product.decrement(1, 'stock', 5);
    });
    expect(await stored()).toMatchObject({ stock: 0 });
  });

  test('a record that is gone is not found', async () => {
    const product = await Product.find(1);
    await database().pool.query('delete from products');
    for (const change of [() => product.decrement('stock'), () => Product.increment(1, 'stock')]) {
      expect(await errorOf(run(change))).toMatchObject({ code: 'E_RECORD_NOT_FOUND' });
    }
  });

  test('what was given back since the snapshot is not refused', async () => {
    await database().pool.query('update products set stock = 0');
    await run(async () => {
      if ((await Product.find(1)).stock === 0) await database().pool.query('update products set stock = 4');
      await Product.decrement(1, 'stock', 4);
    });
    expect(await stored()).toMatchObject({ stock: 0 });
  });
});

test('the record can be saved afterwards, when only its counter has changed since it was read', async () => {
  const product = await Product.find(1);
  await Product.decrement(1, 'stock', 1);
  await product.decrement('stock', 1);
  expect(product).toMatchObject({ stock: 3, isChanged: false });
  await product.update({ name: 'Desk lamp' });
  expect(await Product.find(1)).toMatchObject({ name: 'Desk lamp', stock: 3 });
});

test('the record is still refused as stale, when something else has changed that it never showed', async () => {
  const product = await Product.find(1);
  await database().pool.query(`update products set name = 'Desk lamp'`);
  await product.decrement('stock', 1);
  expect(product).toMatchObject({ name: 'Lamp', stock: 4 });
  expect(await errorOf(product.update({ name: 'Floor lamp' }))).toMatchObject({ code: 'E_STALE_RECORD' });
});

test('an assigned counter stays assigned, and is refused as stale', async () => {
  const product = await Product.find(1);
  product.stock = 50;
  await product.decrement('stock', 1);
  expect(product.changes).toEqual({ stock: { before: 4, after: 50 } });
  expect(await errorOf(product.save())).toMatchObject({ code: 'E_STALE_RECORD' });
  expect(await stored()).toMatchObject({ stock: 4 });
});

test('a version counts it as a change', async () => {
  const ticket = await Ticket.find(1);
  await ticket.decrement('left');
  expect(ticket.version).toBe(2n);
  await ticket.update({ left: 7 }, { ifVersion: 2n });
  expect(await errorOf(Ticket.find(1).then((other) => other.save({ ifVersion: 2n })))).toMatchObject({
    code: 'E_STALE_RECORD',
  });
});

test('a rollback puts the record back', async () => {
  const product = await Product.find(1);
  const failing = db().transaction(async () => {
    await product.decrement('stock', 2);
    throw new RangeError('undone');
  });
  await expect(failing).rejects.toThrow(RangeError);
  expect(product.stock).toBe(5);
  await product.update({ name: 'as it was read' });
});

test.each([0, -1, 1.5, NaN, 2n ** 63n, '1', null])('%p is no amount', async (by) => {
  expect(await errorOf(Product.decrement(1, 'stock', by as number))).toMatchObject({
    code: 'E_COUNTER_AMOUNT',
    recovery: 'fix-the-input',
  });
  expect(await stored()).toMatchObject({ stock: 5 });
});

test('an attribute that is no counter, and records without a row, are refused before anything is sent', async () => {
  expect(await errorOf(Product.decrement(1, 'id' as 'stock'))).toMatchObject({ code: 'E_INVALID_QUERY' });
  expect(await errorOf(Product.new().decrement('stock'))).toMatchObject({ code: 'E_RECORD_NOT_SAVED' });
  const gone = await (await Product.find(1)).destroy();
  expect(await errorOf(gone.decrement('stock'))).toMatchObject({ code: 'E_RECORD_DESTROYED' });
});

test('saves and other updates are held to the bounds, by the check beneath', async () => {
  const product = await Product.find(1);
  expect(await errorOf(product.update({ stock: -1 }))).toMatchObject({
    problems: [{ attribute: 'stock', code: 'check', message: 'must not be below 0' }],
  });
  expect(await errorOf(Product.where({ id: 1 }).decrement({ stock: 6 }))).toMatchObject({
    problems: [{ attribute: 'stock', code: 'check', message: 'must not be below 0' }],
  });
  expect(await errorOf(Product.where({ id: 1 }).updateAll({ level: 11n }))).toMatchObject({
    problems: [{ attribute: 'level', code: 'check', message: 'must be from -5 to 10' }],
  });
});

test('a missing check is named by verify', async () => {
  await database().pool.query('alter table products drop constraint products_stock_check');
  const error = await errorOf(db().verify());
  await database().pool.query('alter table products add check (stock >= 0)');
  expect(error.message).toContain('products_stock_check');
  expect(error.message).toContain('stock >= 0');
});

describe('round trips', () => {
  test('one for a change, and one more for a refusal', () =>
    countingTrips(database(), async (tripsOf) => {
      expect(await tripsOf(() => Product.decrement(1, 'stock', 1))).toBe(1);
      expect(await tripsOf(() => Product.increment(1, 'stock', 1))).toBe(1);
      expect(await tripsOf(() => errorOf(Product.decrement(1, 'stock', 9)))).toBe(2);
    }));

  test('inside a transaction it travels like any write', () =>
    countingTrips(database(), async (tripsOf, counted) => {
      expect(await tripsOf(() => counted.transaction(() => Product.decrement(1, 'stock', 1)))).toBe(2);
    }));
});
