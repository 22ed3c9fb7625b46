import { BelongsTo, Column, HasMany, HasOne, Id, Model, sql, Table, Validates, ValidationError } from 'bellwether';
import type { Database, HasMany as Many, HasManyThrough, HasOne as One, Query } from 'bellwether';
import {
  countingTrips,
  errorOf,
  FAILURES,
  planFailures,
  reasonOf,
  setUp,
  signal,
  until,
  untilBlocked,
} from '../transaction/support';

@Table('shelves')
class Shelf extends Model {
  @Id() declare readonly id: bigint;
  @HasMany(() => Book) declare books: Many<Book>;
  @HasMany(() => Box) declare boxes: Many<Box>;
  @HasMany(() => Note, { as: 'subject' }) declare notes: Many<Note>;
  @HasMany(() => Lamp) declare lamps: Many<Lamp>;
  @HasOne(() => Box) declare box: One<Box>;
  @HasMany(() => Book, { through: 'notes', source: 'source' }) declare sources: HasManyThrough<Book>;
}

@Table('books')
class Book extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Shelf) declare shelf: BelongsTo<Shelf>;
  declare shelfId: bigint;
  @HasMany(() => Note, { as: 'subject' }) declare notes: Many<Note>;
  @Column({ default: 'a book' }) declare title: string;

  @Validates({ on: 'create' }) async standsAlone(): Promise<void> {
    const { notes, boxes } = await Shelf.include('notes', 'boxes').find(this.shelfId);
    if (notes.length + boxes.length > 0) this.errors.add('shelf', 'has boxes, or notes');
  }
}

@Table('boxes')
class Box extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Shelf) declare shelf: BelongsTo<Shelf>;
  declare shelfId: bigint;
  @HasMany(() => Note, { as: 'subject' }) declare notes: Many<Note>;

  @Validates({ on: 'create' }) async standsAlone(): Promise<void> {
    const { lamps, books } = await Shelf.include('lamps', 'books').find(this.shelfId);
    if (lamps.length + books.length > 0) this.errors.add('shelf', 'has books, or lamps');
  }
}

@Table('lamps')
class Lamp extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Shelf) declare shelf: BelongsTo<Shelf>;
}

@Table('notes')
class Note extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => [Shelf, Book, Box], { polymorphic: true }) declare subject: BelongsTo<Shelf | Book | Box>;
  @BelongsTo(() => Book, { optional: true }) declare source: BelongsTo<Book | null>;
}

const { database, db, open } = setUp(`
  ${FAILURES}
  create table shelves (id bigint primary key);
  create table books (id bigint generated always as identity primary key, shelf_id bigint not null references shelves, title text not null);
  create table boxes (id bigint generated always as identity primary key, shelf_id bigint not null references shelves);
  create table lamps (id bigint generated always as identity primary key, shelf_id bigint not null references shelves);
  create table notes (id bigint generated always as identity primary key, subject_type text not null, subject_id bigint not null,
    source_id bigint references books);
  create sequence deaths;
  create function die_once() returns int language plpgsql as $$ begin
    if nextval('deaths') = 1 then perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(60); end if;
    return 1;
  end $$;
`);

beforeEach(() =>
  database().pool.query(`truncate shelves, books, boxes, lamps, notes, planned restart identity;
    alter sequence deaths restart;
    insert into shelves values (1), (2);
    insert into books (shelf_id, title) values (1, 'a'), (1, 'b'), (2, 'c');
    insert into boxes (shelf_id) values (1), (2);
    insert into notes (subject_type, subject_id, source_id) values ('Shelf', 1, 1), ('Book', 1, 2), ('Box', 1, null), ('Book', 3, 3)`),
);

const unhandled: unknown[] = [];
const note = (what: unknown) => unhandled.push(what);
beforeAll(() => process.on('unhandledRejection', note));
afterAll(() => {
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});

const full = () => Shelf.order('id').include('books', 'boxes', 'notes');
type Counted = Iterable<{ readonly [K in 'books' | 'boxes' | 'notes']: { readonly length: number } }>;
const lengths = async (read: PromiseLike<Counted>) =>
  [...(await read)].map(({ books, boxes, notes }) => [books.length, boxes.length, notes.length]);
const ALL = [
  [2, 1, 1],
  [1, 1, 0],
];

/** The statements that are sent on behalf of `body`. */
async function statementsOf(on: Database, body: () => Promise<unknown>): Promise<string[]> {
  const texts: string[] = [];
  const off = on.on('statement:end', ({ sql: text }) => texts.push(text));
  await on.use(body);
  off();
  return texts;
}

describe('the associations of one level', () => {
  test('leave in one flight, within a transaction and without', async () => {
    await countingTrips(database(), async (tripsOf, counted) => {
      await full();
      expect(await tripsOf(async () => expect(await lengths(full())).toEqual(ALL))).toBe(2);
      expect(await tripsOf(() => counted.transaction(async () => expect(await lengths(full())).toEqual(ALL)))).toBe(3);
    });
  });

  test('and those of the next one when their owners are there: all of a level at once', async () => {
    const deep = () =>
      Shelf.order('id').include('notes', {
        books: (books) => books.order('id').include('notes', 'shelf'),
        boxes: (boxes) => boxes.include('notes', 'shelf'),
      });
    await countingTrips(database(), async (tripsOf, counted) => {
      await deep();
      expect(await tripsOf(() => deep().toArray())).toBe(3);
      expect(await tripsOf(() => counted.transaction(() => deep().toArray()))).toBe(4);
    });
    const [shelf] = await deep();
    expect([...shelf!.books].map(({ notes }) => notes.length)).toEqual([1, 0]);
  });

  test('of several models, where a record refers to one of several', async () => {
    const read = () => Note.order('id').include('source', { subject: (subject) => subject.include('notes') });
    await countingTrips(database(), async (tripsOf, counted) => {
      await read();
      expect(await tripsOf(() => read().toArray())).toBe(3);
      expect(await tripsOf(() => counted.transaction(() => read().toArray()))).toBe(4);
    });
    const notes = await read();
    expect(notes.map(({ subject }) => subject.value.constructor)).toEqual([Shelf, Book, Box, Book]);
    expect(notes.map(({ subject }) => subject.value.notes.length)).toEqual([1, 1, 1, 1]);
    expect(notes.map(({ source }) => source.value?.title)).toEqual(['a', 'b', undefined, 'c']);
  });

  test('are loaded by one query each, also where the same one stands on two levels', async () => {
    const read = () =>
      Shelf.order('id').include('books', 'boxes', {
        notes: (notes) => notes.include({ source: (book) => book.include('shelf') }),
      });
    const texts = await statementsOf(db(), () => read().toArray());
    const tables = texts.map((text) => /from "(\w+)"/.exec(text)![1]!);
    expect(tables.sort()).toEqual(['books', 'books', 'boxes', 'notes', 'shelves', 'shelves']);
  });

  test('are as ever where no record refers to any', async () => {
    await database().pool.query('delete from notes; delete from books; delete from boxes');
    expect(await lengths(full())).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect(await Note.include('subject', 'source')).toEqual([]);
  });
});

describe('outside of a transaction', () => {
  test('one session of the pool is enough for all', async () => {
    const another = await open({ poolSize: 5 });
    await another.use(() => lengths(full()));
    expect(another.poolState).toMatchObject({ open: 1, idle: 1 });
  });

  test.each([1, 2, 3])('any number at once get along with a pool of %i', async (poolSize) => {
    const small = await open({ poolSize, acquireTimeoutMs: 20_000 });
    const all = await small.use(() => Promise.all(Array.from({ length: 60 }, () => lengths(full()))));
    expect(all).toEqual(Array.from({ length: 60 }, () => ALL));
    expect(small.poolState).toMatchObject({ waiting: 0 });
  });

  test('what PostgreSQL wants sent again is sent again by itself', async () => {
    await planFailures(database(), '40001', 2);
    const planned = (all: Query<Book>) => all.whereSql(sql<boolean>`fail_as_planned() = 1`);
    const another = await open({ poolSize: 2 });
    const texts = await statementsOf(another, async () =>
      expect(await lengths(Shelf.order('id').include({ books: planned }, 'boxes', 'notes'))).toEqual(ALL),
    );
    expect(texts).toHaveLength(4);
    expect(another.poolState.idle).toBe(another.poolState.open);
  });

  test('a session that is lost on the way is replaced, and all is read again on one', async () => {
    await database().pool.query(`alter table boxes rename to real_boxes;
      create view boxes as select *, xmin, ctid from real_boxes where die_once() = 1`);
    const another = await open({ poolSize: 3 });
    try {
      expect(await another.use(() => lengths(full()))).toEqual(ALL);
      expect(another.poolState).toMatchObject({ open: 1, idle: 1 });
    } finally {
      await database().pool.query('drop view boxes; alter table real_boxes rename to boxes');
    }
  });

  test('each fails by itself, the first failure is told, and the session is as good as before', async () => {
    const another = await open({ poolSize: 1 });
    const failing = (all: Query<Book>) => all.whereSql(sql<boolean>`1 / 0 = 1`);
    const missing = (all: Query<Box>) => all.whereSql(sql<boolean>`nothing() = 1`);
    await another.use(async () => {
      const error = await errorOf(
        Shelf.include({ notes: (all) => all }, { books: failing }, { boxes: missing }).toArray(),
      );
      expect(error.details).toMatchObject({ sqlState: '22012' });
      expect(await lengths(full())).toEqual(ALL);
    });
    expect(another.poolState).toMatchObject({ open: 1, idle: 1 });
  });

  test('nothing is under way any more when a failure is told', async () => {
    const another = await open({ poolSize: 1 });
    const holder = await database().pool.connect();
    await holder.query('begin; lock table boxes');
    const failing = (all: Query<Book>) => all.whereSql(sql<boolean>`1 / 0 = 1`);
    let isTold = false;
    const told = another.use(() => errorOf(Shelf.include({ books: failing }, 'boxes').toArray()));
    const noted = told.then(() => (isTold = true));
    try {
      await untilBlocked(database());
      expect(isTold).toBe(false);
    } finally {
      await holder.query('rollback');
      holder.release();
    }
    await noted;
    expect((await told).details).toMatchObject({ sqlState: '22012' });
    expect(another.poolState).toMatchObject({ open: 1, idle: 1 });
  });

  test('what was started meanwhile and goes on afterwards has sessions of its own', async () => {
    const another = await open({ poolSize: 3 });
    const goOn = signal();
    const started: Promise<number[]>[] = [];
    const holder = await database().pool.connect();
    const count = async () => {
      await goOn.promise;
      const boxes = Box.count(); // waits for the lock
      const books = await Book.count();
      await holder.query('rollback');
      return [books, await boxes];
    };
    await another.use(() =>
      Shelf.include({ books: (all) => (started.push(count()), all) }, 'boxes', 'notes').toArray(),
    );
    await holder.query('begin; lock table boxes');
    goOn.give();
    try {
      expect(await started[0]).toEqual([3, 2]);
    } finally {
      await holder.query('rollback');
      holder.release();
    }
  });

  test('an abort calls off all, and gives the session back', async () => {
    const another = await open({ poolSize: 1, applicationName: 'slow' });
    const slow = <T extends Book | Box>(all: Query<T>) => all.whereSql(sql<boolean>`pg_sleep(60) is not null`);
    const controller = new AbortController();
    const told = errorOf(
      another.use({ signal: controller.signal }, () =>
        Shelf.include('notes', { books: slow }, { boxes: slow }).toArray(),
      ),
    );
    await until(
      database(),
      `select true from pg_stat_activity where application_name = 'slow' and wait_event = 'PgSleep'`,
    );
    controller.abort();
    expect((await told).code).toBe('E_ABORTED');
    expect(await another.use(() => lengths(full()))).toEqual(ALL);
    expect(another.poolState).toMatchObject({ open: 1, idle: 1 });
  });
});

describe('within a transaction', () => {
  const failing = (all: Query<Book>) => all.whereSql(sql<boolean>`1 / 0 = 1`);
  const missing = (all: Query<Box>) => all.whereSql(sql<boolean>`nothing() = 1`);
  const read = () => Shelf.include('notes', { books: failing }, { boxes: missing }).toArray();

  test('the first failure is told, not what came of it', async () => {
    expect((await errorOf(db().transaction(read))).details).toMatchObject({ sqlState: '22012' });
    const outer = new Error('goes on');
    const error = await reasonOf(
      db().transaction(async () => {
        expect((await errorOf(read())).details).toMatchObject({ sqlState: '22012' });
        throw outer;
      }),
    );
    expect(error).toBe(outer);
  });

  const broken = sql<boolean>`1 / 0 = 1`;
  test.each([
    ['limited', () => Shelf.include({ books: (all) => all.whereSql(broken).limit(1) }, 'boxes')],
    ['the first of several', () => Shelf.include({ box: (all) => all.whereSql(broken).order('id') }, 'boxes')],
    ['through another', () => Shelf.include({ sources: (all) => all.whereSql(broken).limit(1) }, 'boxes')],
    ['the last one', () => Shelf.include('boxes', 'notes', { books: (all) => all.whereSql(broken) })],
  ] as const)('also where the one that fails takes longer to tell: %s', async (_which, query) => {
    const failed = db().transaction(() => query().toArray() as Promise<unknown>);
    expect((await errorOf(failed)).details).toMatchObject({ sqlState: '22012' });
  });

  test('behind a savepoint it is undone alone: nothing of it is under way any more', async () => {
    await db().transaction(async () => {
      await Note.create({ subject: await Shelf.find(2n) });
      expect((await errorOf(db().transaction({ savepoint: true }, read))).details).toMatchObject({ sqlState: '22012' });
      expect(await lengths(full())).toEqual([
        [2, 1, 1],
        [1, 1, 1],
      ]);
    });
    expect(await Note.count()).toBe(5);
  });

  test('what PostgreSQL wants run again is run again from the start', async () => {
    await planFailures(database(), '40001', 1);
    const planned = (all: Query<Book>) => all.whereSql(sql<boolean>`fail_as_planned() = 1`);
    let runs = 0;
    const shelves = await db().transaction(async () => {
      runs += 1;
      return lengths(Shelf.order('id').include('boxes', { books: planned }, 'notes'));
    });
    expect([shelves, runs]).toEqual([ALL, 2]);
  });
});

describe.each(['read committed', 'repeatable read', 'serializable'] as const)('read by a rule at %s', (isolation) => {
  test('each of them stays true until the commit', async () => {
    const put = (model: typeof Book | typeof Box) => db().transaction({ isolation }, () => model.create({ shelf: 1n }));
    for (let round = 0; round < 2; round++) {
      await database().pool.query('truncate books, boxes, notes');
      const puts = await Promise.allSettled([Book, Box, Box, Book, Book, Box, Book, Box].map(put));
      const reasons = puts.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
      for (const reason of reasons) expect(reason).toBeInstanceOf(ValidationError);
      const { books, boxes } = await Shelf.include('books', 'boxes').find(1n);
      expect([books.length, boxes.length].sort()).toEqual([0, 4]);
    }
  });
});
