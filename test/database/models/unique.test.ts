import {
  BelongsTo,
  Check,
  Column,
  HasMany,
  Id,
  Model,
  Table,
  Unique,
  UniqueViolationError,
  BeforeSave,
} from 'bellwether';
import type { ValidationError } from 'bellwether';
import { errorOf, setUp } from '../transaction/support';

@Table('teams')
class Team extends Model {
  @Id() declare readonly id: bigint;
  @HasMany(() => Member) declare members: HasMany<Member>;
}

@Table('members')
class Member extends Model {
  @Id() declare readonly id: bigint;
  @Column() @Unique({ caseInsensitive: true }) declare email: string;
  @Column() @Unique({ message: 'is worn' }) declare nick: string;
  @Column('integer', { default: 0 }) @Check('age >= 0') declare age: number;
  @Column('text', { nullable: true }) @Unique({ scope: 'teamId', nulls: 'not distinct' }) declare role: string | null;
  @Column('timestamptz', { nullable: true }) declare leftAt: Date | null;
  @Column('integer', { nullable: true }) @Unique({ where: 'left_at is null' }) declare locker: number | null;
  @Column('text', { databaseDefault: true }) @Unique({ where: "badge <> 'none'" }) declare badge: string;
  @Column('jsonb', { default: { a: [1] } }) declare notes: unknown;
  @Column('bytea', { nullable: true }) @Unique() declare print: Buffer | null;
  @Column('text[]', { default: [] }) declare tags: readonly string[];
  @BelongsTo(() => Team) declare team: BelongsTo<Team>;
  declare teamId: bigint;
}

@Table('countries')
class Country extends Model {
  @Id('text', { databaseDefault: false }) declare code: string;
}

@Table('seats')
class Seat extends Model {
  @Id() declare readonly id: bigint;
  @Column('integer') @Unique({ deferred: true, scope: 'row' }) declare place: number;
  @Column('integer', { default: 1 }) declare row: number;
}

@Table('seats')
class ListeningSeat extends Model {
  @Id() declare readonly id: bigint;
  @Column('integer') @Unique({ deferred: true, scope: 'row' }) declare place: number;
  @Column('integer', { default: 1 }) declare row: number;
  @BeforeSave() listen(): void {}
}

@Table('owners')
class Owner extends Model {
  @Id() declare readonly id: bigint;
}
@Table('pets')
class Pet extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Owner) declare owner: BelongsTo<Owner>;
}

const { database, db } = setUp(`
  create table teams (id bigint generated always as identity primary key);
  create table members (id bigint generated always as identity primary key, email text not null, nick text not null unique,
    age int not null check (age >= 0), role text, left_at timestamptz, locker int, badge text not null default 'none',
    notes jsonb not null, print bytea unique, tags text[] not null, team_id bigint not null references teams,
    unique nulls not distinct (role, team_id));
  create unique index on members (lower(email));
  create unique index on members (locker) where left_at is null;
  create unique index on members (badge) where badge <> 'none';
  create table countries (code text primary key);
  create table seats (id bigint generated always as identity primary key, place int not null, row int not null,
    unique (place, row) deferrable initially deferred);
  create table owners (id bigint generated always as identity primary key);
  create table pets (id bigint generated always as identity primary key,
    owner_id bigint not null references owners deferrable initially deferred);
`);
const sent: string[] = [];
beforeAll(() => void db().on('statement:end', ({ sql }) => sent.push(sql)));
beforeEach(() => database().pool.query('truncate teams, members, countries, seats, owners, pets restart identity'));

const taken = (attribute: string, message = 'is taken') => ({ attribute, code: 'taken', message });
const rowsOf = async (table: string) => (await database().pool.query(`select from ${table}`)).rowCount;

test('the tables are as the models declare them', async () => {
  await expect(db().verify()).resolves.toEqual([]);
});

describe('several violations at once', () => {
  let team: Team;
  const values = (more: object) => ({ email: 'new@x.org', nick: 'new', role: 'new', locker: 9, team, ...more });
  beforeEach(async () => {
    team = await Team.create({});
    await Member.create(
      values({ email: 'ann@x.org', nick: 'ann', role: 'lead', locker: 1, badge: 'gold', print: Buffer.from([0, 255]) }),
    );
    sent.length = 0;
  });

  const ALL = {
    email: 'ANN@x.org',
    nick: 'ann',
    age: -1,
    role: 'lead',
    locker: 1,
    badge: 'gold',
    print: Buffer.from([0, 255]),
  };
  const EVERYTHING = [
    { attribute: 'age', code: 'check', message: 'must satisfy age >= 0' },
    taken('email'),
    taken('nick', 'is worn'),
    taken('role'),
    taken('locker'),
    taken('badge'),
    taken('print'),
  ];

  test('are told together, on create and on update, by one statement more', async () => {
    const created = Member.new(values(ALL));
    expect(await errorOf(created.save())).toMatchObject({ code: 'E_VALIDATION', problems: EVERYTHING });
    expect(created.errors.all).toEqual(EVERYTHING);
    expect(sent).toHaveLength(2);
    const other = await Member.create(values({}));
    expect(await errorOf(other.update(ALL))).toMatchObject({ code: 'E_VALIDATION', problems: EVERYTHING });
  });

  test('inside a transaction too, which can go on', async () => {
    await db().transaction(async () => {
      const record = Member.new(values(ALL));
      expect(await errorOf(record.save())).toMatchObject({ problems: EVERYTHING });
      await record.update(values({ age: 1, print: null, badge: 'none' }));
    });
    expect(await rowsOf('members')).toBe(2);
  });

  test('of those, only what is true is told', async () => {
    expect(await errorOf(Member.create(values({ nick: 'ann', email: 'ann@x.org' })))).toMatchObject({
      problems: [taken('email'), taken('nick', 'is worn')],
    });
    const [ann] = await Member.all();
    await ann!.update({ leftAt: new Date(), badge: 'none' });
    expect(await errorOf(Member.create(values({ nick: 'ann', locker: 1, badge: 'none' })))).toMatchObject({
      problems: [taken('nick', 'is worn')], // who has left needs no locker
    });
  });

  test('and a parent that is not there', async () => {
    const error = await errorOf(Member.create(values({ email: 'ann@x.org', nick: 'ann', team: 99n })));
    expect(error).toMatchObject({
      problems: [
        taken('email'),
        taken('nick', 'is worn'),
        { attribute: 'team', code: 'required', message: 'must exist' },
      ],
    });
  });

  test('a condition that comes to be true by the write refuses behind a savepoint like any other', async () => {
    const left = await Member.create(values({ locker: 1, leftAt: new Date() }));
    await db().transaction(async () => {
      expect(await errorOf(left.update({ leftAt: null }))).toMatchObject({ problems: [taken('locker')] });
      await left.update({ locker: 2, leftAt: null });
    });
    expect(await Member.where({ leftAt: null }).count()).toBe(2);
  });

  test('two without a value agree where the rule says so', async () => {
    await Member.create(values({ role: null }));
    const error = await errorOf(Member.create(values({ email: 'b@x.org', nick: 'b', locker: 3, role: null })));
    expect(error).toMatchObject({ problems: [taken('role')] });
    await Member.create(values({ email: 'b@x.org', nick: 'b', locker: 3, role: null, team: await Team.create({}) }));
    await Member.create(values({ email: 'c@x.org', nick: 'c', locker: null, role: 'c' }));
    await Member.create(values({ email: 'd@x.org', nick: 'd', locker: null, role: 'd' })); // nulls distinct: by default
  });

  test('where the look itself cannot be made, the first violation is told alone', async () => {
    @Table('members')
    class Odd extends Model {
      @Id() declare readonly id: bigint;
      @Column() @Unique() declare nick: string;
      @Column('integer') @Check('no_such_column > 0') declare age: number;
    }
    const [record] = await Odd.all();
    await Member.create(values({}));
    expect(await errorOf(record!.update({ nick: 'new' }))).toMatchObject({ problems: [taken('nick')] });
    await db().transaction(async () => {
      expect(await errorOf(record!.save())).toMatchObject({ problems: [taken('nick')] });
      await record!.update({ nick: 'free' });
    });
  });
});

test('a key that is given can be taken; inside a transaction that goes on', async () => {
  await Country.create({ code: 'CH' });
  await db().transaction(async () => {
    expect(await errorOf(Country.create({ code: 'CH' }))).toMatchObject({ problems: [taken('code')] });
    await Country.create({ code: 'AT' });
  });
  expect(await rowsOf('countries')).toBe(2);
});

test('a key that the database made is no input: a clash is told as what it is', async () => {
  await database().pool.query('insert into teams overriding system value values (1)');
  expect(await errorOf(Team.create({}))).toMatchObject({ code: 'E_UNIQUE_VIOLATION' });
});

describe('past the records', () => {
  test('updateAll is refused with the same error, a write of kysely with one of ours', async () => {
    const team = await Team.create({});
    const [ann, ben] = [
      await Member.create({ email: 'ann@x.org', nick: 'ann', role: 'a', team }),
      await Member.create({ email: 'ben@x.org', nick: 'ben', role: 'b', team }),
    ];
    const other = Member.where({ id: ben.id });
    expect(await errorOf(other.updateAll({ email: 'Ann@x.org' }))).toMatchObject({ problems: [taken('email')] });
    expect(await errorOf(other.updateAll({ role: 'a' }))).toMatchObject({ problems: [taken('role')] });
    expect(await errorOf(Member.everyRow().updateAll({ locker: 4 }))).toMatchObject({ problems: [taken('locker')] });
    await Member.where({ id: ann.id }).updateAll({ locker: 5 });
    await other.updateAll({ locker: 4 });
    expect(await errorOf(other.increment({ locker: 1 }))).toMatchObject({ problems: [taken('locker')] });
    const raw = db()
      .kysely<{ members: { nick: string } }>()
      .updateTable('members')
      .set({ nick: 'ann' })
      .where('nick', '=', 'ben')
      .execute();
    expect(await errorOf(raw)).toBeInstanceOf(UniqueViolationError);
  });
});

describe('deferred', () => {
  const swap = (isolation: 'read committed' | 'serializable') =>
    db().transaction({ isolation }, async () => {
      const [one, other] = await Seat.order('id');
      await one!.update({ place: other!.place });
      await other!.update({ place: 1 });
    });

  test('two rows swap their values; no savepoint is spent on what cannot be refused yet', async () => {
    await Seat.create({ place: 1 });
    await Seat.create({ place: 2 });
    sent.length = 0;
    await swap('read committed');
    await database().pool.query('update seats set place = 3 - place');
    await swap('serializable');
    expect(await Seat.order('id').pluck('place')).toEqual([2, 1]);
    expect(sent.filter((sql) => sql.startsWith('savepoint'))).toEqual([]);
  });

  test.each(['read committed', 'repeatable read', 'serializable'] as const)(
    'a violation refuses the COMMIT at %s with the same error, and everything is rolled back',
    async (isolation) => {
      await Seat.create({ place: 1 });
      const seat = Seat.new({ place: 1 });
      const outcomes: string[] = [];
      const committing = db().transaction({ isolation }, async (tx) => {
        tx.afterCommit(() => void outcomes.push('committed'));
        tx.afterRollback(() => void outcomes.push('rolled back'));
        await seat.save();
        await Country.create({ code: 'CH' });
        expect(seat.isNew).toBe(false);
      });
      const error = await errorOf(committing);
      expect(error).toMatchObject({ code: 'E_VALIDATION', problems: [taken('place')], details: { model: 'Seat' } });
      expect(error.cause).toMatchObject({ code: 'E_UNIQUE_VIOLATION' });
      expect([seat.isNew, outcomes, await rowsOf('seats'), await rowsOf('countries')]).toEqual([
        true,
        ['rolled back'],
        1,
        0,
      ]);
    },
  );

  test('a save by itself hears it too, with callbacks or without, in its errors', async () => {
    await Seat.create({ place: 1 });
    for (const seat of [Seat.new({ place: 1 }), ListeningSeat.new({ place: 1 })]) {
      expect(await errorOf(seat.save())).toMatchObject({ problems: [taken('place')] });
      expect(seat.errors.all).toEqual([taken('place')]);
    }
  });

  test('updateAll alone, and in a transaction', async () => {
    await Seat.create({ place: 1 });
    const { id } = await Seat.create({ place: 2 });
    const collide = () => Seat.where({ id }).updateAll({ place: 1 });
    expect(await errorOf(collide())).toMatchObject({ problems: [taken('place')] });
    expect(await errorOf(db().transaction(collide))).toMatchObject({ problems: [taken('place')] });
    await database().pool.query('truncate seats');
  });

  test('a deferred foreign key: the child hears that the parent must exist, the parent that it is referred to', async () => {
    const owner = await Owner.create({});
    const pet = await Pet.create({ owner });
    const orphaned = db().transaction(async () => {
      await db().kysely<{ pets: { owner_id: bigint } }>().insertInto('pets').values({ owner_id: 99n }).execute();
    });
    expect(await errorOf(orphaned)).toMatchObject({
      code: 'E_VALIDATION',
      details: { model: 'Pet' },
      problems: [{ attribute: 'owner', code: 'required', message: 'must exist' }],
    });
    const gone = db().transaction(() => Owner.where({ id: owner.id }).deleteAll());
    const expected = { code: 'E_DEPENDENT_RECORDS', details: { model: 'Owner', association: 'rows in "pets"' } };
    expect(await errorOf(gone)).toMatchObject(expected);
    expect(await errorOf(db().transaction(() => owner.destroy()))).toMatchObject(expected);
    expect(await errorOf(Owner.where({ id: owner.id }).deleteAll())).toMatchObject(expected);
    expect(owner.isDestroyed).toBe(false);
    await db().transaction(async () => {
      await owner.destroy();
      await pet.destroy();
    });
    expect(await rowsOf('owners')).toBe(0);
  });
});

test('what is declared must be possible: all of it is told at once', () => {
  @Table('wrong')
  class Wrong extends Model {
    @Id() declare readonly id: bigint;
    @Column() @Unique({ deferred: true, caseInsensitive: true }) declare one: string;
    @Column() @Unique({ deferred: true, where: 'true' }) declare two: string;
  }
  const remove = () => Wrong.new({});
  let error: unknown;
  try {
    remove();
  } catch (reason) {
    error = reason;
  }
  expect(error).toMatchObject({ code: 'E_INVALID_MODELS' });
  expect((error as ValidationError).message).toContain('Wrong.one: @Unique cannot be deferred and caseInsensitive');
  expect((error as ValidationError).message).toContain('Wrong.two: @Unique cannot be deferred and caseInsensitive');
});
