import { Column, connect, Decimal, Id, Model, Table } from 'bellwether';
import type { Database } from 'bellwether';
import { createTestDatabase } from 'bellwether/testing';
import type { TestDatabase } from 'bellwether/testing';
import fc from 'fast-check';

@Table('values')
class Value extends Model {
  @Id() declare readonly id: bigint;
  @Column('text', { nullable: true }) declare words: string | null;
  @Column('text[]', { nullable: true }) declare list: readonly string[] | null;
  @Column('jsonb', { nullable: true }) declare data: unknown;
  @Column('bigint', { nullable: true }) declare large: bigint | null;
  @Column('double precision', { nullable: true }) declare fine: number | null;
  @Column('numeric', { nullable: true }) declare exact: Decimal | null;
  @Column('numeric[]', { nullable: true }) declare exacts: readonly Decimal[] | null;
  @Column('timestamptz', { nullable: true }) declare at: Date | null;
  @Column('bytea', { nullable: true }) declare bytes: Buffer | null;
}

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase(`
    create table "values" (id bigint generated always as identity primary key, words text, list text[], data jsonb,
      large bigint, fine double precision, exact numeric, exacts numeric[], at timestamptz, bytes bytea)`);
  db = await connect({ url: database.url });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

const text = fc.string({ unit: 'binary', maxLength: 20 }); // any code point, surrogate pairs whole
const decimal = fc
  .tuple(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.integer({ min: -20, max: 20 }))
  .map(([digits, exponent]) => new Decimal(`${digits}e${exponent}`));
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false, '', 0),
    text,
    fc.integer(),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(text, tie('value'), { maxKeys: 3 }),
  ),
})).value;
const row = fc.record({
  words: fc.oneof({ weight: 1, arbitrary: fc.constantFrom(null, 'a\0b') }, { weight: 4, arbitrary: text }),
  list: fc.option(fc.array(text, { maxLength: 4 })),
  data: json,
  large: fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  fine: fc.option(fc.double()),
  exact: fc.option(decimal),
  exacts: fc.option(fc.array(decimal, { maxLength: 3 })),
  at: fc.option(fc.date({ noInvalidDate: true, min: new Date(Date.UTC(-4000, 0)), max: new Date(8.64e15) })),
  bytes: fc.option(fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes))),
});

test('every value is either refused before it is sent, or comes back as it was', async () => {
  const seen = { stored: 0, refused: 0 };
  const hasNull = (value: unknown): boolean =>
    JSON.stringify(value, (_, v: unknown) => (typeof v === 'bigint' ? 0 : v))?.includes('\\u0000') ?? false;
  await fc.assert(
    fc.asyncProperty(row, async (values) => {
      const record = Value.new(values);
      if (!(await record.valid())) {
        expect(hasNull(values)).toBe(true); // nothing else that is drawn here is refused
        seen.refused++;
        return;
      }
      expect(hasNull(values)).toBe(false);
      await record.save();
      const read = await Value.find(record.id);
      for (const [name, value] of Object.entries(values)) {
        expect((read as unknown as Record<string, unknown>)[name]).toEqual(value);
      }
      read.assign(values);
      expect(read.changes).toEqual({});
      seen.stored++;
    }),
    { numRuns: 300 },
  );
  expect(Math.min(seen.stored, seen.refused)).toBeGreaterThan(5); // the generator draws both kinds
});
