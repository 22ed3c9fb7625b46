import {
  BelongsTo,
  Column,
  Counter,
  HasMany,
  Id,
  Invariant,
  InvariantViolationError,
  Model,
  checkInvariants,
  sql,
  Table,
} from 'bellwether';
import type { FrameworkEvents, IsolationLevel } from 'bellwether';
import { countRoundTrips } from 'bellwether/testing';
import { errorOf, setUp } from '../transaction/support';

const LEVELS: readonly IsolationLevel[] = ['read committed', 'repeatable read', 'serializable'];

@Table('wards')
class Ward extends Model {
  @Id('integer') declare id: number;
  @HasMany(() => Doctor, { dependent: 'delete' }) declare doctors: HasMany<Doctor>;
}

@Table('doctors')
@Invariant<Doctor>('somebody is on call', {
  over: 'wardId',
  having: 'count(*) filter (where on_call) >= 1',
  evenEmpty: true,
})
@Invariant<Doctor>('no ward has more than four', { over: 'wardId', having: 'count(*) <= 4' })
@Invariant<Doctor>('at most twenty in all', { having: 'count(*) <= 20' })
class Doctor extends Model {
  @Id() declare readonly id: bigint;
  @Column('integer', { nullable: true }) declare wardId: number | null;
  @Column() declare name: string;
  @Column() declare onCall: boolean;
}

@Table('accounts')
@Invariant<Account>('the balance is what the entries say', {
  over: 'id',
  touchedBy: 'entries',
  having: 'balance = (select coalesce(sum(amount), 0) from entries where account_id = accounts.id)',
})
@Invariant<Account>('covered jointly', {
  over: ['owner', 'currency'],
  having: 'sum(balance) >= 0',
  where: 'not closed',
})
@Invariant<Account>('owners are short', {
  over: 'owner',
  brokenBy: async (owners) => {
    asked.push([...owners]);
    const found = await Account.where({ owner: [...owners] }).pluck('owner');
    return found.filter((owner) => owner.length > 10);
  },
})
@Invariant<Account>('not too many', { holds: async () => (await Account.count()) < 50 })
class Account extends Model {
  @Id('integer') declare id: number;
  @Column() declare owner: string;
  @Column() declare currency: string;
  @Column() declare balance: bigint;
  @Column({ default: false }) declare closed: boolean;
  @HasMany(() => Entry) declare entries: HasMany<Entry>;
}

@Table('entries')
class Entry extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Account) declare account: BelongsTo<Account>;
  @Column('integer') declare accountId: number;
  @Column() declare amount: bigint;
}

@Table('shelves')
@Invariant<Shelf>('ten fit into a room', { over: 'room', having: 'sum(stock) <= 10' })
class Shelf extends Model {
  @Id('integer') declare id: number;
  @Column('integer') declare room: number;
  @Column('integer') @Counter({ min: 0 }) declare stock: number;
}

let asked: unknown[] = [];

const { database, db, open } = setUp(`
  create table wards (id int primary key);
  create table doctors (id bigint generated always as identity primary key, ward_id int, name text not null, on_call boolean not null);
  create table shelves (id int primary key, room int not null, stock int not null);
  create table accounts (id int primary key, owner text not null, currency text not null, balance bigint not null, closed boolean not null);
  create table entries (id bigint generated always as identity primary key, account_id int not null, amount bigint not null);
`);
beforeEach(async () => {
  await database().pool.query(`truncate wards, doctors, shelves, accounts, entries restart identity;
    insert into wards values (1), (2);
    insert into shelves values (1, 1, 6), (2, 1, 3);
    insert into doctors (ward_id, name, on_call) values (1, 'Ann', true), (1, 'Bob', true), (2, 'Cid', true), (2, 'Dan', false);
    insert into accounts values (1, 'ann', 'EUR', 0, false), (2, 'ann', 'EUR', 0, false), (3, 'ann', 'USD', 0, false)`);
  asked = [];
});

const onCall = async () =>
  (await database().pool.query<{ name: string }>('select name from doctors where on_call order by name')).rows.map(
    (r) => r.name,
  );
const named = async (name: string) => (await Doctor.findBy({ name }))!;

async function violation(promise: Promise<unknown>): Promise<unknown> {
  const error = await errorOf(promise);
  expect(error).toBeInstanceOf(InvariantViolationError);
  expect(error).toMatchObject({ code: 'E_INVARIANT_VIOLATION', recovery: 'fix-the-input' });
  return error.details;
}

const NOBODY = { model: 'Doctor', invariant: 'somebody is on call', over: ['wardId'], groups: [2] };

describe('every way to write is seen', () => {
  test.each<[string, () => Promise<unknown>]>([
    ['save()', async () => (await named('Cid')).update({ onCall: false })],
    ['save() that moves a row away', async () => (await named('Cid')).update({ wardId: 1 })],
    ['save() that moves a row to no group', async () => (await named('Cid')).update({ wardId: null })],
    ['destroy()', async () => (await named('Cid')).destroy()],
    ['updateAll()', () => Doctor.where({ name: 'Cid' }).updateAll({ onCall: false })],
    ['updateAll() of the group', () => Doctor.where({ name: 'Cid' }).updateAll({ wardId: 1 })],
    [
      'updateAll() by a condition in SQL',
      () =>
        Doctor.query()
          .whereSql(sql`name like 'C%'`)
          .updateAll({ wardId: 1 }),
    ],
    ['deleteAll()', () => Doctor.where({ name: 'Cid' }).deleteAll()],
    [
      'create()',
      () =>
        Doctor.create({ wardId: 2, name: 'Eve', onCall: true }).then(() =>
          Doctor.where({ name: ['Cid', 'Eve'] }).deleteAll(),
        ),
    ],
    [
      'dependents that are deleted',
      () =>
        db().transaction(async () => {
          await (await Ward.find(2)).destroy();
          await Doctor.create({ wardId: 2, name: 'Eve', onCall: false });
        }),
    ],
    [
      'SQL that is noted',
      () =>
        db().transaction(async () => {
          await sql`update doctors set on_call = false where name = 'Cid'`.execute(db().kysely());
          checkInvariants(Doctor, { wardId: 2 });
        }),
    ],
  ])('%s', async (_way, write) => {
    expect(await violation(write())).toEqual(NOBODY);
    expect(await onCall()).toEqual(expect.arrayContaining(['Ann', 'Bob', 'Cid']));
  });

  test('a counter, which may be changed by any number at once', async () => {
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, async (_, n) =>
        n % 2 ? Shelf.increment(1, 'stock') : (await Shelf.find(2)).increment('stock'),
      ),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes.filter(({ status }) => status === 'rejected')) {
      expect((outcome as PromiseRejectedResult).reason).toMatchObject({ code: 'E_INVARIANT_VIOLATION' });
    }
    expect(await Shelf.query().sum('stock')).toBe(10);
  });

  test('what keeps the rule goes through', async () => {
    await (await named('Bob')).update({ onCall: false });
    await (await named('Dan')).update({ onCall: true });
    await (await named('Cid')).destroy();
    await Doctor.where({ name: 'Dan' }).updateAll({ name: 'Don' });
    expect(await onCall()).toEqual(['Ann', 'Don']);
  });

  test('a rule may be broken on the way, as long as it holds at the end', async () => {
    await db().transaction(async () => {
      await (await named('Cid')).update({ onCall: false });
      await (await named('Dan')).update({ onCall: true });
    });
    expect(await onCall()).toEqual(['Ann', 'Bob', 'Dan']);
  });

  test('a group that lost its last row is asked only where that is declared; the whole table always', async () => {
    await Account.where({ owner: 'ann', currency: 'USD' }).deleteAll();
    expect(await violation(Doctor.where({ wardId: 2 }).deleteAll())).toEqual(NOBODY);
  });

  test('a row with a null in them is in no group', async () => {
    await Doctor.create({ wardId: null, name: 'Eve', onCall: false });
    await Doctor.where({ name: 'Eve' }).updateAll({ onCall: false });
  });

  test('the whole table is one group', async () => {
    const many = Array.from({ length: 17 }, (_, n) => Doctor.create({ wardId: 100 + n, name: `D${n}`, onCall: true }));
    expect(await violation(db().transaction(() => Promise.all(many)))).toEqual({
      model: 'Doctor',
      invariant: 'at most twenty in all',
      over: [],
      groups: [],
    });
  });

  test('rows of another model count by an association', async () => {
    await db().transaction(async () => {
      await Entry.create({ account: 1, amount: 5n });
      await Account.where({ id: 1 }).increment({ balance: 5n });
    });
    expect(await violation(Entry.create({ account: 2, amount: 5n }))).toEqual({
      model: 'Account',
      invariant: 'the balance is what the entries say',
      over: ['id'],
      groups: [2],
    });
    expect(await violation(Entry.where({ accountId: 1 }).updateAll({ accountId: 2 }))).toMatchObject({
      groups: expect.arrayContaining([1, 2]) as unknown,
    });
  });

  test('a group by several attributes is told as an object, and others like it are not asked', async () => {
    await database().pool.query(
      `insert into accounts values (4, 'bob', 'USD', -1, false); insert into entries (account_id, amount) values (4, -1)`,
    );
    const broken = db().transaction(async () => {
      for (const [id, amount] of [
        [1, -5n],
        [3, -7n],
      ] as const) {
        await Entry.create({ account: id, amount });
        await Account.where({ id }).decrement({ balance: -amount });
      }
      await Account.create({ id: 5, owner: 'bob', currency: 'EUR', balance: 0n });
    });
    expect(await violation(broken)).toMatchObject({
      invariant: 'covered jointly',
      groups: [
        { owner: 'ann', currency: 'EUR' },
        { owner: 'ann', currency: 'USD' },
      ],
    });
  });

  test('only the rows count of which `where` is true', async () => {
    await db().transaction(async () => {
      await Entry.create({ account: 3, amount: -5n });
      await Account.where({ id: 3 }).updateAll({ balance: -5n, closed: true });
    });
  });

  test('a rule in code is asked once for all groups', async () => {
    const two = db().transaction(async () => {
      await Account.create({ id: 7, owner: 'a very long name', currency: 'EUR', balance: 0n });
      await Account.create({ id: 8, owner: 'bob', currency: 'EUR', balance: 0n });
      await Account.create({ id: 9, owner: 'bob', currency: 'USD', balance: 0n });
    });
    expect(await violation(two)).toMatchObject({ invariant: 'owners are short', groups: ['a very long name'] });
    expect(asked).toEqual([['a very long name', 'bob']]);
  });
});

describe('when it is checked', () => {
  test('the whole transaction is rolled back, and the records are put back', async () => {
    const cid = await named('Cid');
    await violation(
      db().transaction(async () => {
        await Doctor.create({ wardId: 9, name: 'Eve', onCall: true });
        await cid.update({ onCall: false });
      }),
    );
    expect([cid.onCall, cid.isChanged]).toEqual([true, false]);
    expect(await Doctor.count()).toBe(4);
  });

  test('what was undone behind a savepoint is not', async () => {
    const statements = await sent(() =>
      db().transaction(async () => {
        const undone = db().transaction({ savepoint: true }, async () => {
          await (await named('Cid')).update({ onCall: false });
          throw new RangeError('undone');
        });
        await expect(undone).rejects.toThrow(RangeError);
      }),
    );
    expect(statements.filter((text) => text.includes('bellwether_guards'))).toEqual([]);
  });

  test('one statement a rule and one for all guards, however many rows and writes', async () => {
    const statements = await sent(() =>
      db().transaction(async () => {
        for (const name of ['Ann', 'Bob', 'Cid', 'Dan']) await (await named(name)).update({ onCall: true });
        await Doctor.where({ wardId: 1 }).updateAll({ onCall: true });
      }),
    );
    expect(statements.filter((text) => text.includes('bellwether_guards'))).toHaveLength(1);
    expect(statements.filter((text) => text.includes('is false'))).toHaveLength(4); // three rules, and one of no rows
  });

  test('a model without rules sends what it sent before', async () => {
    expect(await sent(() => Ward.where({ id: 1 }).updateAll({ id: 1 }))).toEqual([
      'update "wards" set "id" = $1 where ("id" = $2)',
    ]);
  });

  test.each(LEVELS)('under %s: three round trips for a save, the check included', async (isolation) => {
    const tap = await countRoundTrips(database().url);
    const counted = await open({ url: tap.url, isolation });
    await counted.use(async () => {
      const ann = await named('Ann');
      const save = (name: string) => tap.count(() => ann.update({ name }));
      await save('first'); // prepares the statements
      expect(await save('second')).toBe(3); // BEGIN and the update; guards and rules; COMMIT
      const inOne = () =>
        tap.count(() =>
          counted.transaction(async () => {
            await ann.update({ name: 'third' });
            await Doctor.where({ name: 'Cid' }).updateAll({ onCall: true });
          }),
        );
      expect(await inOne()).toBe(4);
    });
    await tap.close();
  });
});

/** The texts of the statements that `body` has sent. */
async function sent(body: () => Promise<unknown>): Promise<string[]> {
  const texts: string[] = [];
  const off = db().on('statement:end', ({ sql: text }: FrameworkEvents['statement:end']) => texts.push(text));
  await body();
  off();
  return texts;
}
