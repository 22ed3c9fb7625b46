import { BelongsTo, Check, Column, connect, HasMany, Id, Model, Table, Unique, Validates } from 'bellwether';
import type { Database, ValidationError } from 'bellwether';
import { createTestDatabase } from 'bellwether/testing';
import type { TestDatabase } from 'bellwether/testing';
import { IsEmail, IsIn } from 'class-validator';

@Table('clubs')
class Club extends Model {
  @Id() declare readonly id: bigint;
  @HasMany(() => Player) declare players: HasMany<Player>;
}
@Table('players')
class Player extends Model {
  @Id() declare readonly id: bigint;
  @Column() @IsEmail() @Unique({ caseInsensitive: true }) declare email: string;
  @Column('integer', { nullable: true }) @Unique({ scope: ['clubId', 'season'], message: 'is worn' }) declare shirt:
    number | null;
  @Column('integer', { default: 1 }) declare season: number;
  @Column('text', { nullable: true }) @Unique({ index: 'only_captain', where: 'captain' }) declare badge: string | null;
  @Column('boolean', { default: false }) declare captain: boolean;
  @Column('text', { nullable: true, name: 'licence_no' }) @Unique() declare licence: string | null;
  @Column('integer', { default: 0 }) @Check('goals >= 0') declare goals: number;
  @Column('integer', { default: 0 })
  @Check('fouls < 10', {
    constraint: 'few_fouls',
    message: 'are too many',
    holds: (player: Player) => player.fouls < 10,
  })
  declare fouls: number;
  @Column('text', { default: 'x', databaseDefault: false }) declare note: string;
  @Column('text', { nullable: true }) @IsIn(['a'], { groups: ['transfer'] }) declare league: string | null;
  @Column() declare clubId: bigint;
  @BelongsTo(() => Club) declare club: BelongsTo<Club>;
}
@Table('players')
class Careful extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare email: string;
  @Column('integer', { default: 1 }) declare season: number;
  @Column('integer', { default: 0 }) declare goals: number;
  @Column('integer', { default: 0 }) declare fouls: number;
  @Column('boolean', { default: false }) declare captain: boolean;
  @Column('text', { default: 'x' }) declare note: string;
  @Column() declare clubId: bigint;
  @Validates({ on: 'create' })
  async onlyOneOfAClub() {
    if (await Careful.where({ clubId: this.clubId }).exists()) this.errors.add('clubId', 'has one', 'full');
  }
}

let database: TestDatabase;
let db: Database;
let club: Club;
beforeAll(async () => {
  database = await createTestDatabase(`
    create table clubs (id bigint generated always as identity primary key);
    create table players (id bigint generated always as identity primary key, email text not null, shirt integer,
      season integer not null, badge text, captain boolean not null, licence_no text unique,
      goals integer not null check (goals >= 0), fouls integer not null constraint few_fouls check (fouls < 10),
      note text not null check (note <> 'secret note'), league text,
      club_id bigint not null references clubs, unique (season, shirt, club_id));
    create unique index on players (lower(email));
    create unique index only_captain on players (badge) where captain;
  `);
  db = await connect({ url: database.url });
});
beforeEach(async () => {
  await database.pool.query('truncate players, clubs');
  club = await Club.create({});
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

const player = (values: object) => Player.new({ email: 'new@x.org', club, ...values });

describe('what the database refuses looks like what a validation refuses', () => {
  const CASES: readonly [string, object, object][] = [
    [
      'a unique attribute, without regard to case',
      { email: 'ANN@x.org' },
      { attribute: 'email', code: 'taken', message: 'is taken' },
    ],
    ['a unique attribute in its scope', { shirt: 7 }, { attribute: 'shirt', code: 'taken', message: 'is worn' }],
    [
      'a unique attribute by the name of its index',
      { badge: 'C', captain: true },
      { attribute: 'badge', code: 'taken', message: 'is taken' },
    ],
    [
      'a unique attribute under another name',
      { licence: 'L' },
      { attribute: 'licence', code: 'taken', message: 'is taken' },
    ],
    ['a rule in SQL alone', { goals: -1 }, { attribute: 'goals', code: 'check', message: 'must satisfy goals >= 0' }],
    ['a rule in SQL and here', { fouls: 10 }, { attribute: 'fouls', code: 'check', message: 'are too many' }],
    ['a parent that is not there', { club: 999n }, { attribute: 'club', code: 'required', message: 'must exist' }],
  ];
  beforeEach(() => player({ email: 'ann@x.org', shirt: 7, badge: 'C', captain: true, licence: 'L' }).save());

  test.each(CASES)('%s, on create', async (_name, values, problem) => {
    const record = player(values);
    await expect(record.save()).rejects.toMatchObject({ code: 'E_VALIDATION', problems: [problem] });
    expect(record.errors.all).toEqual([problem]);
    expect([record.isNew, await Player.count()]).toEqual([true, 1]);
  });

  test.each(CASES)('%s, on update', async (_name, values, problem) => {
    const record = await player({}).save();
    await expect(record.update(values)).rejects.toMatchObject({ code: 'E_VALIDATION', problems: [problem] });
    expect(record.errors.all).toEqual([problem]);
  });

  test.each(CASES)('%s, inside a transaction, which can go on', async (_name, values, problem) => {
    await db.transaction(async () => {
      const record = player(values);
      await expect(record.save()).rejects.toMatchObject({ code: 'E_VALIDATION', problems: [problem] });
      await record.update({ email: 'b@x.org', shirt: 8, badge: null, licence: null, goals: 0, fouls: 0, club });
    });
    expect(await Player.count()).toBe(2);
  });

  test('the same values are free elsewhere: in another scope, outside of the condition, or null', async () => {
    await player({ email: 'b@x.org', shirt: 7, season: 2 }).save();
    await player({ email: 'c@x.org', shirt: 7, club: await Club.create({}) }).save();
    await player({ email: 'd@x.org', badge: 'C' }).save();
    await player({ email: 'e@x.org', licence: null }).save();
    expect(await Player.count()).toBe(5);
  });

  test('corrected, the record can be saved, and its errors are gone', async () => {
    const record = player({ licence: 'L' });
    await expect(record.save()).rejects.toMatchObject({ code: 'E_VALIDATION' });
    await record.update({ licence: 'M' });
    expect([record.isNew, record.errors.isEmpty]).toEqual([false, true]);
  });

  test('the cause is the error of the database', async () => {
    await expect(player({ licence: 'L' }).save()).rejects.toMatchObject({
      cause: { code: 'E_UNIQUE_VIOLATION', details: { constraint: 'players_licence_no_key' } },
    });
  });
});

test('writes past the validations are refused by the constraints beneath, in the same words', async () => {
  const [ann, ben] = await Promise.all(
    ['past.ann@x.org', 'past.ben@x.org'].map((email) => Player.create({ email, club })),
  );
  const refusals = [
    Player.where({ id: ben!.id }).updateAll({ email: ann!.email.toUpperCase() }),
    Player.where({ id: ben!.id }).decrement({ goals: 1 }),
  ];
  const problems = (await Promise.allSettled(refusals)).map((refusal) =>
    refusal.status === 'rejected' ? (refusal.reason as ValidationError).problems : 'done',
  );
  expect(problems).toEqual([
    [{ attribute: 'email', code: 'taken', message: 'is taken' }],
    [{ attribute: 'goals', code: 'check', message: 'must satisfy goals >= 0' }],
  ]);
});

test('a constraint that nobody declared is an error of the code; no value gets into its words', async () => {
  const error: unknown = await player({ note: 'secret note' })
    .save()
    .catch((failure: unknown) => failure);
  expect(error).toMatchObject({
    code: 'E_CHECK_VIOLATION',
    details: { table: 'players', constraint: 'players_note_check' },
  });
  expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain('secret note');
});

test('a validation may read; it does so in the transaction that saves', async () => {
  const { id } = await Careful.create({ email: 'a@x.org', clubId: club.id });
  await expect(Careful.create({ email: 'b@x.org', clubId: club.id })).rejects.toMatchObject({
    problems: [{ attribute: 'clubId', code: 'full', message: 'has one' }],
  });
  await (await Careful.find(id)).update({ goals: 1 });
});

describe('contexts', () => {
  test('a named one holds besides create or update', async () => {
    const record = await player({ league: 'b' }).save();
    await expect(record.save({ context: 'transfer' })).rejects.toMatchObject({
      problems: [{ attribute: 'league', code: 'isIn' }],
    });
    await expect(record.update({ goals: 1 }, { context: 'transfer' })).rejects.toMatchObject({ code: 'E_VALIDATION' });
    await record.update({ goals: 1 });
    expect(await record.valid({ context: 'transfer' })).toBe(false);
    expect(record.errors.toJSON()).toEqual({ league: [expect.stringContaining('one of the following values')] });
  });
});
