import { BelongsTo, Column, DependentRecordsError, Id, Model, Table, ValidationError } from 'bellwether';
import type { IsolationLevel } from 'bellwether';
import { countingTrips, errorOf, setUp } from '../transaction/support';

/** Says nothing of those that belong to it, and no foreign key stands beneath. */
@Table('sellers')
class Seller extends Model {
  @Id() declare readonly id: bigint;
}
@Table('lots')
class Lot extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Seller) declare seller: BelongsTo<Seller>;
  @Column() declare sellerId: bigint;
}
@Table('keyed_lots')
class KeyedLot extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => KeyedSeller) declare seller: BelongsTo<KeyedSeller>;
}
@Table('keyed_sellers')
class KeyedSeller extends Model {
  @Id() declare readonly id: bigint;
}

const { database, open } = setUp(`
  create table sellers (id bigint generated always as identity primary key);
  create table lots (id bigint generated always as identity primary key, seller_id bigint not null);
  create table keyed_sellers (id bigint generated always as identity primary key);
  create table keyed_lots (id bigint generated always as identity primary key,
    seller_id bigint not null references keyed_sellers on delete cascade);
`);

test.each([
  ['destroy()', (seller: Seller) => seller.destroy()],
  ['deleteAll()', ({ id }: Seller) => Seller.where({ id }).deleteAll()],
])('%s of a record that others belong to is refused, as a foreign key would', async (_how, remove) => {
  const seller = await Seller.create({});
  const lot = await Lot.create({ seller });
  expect(await errorOf(remove(seller))).toMatchObject({ code: 'E_DEPENDENT_RECORDS' });
  await lot.destroy();
  await remove(seller);
  expect(await Seller.where({ id: seller.id }).exists()).toBe(false);
});

const LEVELS: readonly (IsolationLevel | undefined)[] = [
  undefined,
  'read committed',
  'repeatable read',
  'serializable',
];
const PAIRS = LEVELS.flatMap((destroying) => LEVELS.map((creating) => ({ destroying, creating })));

test.each(PAIRS)(
  'destroyed at $destroying, created at $creating: never an orphan',
  async ({ destroying, creating }) => {
    const pool = await open({ poolSize: 16 });
    const at = (isolation: IsolationLevel | undefined, body: () => Promise<unknown>) =>
      isolation ? pool.transaction({ isolation }, body) : body();
    const outcome = (work: Promise<unknown>) =>
      work.then(
        () => 'done' as const,
        (error: unknown) => {
          if (error instanceof DependentRecordsError || error instanceof ValidationError) return 'refused' as const;
          throw error;
        },
      );
    await pool.use(async () => {
      const sellers = await Promise.all(Array.from({ length: 24 }, () => Seller.create({})));
      const all = await Promise.all(
        sellers.map((seller) =>
          Promise.all([
            outcome(at(destroying, () => seller.destroy())),
            outcome(at(creating, () => Lot.create({ seller }))),
          ]),
        ),
      );
      for (const pair of all) expect([...pair].sort()).toEqual(['done', 'refused']);
    });
    const orphans = 'select from lots where not exists (select from sellers where id = seller_id)';
    expect((await database().pool.query(orphans)).rowCount).toBe(0);
    await pool.close();
  },
);

test('where a foreign key stands beneath, it decides; it is looked for once', () =>
  countingTrips(database(), async (tripsOf) => {
    const sellers = await Promise.all([1, 2, 3].map(() => KeyedSeller.create({})));
    for (const seller of sellers) await KeyedLot.create({ seller });
    expect(await tripsOf(() => sellers[0]!.destroy())).toBe(2);
    expect(await tripsOf(() => sellers[1]!.destroy())).toBe(1);
    expect(await tripsOf(() => KeyedSeller.where({ id: sellers[2]!.id }).deleteAll())).toBe(1);
    expect(await KeyedLot.count()).toBe(0);
  }));
