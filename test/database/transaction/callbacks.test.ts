import {
  AfterCommit,
  AfterCreate,
  AfterDestroy,
  AfterRollback,
  AfterSave,
  AfterUpdate,
  AfterValidation,
  AroundCreate,
  AroundSave,
  BeforeCreate,
  BeforeDestroy,
  BeforeSave,
  BeforeUpdate,
  BeforeValidation,
  Column,
  Id,
  Model,
  sql,
  Table,
} from 'bellwether';
import { errorOf, FAILURES, planFailures, reasonOf, setUp } from './support';

const ran: string[] = [];
const fails = new Set<string>();
const note = async (what: string) => {
  ran.push(what);
  if (fails.has(what)) throw new Error(what);
  const { rows } = await sql<{ xid: string }>`select pg_current_xact_id_if_assigned()::text as xid`.execute(
    db().kysely(),
  );
  transactions.add(rows[0]!.xid);
};
const transactions = new Set<string | null>();

abstract class Audited extends Model {
  @BeforeSave() protected auditFirst() {
    return note('parent before save');
  }
  @AfterSave() protected auditLast() {
    return note('parent after save');
  }
  @AfterCommit() protected committed(): void {
    ran.push('after commit');
  }
  @AfterCommit({ on: 'destroy' }) protected destroyedForGood(): void {
    ran.push('after commit of destroy');
  }
  @AfterRollback() protected rolledBack(): void {
    ran.push('after rollback');
  }
}

@Table('things')
class Thing extends Audited {
  @Id() declare readonly id: bigint;
  @Column() declare name: string;
  @BeforeValidation() protected bv() {
    return note('before validation');
  }
  @AfterValidation() protected av() {
    return note('after validation');
  }
  @BeforeSave() protected bs() {
    return note('before save');
  }
  @AroundSave() protected async as(proceed: () => Promise<void>) {
    ran.push('around save {');
    await proceed();
    ran.push('} around save');
  }
  @BeforeCreate({ if: (thing: Thing) => thing.name !== 'unwatched' }) protected bc() {
    return note('before create');
  }
  @AroundCreate() protected async ac(proceed: () => Promise<void>) {
    ran.push('around create {');
    if (!fails.has('proceed')) await proceed();
    ran.push('} around create');
  }
  @AfterCreate() protected afterC() {
    return note('after create');
  }
  @BeforeUpdate() protected bu() {
    return note('before update');
  }
  @AfterUpdate() protected au() {
    return note('after update');
  }
  @BeforeDestroy() protected bd() {
    return note('before destroy');
  }
  @AfterDestroy() protected ad() {
    return note('after destroy');
  }
}

const { database, db } = setUp(`
  ${FAILURES}
  create table things (id bigint generated always as identity primary key, name text not null);
`);
beforeEach(async () => {
  await database().pool.query('truncate things, planned');
  ran.length = 0;
  fails.clear();
  transactions.clear();
});
const count = async () => (await database().pool.query('select from things')).rowCount;

const BEFORE = ['before validation', 'after validation', 'parent before save', 'before save', 'around save {'];
const CREATED = [
  ...BEFORE,
  'before create',
  'around create {',
  '} around create',
  'after create',
  '} around save',
  'parent after save',
];

test('order: validation, save, create; those of the parent class first; after commit at the very end', async () => {
  await Thing.create({ name: 'a' });
  expect(ran).toEqual([...CREATED, 'after commit']);
  transactions.delete(null); // before the first write it has no number
  expect(transactions.size).toBe(1); // all in the record's own transaction
});

test('update and destroy have their own', async () => {
  const thing = await Thing.create({ name: 'a' });
  ran.length = 0;
  await thing.update({ name: 'b' });
  expect(ran).toEqual([
    ...BEFORE,
    'before update',
    'after update',
    '} around save',
    'parent after save',
    'after commit',
  ]);
  ran.length = 0;
  await thing.destroy();
  expect(ran).toEqual(['before destroy', 'after destroy', 'after commit', 'after commit of destroy']);
});

test('a condition leaves one out', async () => {
  await Thing.create({ name: 'unwatched' });
  expect(ran).not.toContain('before create');
  expect(ran).toContain('after create');
});

test.each(['before validation', 'before save', 'before create', 'after create', 'parent after save'])(
  '%s throws: nothing is saved, the rollback is told, the commit is not',
  async (stage) => {
    fails.add(stage);
    const thing = Thing.new({ name: 'a' });
    expect(await reasonOf(thing.save())).toMatchObject({ message: stage });
    expect(ran).toContain('after rollback');
    expect(ran).not.toContain('after commit');
    expect([await count(), thing.isNew]).toEqual([0, true]);
    fails.clear();
    await thing.save();
    expect([await count(), thing.isNew]).toEqual([1, false]);
  },
);

test('an around callback that does not proceed: E_CALLBACK_HALTED', async () => {
  fails.add('proceed');
  expect(await errorOf(Thing.create({ name: 'a' }))).toMatchObject({
    code: 'E_CALLBACK_HALTED',
    details: { model: 'Thing', method: 'ac', calls: 0 },
  });
  expect(await count()).toBe(0);
});

test('in an explicit transaction they wait for its end', async () => {
  await db().transaction(async () => {
    await Thing.create({ name: 'a' });
    expect(ran).toEqual(CREATED);
    await reasonOf(
      db().transaction({ savepoint: true }, async () => {
        await Thing.create({ name: 'undone' });
        throw new Error('undone');
      }),
    );
    ran.length = 0;
  });
  expect(ran).toEqual(['after commit', 'after rollback']);
  expect(await count()).toBe(1);
});

test('rolled back with the whole: only after rollback', async () => {
  await reasonOf(
    db().transaction(async () => {
      await Thing.create({ name: 'a' });
      throw new Error('no');
    }),
  );
  expect(ran).toEqual([...CREATED, 'after rollback']);
});

test('a save that is run again calls the outcome once', async () => {
  await planFailures(database(), '40001', 1);
  await db().transaction(async () => {
    await Thing.create({ name: 'a' });
    await sql`select fail_as_planned()`.execute(db().kysely());
  });
  expect(ran).toEqual([...CREATED, ...CREATED, 'after commit']);
});
