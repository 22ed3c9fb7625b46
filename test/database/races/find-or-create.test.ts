import { BeforeSave, BelongsTo, Column, currentTransaction, Id, Model, Table, Unique } from 'bellwether';
import type { Database, IsolationLevel } from 'bellwether';
import { IsNotEmpty } from 'class-validator';
import { barrier, countingTrips, errorOf, setUp } from '../transaction/support';

@Table('tags')
class Tag extends Model {
  @Id() declare readonly id: bigint;
  @Column() @Unique({ caseInsensitive: true }) declare name: string;
  @Column({ default: 'grey' }) @IsNotEmpty() declare colour: string;
}
@Table('labels')
class Label extends Model {
  @Id() declare readonly id: bigint;
  @Column() @Unique() declare name: string;
  @BeforeSave() trim(): void {
    this.name = this.name.trim();
  }
}
@Table('seats')
class Seat extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Tag) declare tag: BelongsTo<Tag>;
  @Column('bigint') declare tagId: bigint;
  @Column('integer') @Unique({ scope: 'tagId', where: 'not cancelled' }) declare number: number;
  @Column({ default: false }) declare cancelled: boolean;
  @Column('text', { nullable: true }) @Unique() declare code: string | null;
  @Column('integer', { nullable: true }) @Unique({ deferred: true }) declare place: number | null;
}

const { database, db, open } = setUp(`
  create table tags (id bigint generated always as identity primary key, name text not null, colour text not null);
  create unique index on tags (lower(name));
  create table labels (id bigint generated always as identity primary key, name text not null unique);
  create table seats (
    id bigint generated always as identity primary key, tag_id bigint not null references tags, number int not null,
    cancelled boolean not null, code text unique, place int unique deferrable initially deferred
  );
  create unique index on seats (tag_id, number) where not cancelled;
`);
beforeEach(() => database().pool.query('truncate tags, labels, seats restart identity'));

const CALLERS = 64;
const ROUNDS = Number(process.env.RACE_ROUNDS ?? 5);
const LEVELS = ['read committed', 'repeatable read', 'serializable'] as const;
const rowsOf = async (table: string) => (await database().pool.query(`select from ${table}`)).rowCount;
const callers = <T>(body: (caller: number) => Promise<T>) =>
  Promise.all(Array.from({ length: CALLERS }, (_, caller) => body(caller)));

describe.each([4, 64])('64 callers on a pool of %d', (poolSize) => {
  let pool: Database;
  beforeAll(async () => {
    pool = await open({ poolSize });
  });

  test.each<IsolationLevel | undefined>([undefined, ...LEVELS])(
    'in a transaction at %s: one row, and all get it',
    async (isolation) => {
      for (let round = 0; round < ROUNDS; round++) {
        const names = [`Red ${round}`, `red ${round}`];
        const find = (caller: number) => Tag.findOrCreateBy({ name: names[caller % 2]! }, { colour: `of ${caller}` });
        const found = await pool.use(() =>
          callers((caller) => (isolation ? pool.transaction({ isolation }, () => find(caller)) : find(caller))),
        );
        expect(new Set(found.map(({ id }) => id)).size).toBe(1);
        expect(new Set(found.map(({ colour }) => colour)).size).toBe(1);
        expect(await rowsOf('tags')).toBe(round + 1);
      }
    },
  );

  test.each(LEVELS)('at %s, where every transaction has looked before anybody creates', async (isolation) => {
    const size = Math.min(poolSize, 16);
    const meet = barrier(size);
    const found = await pool.use(() =>
      Promise.all(
        Array.from({ length: size }, (_, caller) =>
          pool.transaction({ isolation }, async () => {
            expect(await Label.count()).toBeLessThanOrEqual(1);
            if (currentTransaction()!.attempt === 1) await meet();
            return Label.findOrCreateBy({ name: caller % 2 === 0 ? 'one' : ' one ' });
          }),
        ),
      ),
    );
    expect(found.map(({ name }) => name)).toEqual(found.map(() => 'one'));
    expect(new Set(found.map(({ id }) => id)).size).toBe(1);
    expect(await rowsOf('labels')).toBe(1);
  });

  test('while others delete the row again', async () => {
    await pool.use(() =>
      callers(async (caller) => {
        const found = await Label.findOrCreateBy({ name: 'fleeting' });
        expect(found.name).toBe('fleeting');
        if (caller % 2 === 0) await Label.where({ name: 'fleeting' }).deleteAll();
      }),
    );
    expect(await rowsOf('labels')).toBeLessThanOrEqual(1);
  });

  test('within a scope, by a parent, among some rows only', async () => {
    const tag = await pool.use(() => Tag.create({ name: 'red' }));
    await pool.use(() => Seat.create({ tag, number: 1, cancelled: true }));
    const found = await pool.use(() => callers((caller) => Seat.findOrCreateBy({ tag, number: 1 + (caller % 2) })));
    expect(new Set(found.map(({ id }) => id)).size).toBe(2);
    expect(found.every(({ cancelled }) => !cancelled)).toBe(true);
    expect(await rowsOf('seats')).toBe(3);
  });
});

test('it is found with what it has, and created with what is given', async () => {
  await db().use(async () => {
    const made = await Tag.findOrCreateBy({ name: 'Red' }, { colour: '#f00' });
    const found = await Tag.findOrCreateBy({ name: 'RED' }, { colour: 'other' });
    expect([made.isNew, found.id, found.name, found.colour]).toEqual([false, made.id, 'Red', '#f00']);
    const error = await errorOf(Tag.findOrCreateBy({ name: 'blue' }, { colour: '' }));
    expect(error.code).toBe('E_VALIDATION');
    expect(await Tag.count()).toBe(1);
  });
});

test('a key that no rule makes unique is refused before anything is sent', async () => {
  await db().use(async () => {
    for (const key of [
      { cancelled: false },
      { number: 1 },
      { number: 1, code: 'x' },
      { code: null },
      { place: 1 },
      {},
    ]) {
      expect((await errorOf(Seat.findOrCreateBy(key))).code).toBe('E_NO_UNIQUE_RULE');
    }
  });
});

test('one round trip when it is there, two when it is created', () =>
  countingTrips(database(), async (tripsOf) => {
    const find = () => Tag.findOrCreateBy({ name: 'red' });
    expect(await tripsOf(find)).toBe(2);
    expect(await tripsOf(find)).toBe(1);
  }));
