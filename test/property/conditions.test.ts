import { Column, connect, Id, Model, Table } from 'bellwether';
import type { Condition, ConditionBuilder, Database } from 'bellwether';
import { createTestDatabase } from 'bellwether/testing';
import type { TestDatabase } from 'bellwether/testing';
import fc from 'fast-check';

@Table('things')
class Thing extends Model {
  @Id() declare readonly id: bigint;
  @Column('integer', { nullable: true }) declare a: number | null;
  @Column('text', { nullable: true }) declare b: string | null;
}

const NUMBERS = [null, 0, 1, 2];
const TEXTS = [null, '', 'x', 'X'];
const ROWS = NUMBERS.flatMap((a) => TEXTS.map((b) => ({ a, b })));

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase(
    'create table things (id bigint generated always as identity primary key, a integer, b text)',
  );
  db = await connect({ url: database.url });
  await db.transaction(async () => {
    for (const row of ROWS) await Thing.create(row);
  });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

type Row = (typeof ROWS)[number];
type Truth = boolean | null;
/** A condition as it is built, and what SQL's logic of three values says of a row. */
interface Case {
  readonly build: (is: ConditionBuilder<Thing>) => Condition;
  readonly holds: (row: Row) => Truth;
}

const compared = (left: unknown, right: unknown, test: (l: never, r: never) => boolean): Truth =>
  left === null || right === null ? null : test(left as never, right as never);
const COMPARISONS: Record<'=' | '!=' | '<' | '<=' | '>' | '>=', (l: never, r: never) => boolean> = {
  '=': (l, r) => l === r,
  '!=': (l, r) => l !== r,
  '<': (l, r) => l < r,
  '<=': (l, r) => l <= r,
  '>': (l, r) => l > r,
  '>=': (l, r) => l >= r,
};

const comparison = fc
  .tuple(fc.constantFrom('=', '!=', '<', '<=', '>', '>='), fc.constantFrom(0, 1, 2))
  .map(([operator, value]): Case => {
    const name = operator;
    return {
      build: (is) => is('a', name, value),
      holds: ({ a }) => compared(a, value, COMPARISONS[name]),
    };
  });
const list = fc.tuple(fc.boolean(), fc.subarray(['', 'x', 'X'])).map(([isIn, values]): Case => ({
  build: (is) => is('b', isIn ? 'in' : 'not in', values),
  // Nothing is in an empty list, not even what is unknown.
  holds: ({ b }) => (values.length === 0 ? !isIn : b === null ? null : values.includes(b) === isIn),
}));
const nullness = fc.boolean().map((isNull): Case => ({
  build: (is) => (isNull ? is({ b: null }) : is('b', 'is not', null)),
  holds: ({ b }) => (b === null) === isNull,
}));
const both = fc.tuple(fc.constantFrom(0, 1), fc.constantFrom('x', null)).map(([a, b]): Case => ({
  build: (is) => is({ a, b }),
  holds: (row) =>
    and([compared(row.a, a, (l, r) => l === r), b === null ? row.b === null : compared(row.b, b, (l, r) => l === r)]),
}));

const and = (truths: readonly Truth[]): Truth => (truths.includes(false) ? false : truths.includes(null) ? null : true);
const or = (truths: readonly Truth[]): Truth => (truths.includes(true) ? true : truths.includes(null) ? null : false);
const not = (truth: Truth): Truth => (truth === null ? null : !truth);

const tree = fc.letrec<{ condition: Case }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    comparison,
    list,
    nullness,
    both,
    fc.tuple(fc.boolean(), fc.array(tie('condition'), { maxLength: 3 })).map(([isAnd, parts]): Case => ({
      build: (is) => is[isAnd ? 'and' : 'or'](parts.map((part) => part.build(is))),
      holds: (row) => (isAnd ? and : or)(parts.map((part) => part.holds(row))),
    })),
    tie('condition').map((part): Case => ({
      build: (is) => is.not(part.build(is)),
      holds: (row) => not(part.holds(row)),
    })),
  ),
})).condition;

test('a condition finds the rows of which it is true by the logic of three values', async () => {
  const seen = { some: 0, none: 0, all: 0 };
  await fc.assert(
    fc.asyncProperty(tree, async ({ build, holds }) => {
      const found = await Thing.where(build).order('id').pluck('a', 'b');
      const expected = ROWS.filter((row) => holds(row) === true).map(({ a, b }) => [a, b]);
      expect(found).toEqual(expected);
      seen[found.length === 0 ? 'none' : found.length === ROWS.length ? 'all' : 'some']++;
    }),
    { numRuns: 400 },
  );
  expect(Math.min(seen.some, seen.none, seen.all)).toBeGreaterThan(10); // the generator draws every kind
});
