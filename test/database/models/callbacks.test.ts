import {
  AfterCommit,
  AfterCreate,
  AfterDestroy,
  AfterRollback,
  AfterSave,
  AfterUpdate,
  AfterValidation,
  AroundCreate,
  AroundDestroy,
  AroundSave,
  AroundUpdate,
  AroundValidation,
  BeforeCreate,
  BeforeDestroy,
  BeforeSave,
  BeforeUpdate,
  BeforeValidation,
  Column,
  connect,
  Id,
  Model,
  Table,
} from 'bellwether';
import type { Database } from 'bellwether';
import { createTestDatabase } from 'bellwether/testing';
import type { TestDatabase } from 'bellwether/testing';

let log: string[] = [];
type Proceed = () => Promise<void>;

@Table('orders')
class Order extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare name: string;

  @BeforeValidation() bv() {
    log.push('before validation');
  }
  @AroundValidation() async ov(proceed: Proceed) {
    log.push('around validation {');
    await proceed();
    log.push('} validation');
  }
  @AfterValidation() av() {
    log.push('after validation');
  }
  @BeforeSave() async bs() {
    await Promise.resolve();
    log.push('before save');
  }
  @AroundSave() async os(proceed: Proceed) {
    log.push('around save {');
    await proceed();
    log.push('} save');
  }
  @AfterSave() as() {
    log.push('after save');
  }
  @BeforeCreate() bc() {
    log.push('before create');
  }
  @AroundCreate() async oc(proceed: Proceed) {
    log.push('around create {');
    await proceed();
    log.push(`} create ${this.isNew ? 'without' : 'with'} a row`);
  }
  @AfterCreate() ac() {
    log.push('after create');
  }
  @BeforeUpdate() bu() {
    log.push('before update');
  }
  @AroundUpdate() async ou(proceed: Proceed) {
    log.push('around update {');
    await proceed();
    log.push('} update');
  }
  @AfterUpdate() au() {
    log.push('after update');
  }
  @BeforeDestroy() bd() {
    log.push('before destroy');
  }
  @AroundDestroy() async od(proceed: Proceed) {
    log.push('around destroy {');
    await proceed();
    log.push('} destroy');
  }
  @AfterDestroy() ad() {
    log.push('after destroy');
  }
}

/** One model for all that can go wrong: `mood` says what. */
@Table('orders')
class Moody extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare name: string;
  mood = '';

  @BeforeSave({ if: (record: Moody) => record.mood === 'change' }) change() {
    this.name = `${this.name}!`;
  }
  @BeforeSave({ if: (record: Moody) => record.mood === 'throw before' }) refuse() {
    throw new RangeError('before');
  }
  @AfterSave({ if: (record: Moody) => record.mood === 'throw after' }) regret() {
    throw new RangeError('after');
  }
  @AroundSave() async around(proceed: Proceed) {
    if (this.mood === 'not at all') return;
    if (this.mood === 'unawaited') return void proceed();
    if (this.mood === 'swallow') return proceed().catch(() => undefined);
    await proceed();
    if (this.mood === 'twice') await proceed();
    if (this.mood === 'twice, caught') await proceed().catch(() => undefined);
  }
  @BeforeDestroy() keep() {
    if (this.mood === 'keep') throw new RangeError('kept');
  }
  @AfterCommit() committed() {
    log.push('commit');
  }
  @AfterCommit({ on: 'create' }) committedCreate() {
    log.push('commit create');
  }
  @AfterCommit({ on: ['update', 'destroy'] }) async committedOthers() {
    await Promise.resolve();
    log.push(`commit ${this.isDestroyed ? 'destroy' : 'update'}`);
  }
  @AfterRollback({ on: 'create' }) rolledBackCreate() {
    log.push(`rollback create, ${this.isNew ? 'new' : 'stored'}`);
  }
  @AfterRollback({ on: 'update' }) rolledBackUpdate() {
    log.push('rollback update');
  }
}

abstract class Parent extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare name: string;
  @BeforeSave() first() {
    log.push('parent first');
  }
  @BeforeSave() overridden() {
    log.push('parent overridden');
  }
}
@Table('orders')
class Child extends Parent {
  @BeforeSave() own() {
    log.push('child own');
  }
  @BeforeSave() override overridden() {
    log.push('child overridden');
  }
}

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase(
    'create table orders (id bigint generated always as identity primary key, name text not null check (name <> $$bad$$))',
  );
  db = await connect({ url: database.url });
});
beforeEach(async () => {
  await database.pool.query('truncate orders');
  log = [];
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

describe('their order', () => {
  const VALIDATION = ['before validation', 'around validation {', '} validation', 'after validation'];
  const around = (deed: string, end: string) => [
    ...VALIDATION,
    'before save',
    'around save {',
    `before ${deed}`,
    `around ${deed} {`,
    end,
    `after ${deed}`,
    '} save',
    'after save',
  ];

  test('on create', async () => {
    await Order.create({ name: 'a' });
    expect(log).toEqual(around('create', '} create with a row'));
  });

  test('on update, whether anything has changed or not', async () => {
    const order = await Order.create({ name: 'a' });
    for (const name of ['b', 'b']) {
      log = [];
      await order.update({ name });
      expect(log).toEqual(around('update', '} update'));
    }
  });

  test('on destroy', async () => {
    const order = await Order.create({ name: 'a' });
    log = [];
    await order.destroy();
    expect(log).toEqual(['before destroy', 'around destroy {', '} destroy', 'after destroy']);
  });

  test('on valid(), those of validation alone', async () => {
    expect(await Order.new({ name: 'a' }).valid()).toBe(true);
    expect(log).toEqual(VALIDATION);
  });

  test('an invalid record gets no further than its validation', async () => {
    await expect(Order.create({})).rejects.toMatchObject({ code: 'E_VALIDATION' });
    expect(log).toEqual(VALIDATION);
  });

  test('none run for writes without records', async () => {
    await Order.create({ name: 'a' });
    log = [];
    await Order.where({ name: 'a' }).updateAll({ name: 'b' });
    await Order.where({ name: 'b' }).deleteAll();
    expect(log).toEqual([]);
  });

  test("a parent class's come first, and a method that is overridden runs once", async () => {
    await Child.create({ name: 'a' });
    expect(log).toEqual(['parent first', 'child overridden', 'child own']);
  });
});

describe('what they can do', () => {
  const create = (mood: string, name = 'a') => {
    const record = Moody.new({ name });
    record.mood = mood;
    return record;
  };

  test('change the record', async () => {
    const record = await create('change').save();
    expect((await Moody.find(record.id)).name).toBe('a!');
  });

  test.each([
    ['throw before', { message: 'before' }],
    ['throw after', { message: 'after' }],
    ['not at all', { code: 'E_CALLBACK_HALTED', details: { model: 'Moody', method: 'around', calls: 0 } }],
    ['twice', { code: 'E_CALLBACK_HALTED', details: { model: 'Moody', method: 'around', calls: 2 } }],
    ['twice, caught', { code: 'E_CALLBACK_HALTED', details: { model: 'Moody', method: 'around', calls: 2 } }],
  ])('stop the operation and roll it back: %s', async (mood, error) => {
    const record = create(mood);
    await expect(record.save()).rejects.toMatchObject(error);
    expect(await Moody.count()).toBe(0);
    expect([record.isNew, record.id, record.name]).toEqual([true, undefined, 'a']);
    expect(log).toEqual(['rollback create, new']);
    record.mood = '';
    await record.save();
    expect(await Moody.count()).toBe(1);
  });

  test('undo only themselves when they throw inside a transaction', async () => {
    await db.transaction(async () => {
      await create('').save();
      await expect(create('throw after').save()).rejects.toThrow('after');
    });
    expect(await Moody.pluck('name')).toEqual(['a']);
  });

  test('an operation that is not waited for is waited for all the same', async () => {
    const record = await create('unawaited').save();
    expect([record.isNew, await Moody.count()]).toEqual([false, 1]);
  });

  test.each(['swallow', 'unawaited'])('what failed has failed, though a callback looks away: %s', async (mood) => {
    await expect(create(mood, 'bad').save()).rejects.toMatchObject({ code: 'E_CHECK_VIOLATION' });
    expect(await Moody.count()).toBe(0);
  });

  test('keep a record from being destroyed', async () => {
    const record = await create('').save();
    record.mood = 'keep';
    await expect(record.destroy()).rejects.toThrow('kept');
    expect([record.isDestroyed, await Moody.count()]).toEqual([false, 1]);
  });
});

describe('after the end of the transaction', () => {
  test('each deed is told when it alone is the transaction', async () => {
    const record = await Moody.create({ name: 'a' });
    await record.update({ name: 'b' });
    await record.destroy();
    expect(log).toEqual(['commit', 'commit create', 'commit', 'commit update', 'commit', 'commit destroy']);
  });

  test('nothing is told before the outermost commit', async () => {
    await db.transaction(async () => {
      await Moody.create({ name: 'a' });
      await db.transaction({ savepoint: true }, async () => void (await Moody.create({ name: 'b' })));
      expect(log).toEqual([]);
    });
    expect(log).toEqual(['commit', 'commit create', 'commit', 'commit create']);
  });

  test('what was rolled back is told so, alone or with the whole', async () => {
    const kept = await Moody.create({ name: 'a' });
    log = [];
    await expect(
      db.transaction(async () => {
        await kept.update({ name: 'b' });
        await Moody.create({ name: 'c' });
        throw new RangeError('undo');
      }),
    ).rejects.toThrow('undo');
    expect(log.sort()).toEqual(['rollback create, new', 'rollback update']);
    log = [];
    await db.transaction(async () => {
      await db
        .transaction({ savepoint: true }, async () => {
          await Moody.create({ name: 'c' });
          throw new RangeError('undo');
        })
        .catch(() => undefined);
      await Moody.create({ name: 'd' });
    });
    expect(log.sort()).toEqual(['commit', 'commit create', 'rollback create, new']);
  });
});
