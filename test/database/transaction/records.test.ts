import { BeforeSave, Column, Id, Model, sql, Table, Unique } from 'bellwether';
import type { TransactionOptions } from 'bellwether';
import { errorOf, FAILURES, planFailures, reasonOf, setUp } from './support';

@Table('things')
class Thing extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare name: string;
  @Column('integer', { default: 0 }) declare count: number;
}

/** The same with a callback, so that a save is a transaction of its own. */
@Table('things')
class Watched extends Model {
  @Id() declare readonly id: bigint;
  @Column() @Unique() declare name: string;
  @Column('integer', { default: 0 }) declare count: number;
  @BeforeSave() protected tally(): void {
    this.count += 1;
  }
}

const { database, db } = setUp(`
  ${FAILURES}
  create table things (id bigint generated always as identity primary key, name text not null unique, count int not null);
`);
beforeEach(() => database().pool.query('truncate things restart identity; truncate planned'));

const fail = (): Promise<never> => Promise.reject(new Error('rolled back'));
const failing = (options: TransactionOptions, body: () => Promise<unknown>) =>
  reasonOf(db().transaction(options, () => body().then(fail)));
const rows = async () => (await database().pool.query('select name, count from things order by id')).rows as unknown[];

describe('after a rollback, a record is what it was before', () => {
  test('assigned inside', async () => {
    const thing = await Thing.create({ name: 'a' });
    await failing({}, () => Promise.resolve((thing.name = 'b')));
    expect(thing.name).toBe('a');
    expect(thing.isChanged).toBe(false);
  });

  test('assigned before, saved inside: the change is still to be saved, and can be', async () => {
    const thing = await Thing.create({ name: 'a' });
    thing.name = 'b';
    await failing({}, () => thing.save());
    expect(thing.changes).toEqual({ name: { before: 'a', after: 'b' } });
    await thing.save();
    expect(await rows()).toEqual([{ name: 'b', count: 0 }]);
  });

  test.each([Thing, Watched])('%p: made before, saved inside: new again, and saving writes', async (Kind) => {
    const thing = Kind.new({ name: 'a' });
    await failing({}, () => thing.save());
    expect([thing.isNew, thing.id, thing.name, thing.count]).toEqual([true, undefined, 'a', 0]);
    await thing.save();
    expect(thing.isNew).toBe(false);
    expect(await rows()).toHaveLength(1);
  });

  test('born and saved inside: new again with its values, and saving writes', async () => {
    let thing!: Thing;
    await failing({}, async () => (thing = await Thing.create({ name: 'a' })));
    expect([thing.isNew, thing.name]).toEqual([true, 'a']);
    await thing.save();
    expect(await rows()).toEqual([{ name: 'a', count: 0 }]);
  });

  test.each([Thing, Watched])('%p: destroyed inside: not destroyed, and can be again', async (Kind) => {
    const thing = await Kind.create({ name: 'a' });
    await failing({}, () => thing.destroy());
    expect(thing.isDestroyed).toBe(false);
    await thing.destroy();
    expect(thing.isDestroyed).toBe(true);
    expect(await rows()).toEqual([]);
  });

  test('reloaded inside', async () => {
    const thing = await Thing.create({ name: 'a' });
    await database().pool.query(`update things set name = 'theirs'`);
    await failing({}, () => thing.reload());
    expect(thing.name).toBe('a');
    expect(await errorOf(thing.update({ name: 'mine' }))).toMatchObject({ code: 'E_STALE_RECORD' });
  });

  test('saved by a statement that nobody awaited', async () => {
    const thing = await Thing.create({ name: 'a' });
    await reasonOf(
      db().transaction(() => {
        void thing.update({ name: 'b' }).catch(() => undefined);
        return fail();
      }),
    );
    expect(await rows()).toEqual([{ name: 'a', count: 0 }]);
    expect(thing.changes).not.toMatchObject({ name: { before: 'b' } });
    await thing.update({ name: 'c' });
    expect(await rows()).toEqual([{ name: 'c', count: 0 }]);
  });
});

describe('before each retry, too', () => {
  test('the second attempt starts from what the first one started from', async () => {
    await planFailures(database(), '40001', 2);
    const outside = await Thing.create({ name: 'a', count: 10 });
    const fresh = Watched.new({ name: 'fresh' });
    const seen: unknown[] = [];
    await db().transaction(async () => {
      seen.push([outside.count, outside.isChanged, fresh.isNew, fresh.count]);
      await outside.update({ count: outside.count + 1 });
      await fresh.save();
      await sql`select fail_as_planned()`.execute(db().kysely());
    });
    expect(seen).toEqual([
      [10, false, true, 0],
      [10, false, true, 0],
      [10, false, true, 0],
    ]);
    expect(await rows()).toEqual([
      { name: 'a', count: 11 },
      { name: 'fresh', count: 1 },
    ]);
  });

  test('inside a savepoint as well', async () => {
    await planFailures(database(), '40001', 1);
    const outside = await Thing.create({ name: 'a', count: 10 });
    const seen: unknown[] = [];
    await db().transaction(() =>
      db().transaction({ savepoint: true }, async () => {
        seen.push(outside.count);
        await outside.update({ count: outside.count + 1 });
        await sql`select fail_as_planned()`.execute(db().kysely());
      }),
    );
    expect(seen).toEqual([10, 10]);
    expect(await rows()).toEqual([{ name: 'a', count: 11 }]);
  });
});

describe('a savepoint that is undone puts back what it touched, and nothing else', () => {
  test('the outer changes stay, the inner ones go, and both commit so', async () => {
    const [outer, inner, both] = [
      await Thing.create({ name: 'outer' }),
      await Thing.create({ name: 'inner' }),
      await Thing.create({ name: 'both' }),
    ];
    await db().transaction(async () => {
      await outer.update({ count: 1 });
      await both.update({ count: 1 });
      await failing({ savepoint: true }, async () => {
        await inner.update({ count: 2 });
        await both.update({ count: 2 });
      });
      expect([outer.count, inner.count, both.count]).toEqual([1, 0, 1]);
      await both.update({ count: both.count + 10 }); // the version is that of the outer change
    });
    expect(await rows()).toEqual([
      { name: 'outer', count: 1 },
      { name: 'inner', count: 0 },
      { name: 'both', count: 11 },
    ]);
  });

  test('the answers that were still to come when it failed are undone too', async () => {
    const things = await Promise.all(['a', 'b', 'c'].map((name) => Thing.create({ name })));
    const onceSent = () => new Promise((resolve) => setImmediate(resolve)); // and not answered yet
    await db().transaction(async () => {
      await Thing.count();
      await reasonOf(
        db().transaction({ savepoint: true }, () =>
          Promise.all([...things.map((one) => one.update({ count: 1 })), onceSent().then(fail)]),
        ),
      );
      expect(things.map(({ count, isChanged }) => [count, isChanged])).toEqual(things.map(() => [0, false]));
      for (const thing of things) await thing.update({ count: 5 });
    });
    expect((await rows()).map((row) => (row as Thing).count)).toEqual([5, 5, 5]);
  });

  test('kept by the savepoint, undone by the whole: back to before the whole', async () => {
    const thing = await Thing.create({ name: 'a' });
    await failing({}, async () => {
      await thing.update({ count: 1 });
      await db().transaction({ savepoint: true }, () => thing.update({ count: 2 }));
      expect(thing.count).toBe(2);
    });
    expect([thing.count, thing.isChanged]).toEqual([0, false]);
    await thing.update({ count: 3 });
    expect(await rows()).toEqual([{ name: 'a', count: 3 }]);
  });

  test('a record born in the outer part and changed in the inner one', async () => {
    await db().transaction(async () => {
      const thing = Thing.new({ name: 'born' });
      await failing({ savepoint: true }, () => Promise.resolve((thing.name = 'changed')));
      expect(thing.name).toBe('born');
      await thing.save();
    });
    expect(await rows()).toEqual([{ name: 'born', count: 0 }]);
  });
});

describe('a save that is refused', () => {
  test('leaves an explicit transaction usable, and no trace in the record', async () => {
    await Watched.create({ name: 'taken' });
    const thing = Watched.new({ name: 'taken' });
    await db().transaction(async () => {
      expect(await errorOf(thing.save())).toMatchObject({
        code: 'E_VALIDATION',
        problems: [{ attribute: 'name', code: 'taken', message: 'is taken' }],
      });
      expect([thing.isNew, thing.count]).toEqual([true, 0]);
      await thing.update({ name: 'free' });
    });
    expect(await rows()).toEqual([
      { name: 'taken', count: 1 },
      { name: 'free', count: 1 },
    ]);
  });

  test('saved twice at once: one row, with all that was assigned', async () => {
    for (const Kind of [Thing, Watched]) {
      const thing = Kind.new({ name: `${Kind.name} 1` });
      await Promise.all([thing.save(), thing.save(), thing.update({ name: `${Kind.name} 2` })]);
      await Promise.all([thing.update({ count: 40 }), thing.update({ name: `${Kind.name} 3` })]);
    }
    expect((await rows()).map((row) => (row as Thing).name)).toEqual(['Thing 3', 'Watched 3']);
  });

  test('what is assigned while the write is under way is still to be saved', async () => {
    const thing = await Thing.create({ name: 'a' });
    thing.name = 'b';
    const saving = thing.save();
    await new Promise((resolve) => setImmediate(resolve)); // sent, and not answered yet
    thing.count = 7;
    await saving;
    expect(thing.changes).toEqual({ count: { before: 0, after: 7 } });
    await thing.save();
    expect(thing.isChanged).toBe(false);
    expect(await rows()).toEqual([{ name: 'b', count: 7 }]);
  });
});
