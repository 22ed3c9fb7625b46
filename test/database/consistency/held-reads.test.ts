import {
  AfterCommit,
  AroundDestroy,
  AroundSave,
  BeforeDestroy,
  BeforeSave,
  BelongsTo,
  Column,
  HasMany,
  Id,
  Model,
  sql,
  Table,
  unsafeReads,
  Validates,
} from 'bellwether';
import type { BellwetherError, IsolationLevel } from 'bellwether';
import { countingTrips, errorOf, setUp, signal, untilBlocked } from '../transaction/support';

@Table('halls')
class Hall extends Model {
  @Id() declare readonly id: bigint;
  @Column('integer') declare seats: number;
  @HasMany(() => Show) declare shows: HasMany<Show>;
}

/** What its rule reads is up to the test. */
@Table('shows')
class Show extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Hall) declare hall: BelongsTo<Hall>;
  @Column() declare title: string;

  @Validates()
  async rule() {
    await rule(this);
  }
}
let rule: (show: Show) => PromiseLike<unknown>;
const read = (what: () => PromiseLike<unknown>) => {
  rule = async () => void (await what());
};

/** What each of its callbacks does is up to the test. */
@Table('tickets')
class Ticket extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare holder: string;

  @BeforeSave() before() {
    return callbacks.before?.();
  }
  @AroundSave() async around(proceed: () => Promise<void>) {
    await callbacks.around?.();
    await proceed();
  }
  @BeforeDestroy() going() {
    return callbacks.destroy?.();
  }
  @AfterCommit() after() {
    return callbacks.commit?.();
  }
}

/** Its dependents are read and destroyed inside of a callback. */
@Table('halls')
class DoomedHall extends Model {
  @Id() declare readonly id: bigint;
  @HasMany(() => Show, { foreignKey: 'hallId', dependent: 'destroy' }) declare shows: HasMany<Show>;
  @AroundDestroy() async around(proceed: () => Promise<void>) {
    await proceed();
  }
}
let callbacks: Partial<Record<'before' | 'around' | 'destroy' | 'commit', () => Promise<void>>> = {};

const { database, db, open } = setUp(`
  create table halls (id bigint primary key, seats int not null);
  create table shows (id bigint generated always as identity primary key, hall_id bigint not null references halls, title text not null);
  create table tickets (id bigint generated always as identity primary key, holder text not null);
`);

beforeEach(async () => {
  callbacks = {};
  await database().pool.query(`truncate halls, shows, tickets restart identity;
    insert into halls values (1, 100), (2, 200);
    insert into shows (hall_id, title) values (1, 'Faust');
    insert into tickets (holder) values ('Ann')`);
});

/** The locks that the transaction around the running code holds: `halls ShareRowExclusiveLock`, `halls row ForShare`. */
async function locks(): Promise<string[]> {
  const { rows } = await sql<{ held: string }>`
    select relname || ' ' || mode as held from pg_locks join pg_class on pg_class.oid = relation
    where pid = pg_backend_pid() and mode in ('ShareRowExclusiveLock', 'RowShareLock') and relkind = 'r'
    order by 1`.execute(db().kysely());
  return rows.map(({ held }) => held);
}

/** What is locked once a show is saved whose rule reads so, before the commit. */
async function locksOf(what: () => PromiseLike<unknown>, isolation: IsolationLevel = 'read committed') {
  read(what);
  return db().transaction({ isolation }, async () => {
    await Show.create({ hall: 1n, title: 'Hamlet' });
    return (await locks()).filter((lock) => lock !== 'halls RowShareLock' || what.toString().includes('Hall'));
  });
}

const TABLE = ['halls RowShareLock', 'halls ShareRowExclusiveLock'];
const ROW = ['halls RowShareLock'];

describe('a rule’s reads lock', () => {
  const byRow: readonly [string, () => PromiseLike<unknown>][] = [
    ['by key', () => Hall.find(1n)],
    ['by key and more', () => Hall.where({ seats: 100 }).find(1n)],
    ['by keys that are all there', () => Hall.where({ id: [1n, 2n] })],
    ['of attributes by key', () => Hall.where({ id: 1n }).pluck('seats')],
    ['whether some other row is there', () => Hall.where({ seats: 100 }).exists()],
    ['by key, locked', () => Hall.lock('for key share').find(1n)],
  ];
  const byTable: readonly [string, () => PromiseLike<unknown>][] = [
    ['by a key that is not there', () => Hall.where({ id: 3n }).first()],
    ['by keys that are not all there', () => Hall.where({ id: [1n, 3n] })],
    ['whether a row is there that is not', () => Hall.where({ seats: 1 }).exists()],
    ['of a list', () => Hall.where({ seats: 100 })],
    ['by other than the key', () => Hall.findBy({ seats: 100 })],
    ['of a count', () => Hall.count()],
    ['of a sum', () => Hall.query().sum('seats')],
    ['of values', () => Hall.pluck('seats')],
    ['of a list, locked', () => Hall.lock('for update', 'nowait')],
    ['by SQL in a condition', () => Hall.whereSql(sql<boolean>`seats > ${1}`)],
    ['by kysely', () => Hall.query().kysely().select('self.seats').execute()],
    ['by keys from kysely', () => Hall.query().kysely((rows) => rows.select('self.id'))],
  ];

  test.each(byRow)('%s: the row', async (_name, what) => {
    expect(await locksOf(what)).toEqual(ROW);
    expect(await locksOf(what, 'repeatable read')).toEqual(ROW);
  });

  test.each(byTable)('%s: the table', async (_name, what) => {
    expect(await locksOf(what)).toEqual(TABLE);
    expect(await locksOf(what, 'repeatable read')).toEqual(TABLE);
  });

  test.each([...byRow, ...byTable])(
    '%s: nothing at serializable, nor by valid(), nor in unsafeReads()',
    async (name, what) => {
      const own = /locked|halls/.test(name) ? ROW : [];
      expect(await locksOf(what, 'serializable')).not.toContain(TABLE[1]);
      read(what);
      const held = await db().transaction({ isolation: 'read committed' }, async () => {
        await Show.new({ hall: 1n, title: 'x' }).valid();
        return locks();
      });
      expect(held).toEqual(own);
      expect(await locksOf(() => unsafeReads(() => Promise.resolve(what())))).not.toContain(TABLE[1]);
    },
  );

  test('of the associations of a record: the parent’s row, the children’s table', async () => {
    rule = async (show) => {
      const hall = await show.hall.load();
      await hall.shows.load();
    };
    const held = await db().transaction({ isolation: 'read committed' }, async () => {
      await Show.create({ hall: 1n, title: 'Hamlet' });
      return locks();
    });
    expect(held).toEqual(['halls RowShareLock', 'shows ShareRowExclusiveLock']);
  });

  test('by kysely: every table that the query reads', async () => {
    interface Tables {
      halls: { id: bigint; seats: number };
      shows: { id: bigint; hall_id: bigint };
      tickets: { id: bigint };
    }
    const held = await locksOf(() => {
      const halls = db().kysely<Tables>();
      return halls
        .with('big', (q) => q.selectFrom('halls').where('seats', '>', 1).select('id'))
        .selectFrom('shows as s')
        .innerJoin('big', 'big.id', 's.hall_id')
        .where((eb) => eb.exists(eb.selectFrom('tickets as t').select('t.id').whereRef('t.id', '=', 's.id')))
        .select('s.id')
        .execute();
    });
    expect(held.filter((lock) => lock.endsWith('ShareRowExclusiveLock'))).toEqual(
      ['halls', 'shows', 'tickets'].map((table) => `${table} ShareRowExclusiveLock`),
    );
  });

  test.each(['read committed', 'repeatable read'] as const)('by SQL text: refused at %s', async (isolation) => {
    const texts = [
      () => sql`select count(*) from halls`.execute(db().kysely()),
      () => sql`with h as (select * from halls) select * from h for update`.execute(db().kysely()),
      () => Hall.whereSql(sql<boolean>`exists (select from shows)`),
    ];
    for (const text of texts) {
      read(text);
      const refusal = errorOf(db().transaction({ isolation }, () => Show.create({ hall: 1n, title: 'x' })));
      expect(await refusal).toMatchObject({
        code: 'E_READ_NOT_HELD',
        recovery: 'fix-the-code',
        details: { table: 'shows', isolation },
      });
      expect(await locksOf(() => unsafeReads(() => Promise.resolve(text())), isolation)).not.toContain(TABLE[1]);
      expect(await locksOf(text, 'serializable')).not.toContain(TABLE[1]);
    }
  });

  test('by SQL text that reads no table, or writes: as it is', async () => {
    const written = await locksOf(async () => {
      await sql`select now() is distinct from null, extract(year from now())`.execute(db().kysely());
      await sql`update halls set seats = seats + (select count(*) from shows)`.execute(db().kysely());
      await sql`lock table tickets in share mode`.execute(db().kysely());
    });
    expect(written).toEqual([]);
    expect((await Hall.find(1n)).seats).toBe(101);
  });
});

describe('a callback’s reads lock', () => {
  const saved = (isolation: IsolationLevel, deed: () => Promise<unknown>) =>
    db().transaction({ isolation }, async () => {
      await deed();
      return locks();
    });

  test.each(['before', 'around'] as const)('%s the save', async (moment) => {
    callbacks[moment] = async () => void (await Hall.count());
    expect(await saved('read committed', () => Ticket.create({ holder: 'Bob' }))).toEqual([TABLE[1]]);
    expect(await saved('repeatable read', () => Ticket.create({ holder: 'Bob' }))).toEqual([TABLE[1]]);
    expect(await saved('serializable', () => Ticket.create({ holder: 'Bob' }))).toEqual([]);
  });

  test('before the destroy', async () => {
    callbacks.destroy = async () => void (await Hall.count());
    const ticket = await Ticket.find(1n);
    expect(await saved('read committed', () => ticket.destroy())).toEqual([TABLE[1]]);
  });

  test('also in a nested transaction, but not outside of it, nor after the commit', async () => {
    const count = async () => void (await Hall.count());
    callbacks.before = () => db().transaction({ savepoint: true }, count);
    expect(await saved('read committed', () => Ticket.create({ holder: 'Bob' }))).toEqual([TABLE[1]]);
    callbacks.before = () => db().outsideTransaction(count);
    expect(await saved('read committed', () => Ticket.create({ holder: 'Bob' }))).toEqual([]);
    let after: string[] = ['never'];
    callbacks = {
      commit: () =>
        db().transaction({ isolation: 'read committed' }, async () => {
          await count();
          after = await locks();
        }),
    };
    await saved('read committed', () => Ticket.create({ holder: 'Bob' }));
    expect(after).toEqual([]);
  });

  test('a record that it saves is none of what it reads, and that record’s own rules hold', async () => {
    callbacks.before = async () => {
      read(() => Promise.resolve());
      await Show.create({ hall: 1n, title: 'Hamlet' });
    };
    const writes = await saved('read committed', () => Ticket.create({ holder: 'Bob' }));
    expect(writes).toEqual(['halls RowShareLock']); // the parent’s, for key share
    callbacks.before = async () => {
      read(() => Ticket.count());
      await Show.create({ hall: 1n, title: 'Hamlet' });
    };
    const held = await saved('read committed', () => Ticket.create({ holder: 'Bob' }));
    expect(held).toContain('tickets ShareRowExclusiveLock');
  });

  test('what goes on inside of an around callback is none of what it reads', async () => {
    const hall = await DoomedHall.find(1n);
    expect(await saved('read committed', () => hall.destroy())).not.toContain('shows ShareRowExclusiveLock');
    expect(await Show.count()).toBe(0);
  });
});

describe('what others may do meanwhile', () => {
  /** Runs `other` while a transaction is open that has saved a show whose rule reads so. */
  async function whileHeld(
    isolation: IsolationLevel,
    what: () => PromiseLike<unknown>,
    other: string,
  ): Promise<boolean> {
    read(what);
    const [saved, end] = [signal(), signal()];
    const holder = db().transaction({ isolation }, async () => {
      await Show.create({ hall: 2n, title: 'Hamlet' });
      saved.give();
      await end.promise;
    });
    await saved.promise;
    const isBlocked = await database()
      .pool.query(`begin; set local lock_timeout = 50; ${other}; rollback`)
      .then(
        () => false,
        (error: { code: string }) => error.code === '55P03',
      );
    await database().pool.query('rollback');
    end.give();
    await holder;
    return isBlocked;
  }

  test.each(['read committed', 'repeatable read'] as const)('at %s', async (isolation) => {
    const change = 'update halls set seats = 0 where id = 1';
    const add = 'insert into halls values (3, 1)';
    expect(await whileHeld(isolation, () => Hall.find(1n), change)).toBe(true);
    expect(await whileHeld(isolation, () => Hall.lock('for key share').find(1n), change)).toBe(true);
    expect(await whileHeld(isolation, () => Hall.find(1n), add)).toBe(false);
    expect(await whileHeld(isolation, () => Hall.count(), change)).toBe(true);
    expect(await whileHeld(isolation, () => Hall.count(), add)).toBe(true);
    expect(await whileHeld(isolation, () => Hall.count(), 'select from halls')).toBe(false);
    // Rules that only read share the row; nothing is held of what they do not read.
    expect(await whileHeld(isolation, () => Hall.find(1n), 'select from halls where id = 1 for share')).toBe(false);
    expect(await whileHeld(isolation, () => Hall.find(1n), "insert into tickets (holder) values ('Eve')")).toBe(false);
  });
});

describe('without deadlocks', () => {
  test.each(['read committed', 'repeatable read'] as const)(
    'two that have both written the table before a rule counts it, at %s',
    async (isolation) => {
      const attempts: number[] = [];
      rule = async ({ title }) => title.startsWith('second') && (await Show.count());
      const reasons: unknown[] = [];
      const stop = db().on('transaction:retry', ({ error }) => reasons.push((error as BellwetherError).code));
      const both = [signal(), signal()];
      const one = (index: number) =>
        db().transaction({ isolation }, async (tx) => {
          attempts.push(tx.attempt);
          await Show.create({ hall: 1n, title: `first ${index}` });
          both[index]!.give();
          await both[1 - index]!.promise;
          await Show.create({ hall: 1n, title: `second ${index}` });
        });
      await Promise.all([one(0), one(1)]);
      expect(await Show.where('title', 'like', 'second%').count()).toBe(2);
      stop();
      expect(attempts.length).toBe(2 + reasons.length);
      expect(new Set(reasons)).toEqual(new Set(['E_PRECAUTION_NEEDED']));
    },
  );

  test('rows that are written after rules have read them are not shared from then on', async () => {
    const fresh = await open({ isolation: 'read committed' });
    const strength = () =>
      fresh.use(() =>
        fresh.transaction(async () => {
          read(() => Hall.find(1n));
          await Show.create({ hall: 2n, title: 'Hamlet' });
          const { rowCount } = await database().pool.query('select from halls where id = 1 for share skip locked');
          await Hall.where({ id: 1n }).increment({ seats: 1 });
          return rowCount === 1 ? 'shared' : 'exclusive';
        }),
      );
    expect(await strength()).toBe('shared');
    expect(await strength()).toBe('exclusive');
  });
});

describe('under repeatable read', () => {
  test('a transaction that has looked already is run again with the table locked first', async () => {
    const attempts: number[] = [];
    await db().transaction({ isolation: 'repeatable read' }, async (tx) => {
      attempts.push(tx.attempt);
      await Ticket.count();
      read(() => Hall.count());
      await Show.create({ hall: 1n, title: 'Hamlet' });
    });
    expect(attempts).toEqual([1, 2]);
  });

  test('a wait for the table is followed by a look at what was committed meanwhile', async () => {
    const client = await database().pool.connect();
    await client.query('begin; insert into halls values (3, 1)');
    let seen: number | undefined;
    read(async () => (seen = await Hall.count()));
    const saved = db().transaction({ isolation: 'repeatable read' }, () => Show.create({ hall: 1n, title: 'Hamlet' }));
    await untilBlocked(database());
    await client.query('commit');
    client.release();
    await saved;
    expect(seen).toBe(3);
  });
});

describe('a savepoint that is undone', () => {
  test('takes its locks with it, and the next rule locks again', async () => {
    read(() => Hall.count());
    await db().transaction({ isolation: 'read committed' }, async () => {
      await errorOf(Show.create({ hall: 9n, title: 'Hamlet' }));
      expect(await locks()).not.toContain(TABLE[1]);
      await Show.create({ hall: 1n, title: 'Hamlet' });
      expect(await locks()).toContain(TABLE[1]);
    });
  });
});

describe('round trips', () => {
  const RULES: readonly [string, IsolationLevel, () => PromiseLike<unknown>, number][] = [
    ['lock and count', 'read committed', () => Hall.count(), 3],
    ['lock and count', 'repeatable read', () => Hall.count(), 3],
    ['no lock', 'serializable', () => Hall.count(), 3],
    ['a row by key', 'read committed', () => Hall.find(1n), 3],
    ['the same table twice', 'read committed', async () => [await Hall.count(), await Hall.count()], 4],
    ['nothing', 'read committed', () => Promise.resolve(), 2],
  ];

  test.each(RULES)('%s at %s', async (_name, isolation, what, trips) => {
    const create = () => Show.create({ hall: 1n, title: 'Hamlet' });
    read(what);
    await countingTrips(database(), async (tripsOf) => expect(await tripsOf(create)).toBe(trips), { isolation });
  });
});
