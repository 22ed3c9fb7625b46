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

const RIGHT = [
  `create type status as enum ('open', 'closed')`,
  `create table owners (id bigint generated always as identity primary key, email text not null, status status not null)`,
  `create unique index on owners (lower(email))`,
  `create table holdings (id bigint generated always as identity primary key, amount integer not null check (amount >= 0),
    note text, label text not null, owner_id bigint not null references owners)`,
  `create unique index on holdings (owner_id, label) where note is null`,
];

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  db = await connect({ url: database.url });
});
beforeEach(async () => {
  await database.pool.query('drop table if exists holdings, owners; drop type if exists status');
  for (const statement of RIGHT) await database.pool.query(statement);
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

test('tables as the models declare them pass, with nothing to note', async () => {
  expect([Owner.name, Holding.name]).toHaveLength(2);
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

test('a parent without a foreign key beneath is noted, not refused', async () => {
  await database.pool.query('alter table holdings drop constraint holdings_owner_id_fkey');
  await expect(db.verify()).resolves.toEqual([
    'Holding.owner: no foreign key on "owner_id" stands beneath @BelongsTo; raw SQL could break it.',
  ]);
});
