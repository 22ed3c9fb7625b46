import { BelongsTo, Check, Column, connect, Id, Model, Table, Unique } from 'bellwether';
import type { Database, SchemaMismatchError } from 'bellwether';
import { createTestDatabase } from 'bellwether/testing';
import type { TestDatabase } from 'bellwether/testing';

@Table('owners')
class Owner extends Model {
  @Id() declare readonly id: bigint;
  @Column() @Unique({ caseInsensitive: true }) declare email: string;
  @Column('enum', { values: ['open', 'closed'] }) declare status: 'open' | 'closed';
}

@Table('holdings')
class Holding extends Model {
  @Id() declare readonly id: bigint;
  @Column('integer') @Check('amount >= 0') declare amount: number;
  @Column('text', { nullable: true }) declare note: string | null;
  @Column() @Unique({ scope: 'ownerId', where: 'note is null' }) declare label: string;
  @BelongsTo(() => Owner) declare owner: BelongsTo<Owner>;
  declare ownerId: bigint;
}

@Table('places')
class Place extends Model {
  @Id() declare readonly id: bigint;
  @Column('integer', { nullable: true }) @Unique({ nulls: 'not distinct' }) declare seat: number | null;
  @Column('integer') @Unique({ deferred: true, scope: 'seat' }) declare turn: number;
}
const RIGHT = [
  `create type status as enum ('open', 'closed')`,
  `create table owners (id bigint generated always as identity primary key, email text not null, status status not null)`,
  `create unique index on owners (lower(email))`,
  `create table holdings (id bigint generated always as identity primary key, amount integer not null check (amount >= 0),
    note text, label text not null, owner_id bigint not null references owners)`,
  `create unique index on holdings (owner_id, label) where note is null`,
  `create table places (id bigint generated always as identity primary key, seat int, turn int not null,
    constraint seat_key unique nulls not distinct (seat),
    constraint turn_key unique (turn, seat) deferrable initially deferred)`,
];

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  db = await connect({ url: database.url });
});
beforeEach(async () => {
  await database.pool.query('drop table if exists holdings, owners, places; drop type if exists status');
  for (const statement of RIGHT) await database.pool.query(statement);
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

test('tables as the models declare them pass, with nothing to note', async () => {
  expect([Owner.name, Holding.name, Place.name]).toHaveLength(3);
  await expect(db.verify()).resolves.toEqual([]);
});

test.each([
  ['drop table holdings', 'Holding: the table "holdings" does not exist.'],
  ['alter table holdings drop column note cascade', 'Holding.note: the column "note" of "holdings" does not exist.'],
  [
    'alter table holdings alter amount type text using amount::text, drop constraint holdings_amount_check',
    'Holding.amount: the column "amount" of "holdings" is of type text, not int4 or int2.',
  ],
  [
    'alter table holdings alter label drop not null',
    'Holding.label: the column "label" of "holdings" may be null, but the attribute is not nullable.',
  ],
  [
    'alter table holdings alter note set not null',
    'Holding.note: the column "note" of "holdings" refuses null, but the attribute is nullable.',
  ],
  [
    'alter table owners alter id drop identity',
    'Owner.id: the column "id" of "owners" has no default, but the attribute leaves its value to the database.',
  ],
  [
    'alter table owners add born date not null',
    'Owner: the column "born" of "owners" wants a value, but the model has no such attribute.',
  ],
  [
    'drop index owners_lower_idx; create unique index on owners (email)',
    'Owner.email: @Unique has no unique index on owners (lower(email)).',
  ],
  [
    'drop index holdings_owner_id_label_idx; create unique index on holdings (owner_id, label)',
    'Holding.label: @Unique has no unique index on holdings (label, owner_id) where note is null.',
  ],
  [
    'alter table holdings drop constraint holdings_amount_check',
    'Holding.amount: @Check has no constraint "holdings_amount_check" check (amount >= 0).',
  ],
])('%s is named', async (change, problem) => {
  await database.pool.query(change);
  const error = await db.verify().then(
    () => undefined,
    (reason: SchemaMismatchError) => reason,
  );
  expect(error).toMatchObject({ code: 'E_SCHEMA_MISMATCH', recovery: 'fix-the-setup' });
  expect(error?.details.problems).toContain(problem);
});

test('all differences are named together', async () => {
  await database.pool.query('drop table holdings; alter table owners drop column status');
  await expect(db.verify()).rejects.toMatchObject({
    details: {
      problems: [
        'Owner.status: the column "status" of "owners" does not exist.',
        'Holding: the table "holdings" does not exist.',
      ],
    },
  });
});

describe('what a unique rule says more', () => {
  test.each([
    [
      'drop constraint seat_key, add constraint seat_key unique (seat)',
      `Place.seat: @Unique takes nulls as not distinct, but the index "seat_key" takes them as distinct.`,
    ],
    [
      'drop constraint seat_key, add constraint seat_key unique nulls not distinct (seat) deferrable',
      'Place.seat: the constraint "seat_key" beneath @Unique is deferrable, so a violation would not be told at once; declare deferred: true, or make it not deferrable.',
    ],
    [
      'drop constraint turn_key, add constraint turn_key unique (turn, seat)',
      'Place.turn: @Unique is deferred, but the constraint "turn_key" is not deferrable initially deferred.',
    ],
    [
      'drop constraint turn_key, add constraint turn_key unique (turn, seat) deferrable',
      'Place.turn: @Unique is deferred, but the constraint "turn_key" is not deferrable initially deferred.',
    ],
    ['drop constraint turn_key', 'Place.turn: @Unique has no unique constraint on places (turn, seat).'],
    ['drop constraint seat_key', 'Place.seat: @Unique has no unique index on places (seat) nulls not distinct.'],
  ])('%s is named', async (change, problem) => {
    await database.pool.query(`alter table places ${change}`);
    await expect(db.verify()).rejects.toMatchObject({ details: { problems: [problem] } });
  });

  test('an index that is invalid holds nothing', async () => {
    await database.pool.query(
      `update pg_index set indisvalid = false where indexrelid = 'holdings_owner_id_label_idx'::regclass`,
    );
    await expect(db.verify()).rejects.toMatchObject({
      details: {
        problems: [
          'Holding.label: the index "holdings_owner_id_label_idx" beneath @Unique is invalid; drop it and create it again.',
        ],
      },
    });
  });
});

test('a constraint that is not valid is one to be validated', async () => {
  await database.pool
    .query(`alter table holdings drop constraint holdings_amount_check, drop constraint holdings_owner_id_fkey,
    add constraint holdings_amount_check check (amount >= 0) not valid,
    add constraint holdings_owner_id_fkey foreign key (owner_id) references owners not valid`);
  await expect(db.verify()).rejects.toMatchObject({
    details: {
      problems: [
        'Holding.amount: the constraint "holdings_amount_check" beneath @Check is not valid: rows that break it may be there.',
      ],
    },
  });
  await database.pool.query('alter table holdings validate constraint holdings_amount_check');
  await expect(db.verify()).resolves.toEqual([
    'Holding.owner: the foreign key on "owner_id" beneath @BelongsTo is not valid: rows without a parent may be there.',
  ]);
});

test('a parent without a foreign key beneath is noted, not refused', async () => {
  await database.pool.query('alter table holdings drop constraint holdings_owner_id_fkey');
  await expect(db.verify()).resolves.toEqual([
    'Holding.owner: no foreign key on "owner_id" stands beneath @BelongsTo; raw SQL could break it.',
  ]);
});
