import { Column, connect, Decimal, Id, Model, Table } from 'bellwether';
import type { Database } from 'bellwether';
import { createTestDatabase } from 'bellwether/testing';
import type { TestDatabase } from 'bellwether/testing';
import { thrownBy } from '../../support/thrown';

@Table('specimens')
class Specimen extends Model {
  @Id() declare readonly id: bigint;
  @Column('smallint', { nullable: true }) declare small: number | null;
  @Column('integer', { nullable: true }) declare whole: number | null;
  @Column('bigint', { nullable: true }) declare large: bigint | null;
  @Column('real', { nullable: true }) declare coarse: number | null;
  @Column('double precision', { nullable: true }) declare fine: number | null;
  @Column('numeric', { nullable: true }) declare exact: Decimal | null;
  @Column('text', { nullable: true }) declare words: string | null;
  @Column('varchar', { nullable: true }) declare short: string | null;
  @Column('citext', { nullable: true }) declare folded: string | null;
  @Column('boolean', { nullable: true }) declare yes: boolean | null;
  @Column('uuid', { nullable: true }) declare token: string | null;
  @Column('timestamptz', { nullable: true }) declare at: Date | null;
  @Column('date', { nullable: true }) declare day: string | null;
  @Column('jsonb', { nullable: true }) declare data: unknown;
  @Column('bytea', { nullable: true }) declare bytes: Buffer | null;
  @Column('enum', { nullable: true, values: ['open', 'shut', "it's"] }) declare state: 'open' | 'shut' | "it's" | null;
  @Column('enum', { nullable: true, values: ['low', 'high'] }) declare level: 'low' | 'high' | null;
  @Column('text[]', { nullable: true }) declare tags: readonly string[] | null;
  @Column('bigint[]', { nullable: true }) declare larges: readonly bigint[] | null;
  @Column('numeric[]', { nullable: true }) declare exacts: readonly Decimal[] | null;
  @Column('boolean[]', { nullable: true }) declare yeses: readonly boolean[] | null;
  @Column('timestamptz[]', { nullable: true }) declare ats: readonly Date[] | null;
  @Column('bytea[]', { nullable: true }) declare blobs: readonly Buffer[] | null;
  @Column('jsonb[]', { nullable: true }) declare datas: readonly unknown[] | null;
  @Column('uuid[]', { nullable: true }) declare tokens: readonly string[] | null;
  @Column('enum[]', { nullable: true, values: ['open', 'shut', "it's"] }) declare states:
    readonly ('open' | 'shut' | "it's")[] | null;
}
type Name = Exclude<keyof Specimen & string, keyof Model>;

const SQL = `
  create type specimen_state as enum ('open', 'shut', 'it''s');
  create table specimens (id bigint generated always as identity primary key,
    small smallint, whole integer, large bigint, coarse real, fine double precision, exact numeric, words text,
    short varchar(5), folded text, yes boolean, token uuid, at timestamptz, day date, data jsonb, bytes bytea,
    state specimen_state, level text, tags text[], larges bigint[], exacts numeric[], yeses boolean[],
    ats timestamptz[], blobs bytea[], datas jsonb[], tokens uuid[], states specimen_state[]);
`;

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await createTestDatabase(SQL);
  db = await connect({ url: database.url });
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

const at = (year: number, ...rest: [number, number, number?, number?, number?, number?]) => {
  const date = new Date(Date.UTC(2000, ...rest));
  date.setUTCFullYear(year);
  return date;
};
const uuid = '6b1f8f5e-5d0c-4a0b-9a57-0d3c54f3a2b1';
const awkward = [
  '',
  ' ',
  'NULL',
  'null',
  'a,b',
  '{}',
  '"',
  "'",
  '\\',
  '\\"',
  '{"a"}',
  'a\nb\tc',
  '👩‍🚀é',
  '$1',
  '; drop table specimens;',
];
const nested = { a: [1, { b: null, c: [] }, 'x"\\\''], 'd.e': { f: [[], [[null]]] }, '': false, é: '👩‍🚀' };

/** What can be stored, and comes back as it was. */
const ROUND_TRIPS: readonly [Name, readonly unknown[]][] = [
  ['small', [0, 1, -1, 32767, -32768]],
  ['whole', [0, 2147483647, -2147483648]],
  ['large', [0n, -1n, 9223372036854775807n, -9223372036854775808n, 9007199254740993n]],
  ['coarse', [0, 1.5, -0.25, 3.4e38, NaN, Infinity, -Infinity]],
  ['fine', [0, 0.1, 5e-324, 1.7976931348623157e308, -1e-7, NaN, Infinity, -Infinity]],
  [
    'exact',
    ['0', '1.5', '123456789012345678901234567890', '-0.000000000000000000000000000001', '1e25'].map(
      (n) => new Decimal(n),
    ),
  ],
  ['words', [...awkward, 'x'.repeat(100_000)]],
  ['short', ['', 'abcde', '👩é']],
  ['folded', ['MiXed', 'É']],
  ['yes', [true, false]],
  ['token', [uuid, '00000000-0000-0000-0000-000000000000']],
  [
    'at',
    [
      new Date(0),
      at(2024, 1, 29, 23, 59, 59, 999),
      at(1, 0, 1),
      at(99, 11, 31, 12),
      at(0, 5, 1), // 1 BC
      at(-43, 2, 15, 10, 30, 0, 7), // 44 BC
      at(12345, 0, 1),
      new Date(8.64e15), // infinity
      new Date(-8.64e15), // -infinity
    ],
  ],
  ['day', ['2024-02-29', '0001-01-01', '9999-12-31']],
  ['data', [nested, [], {}, [null], 'text', 0, -1.5, true, false, '', [[1, [2]]]]],
  ['bytes', [Buffer.alloc(0), Buffer.from([0, 1, 255, 0x5c, 0x27])]],
  ['state', ['open', "it's"]],
  ['level', ['low', 'high']],
  ['tags', [[], awkward, ['one']]],
  ['larges', [[], [9223372036854775807n, -1n]]],
  ['exacts', [[], [new Decimal('123456789012345678901234567890.5'), new Decimal(0)]]],
  ['yeses', [[true, false]]],
  ['ats', [[new Date(0), at(-43, 2, 15), at(2024, 1, 29, 1, 2, 3, 4)]]],
  ['blobs', [[Buffer.from([0, 255]), Buffer.alloc(0)]]],
  ['datas', [[nested, 'a,b', 1, [1, 2], {}]]],
  ['tokens', [[uuid]]],
  ['states', [['open', "it's"], []]],
];

describe('what is stored comes back', () => {
  test.each(ROUND_TRIPS.flatMap(([name, values]) => values.map((value, index) => ({ name, index, value }))))(
    '$name, value $index',
    async ({ name, value }) => {
      const made = await Specimen.create({ [name]: value });
      expect(made[name]).toEqual(value);
      expect(made.isChanged).toBe(false);
      const read = await Specimen.find(made.id);
      expect(read[name]).toEqual(value);
      Object.assign(read, { [name]: value });
      expect(read.isChanged).toBe(false); // the same value is no change
    },
  );

  test.each(ROUND_TRIPS.map(([name]) => name))('%s may be null where it is declared so', async (name) => {
    const made = await Specimen.create({ [name]: null });
    expect((await Specimen.find(made.id))[name]).toBeNull();
    expect(Specimen.new()[name]).toBeNull();
  });

  const comparable = ROUND_TRIPS.flatMap(([name, values]) => values.slice(0, 3).map((value) => ({ name, value })));
  test.each(comparable)('$name is found by its value', async ({ name, value }) => {
    const { id } = await Specimen.create({ [name]: value });
    expect(
      await Specimen.where({ id })
        .where(name, '=', value as never)
        .exists(),
    ).toBe(true);
    expect(
      await Specimen.where({ id })
        .where(name, '!=', value as never)
        .exists(),
    ).toBe(false);
    const [plucked] = await Specimen.where({ id }).pluck(name);
    expect(plucked).toEqual(value);
  });

  const listable = comparable.filter(
    ({ name }) => !/s$/.test(name) || name === 'words' || name === 'yes' || name === 'bytes',
  );
  test.each(listable)('$name is found in a list', async ({ name, value }) => {
    const { id } = await Specimen.create({ [name]: value });
    expect(
      await Specimen.where({ id })
        .where(name, 'in', [value] as never)
        .exists(),
    ).toBe(true);
    expect(
      await Specimen.where({ id })
        .where(name, 'not in', [value] as never)
        .exists(),
    ).toBe(false);
  });
});

describe('what cannot be stored is refused before it is sent', () => {
  const REFUSED: readonly [Name, unknown, string][] = [
    ['small', 32768, 'is out of range'],
    ['small', 1.5, 'must be a whole number'],
    ['whole', 2147483648, 'is out of range'],
    ['whole', '1', 'must be a whole number'],
    ['whole', NaN, 'must be a whole number'],
    ['large', 1, 'must be a bigint'],
    ['large', '1', 'must be a bigint'],
    ['large', 9223372036854775808n, 'is out of range'],
    ['coarse', '1', 'must be a number'],
    ['coarse', 1e300, 'is out of range'],
    ['coarse', 1e-300, 'is out of range'],
    ['fine', 1n, 'must be a number'],
    ['exact', 1, 'must be a Decimal'],
    ['exact', '1', 'must be a Decimal'],
    ['words', 1, 'must be text'],
    ['words', 'a\0b', 'must not contain a null character'],
    ['words', 'a\ud800b', 'must be well-formed Unicode'],
    ['folded', '\0', 'must not contain a null character'],
    ['yes', 'true', 'must be true or false'],
    ['yes', 1, 'must be true or false'],
    ['token', 'nonsense', 'must be a UUID'],
    ['at', '2024-01-01', 'must be a valid date'],
    ['at', new Date(NaN), 'must be a valid date'],
    ['at', new Date(-8.6e15), 'is out of range'],
    ['day', '2024-02-30', 'must be a day as YYYY-MM-DD'],
    ['day', '0000-01-01', 'must be a day as YYYY-MM-DD'],
    ['day', '2024-1-1', 'must be a day as YYYY-MM-DD'],
    ['day', new Date(0), 'must be a day as YYYY-MM-DD'],
    ['data', { n: 1n }, 'must be a JSON value: Do not know how to serialize a BigInt'],
    ['data', () => 1, 'must be a JSON value'],
    ['data', { f: () => 1 }, 'must be a JSON value: it holds a function'],
    ['data', { n: [NaN] }, 'must be a JSON value: it holds NaN'],
    ['data', { a: ['\0'] }, 'must be a JSON value: its text must not contain a null character'],
    ['data', { ['\0']: 1 }, 'must be a JSON value: its text must not contain a null character'],
    ['data', '\udc00', 'must be a JSON value: its text must be well-formed Unicode'],
    ['bytes', 'abc', 'must be a Buffer'],
    ['state', 'ajar', "must be one of open, shut, it's"],
    ['level', 'LOW', 'must be one of low, high'],
    ['tags', 'a', 'must be an array'],
    ['tags', ['a', 1], 'has an element that must be text'],
    ['tags', ['a', null], 'has an element that must be text'],
    ['larges', [1], 'has an element that must be a bigint'],
    ['states', ['ajar'], "has an element that must be one of open, shut, it's"],
  ];

  test.each(REFUSED)('%s %p', async (name, value, message) => {
    const record = Specimen.new({ [name]: value });
    expect(await record.valid()).toBe(false);
    expect(record.errors.all).toEqual([{ attribute: name, code: 'type', message }]);
    await expect(record.save()).rejects.toMatchObject({ code: 'E_VALIDATION' });
    if (Array.isArray(value)) return;
    expect(thrownBy(() => Specimen.where(name, '=', value as never).toSQL())).toMatchObject({
      code: 'E_INVALID_OPERAND',
      details: { model: 'Specimen', attribute: name },
    });
  });

  test('a value that refers to itself is no JSON', async () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    const record = Specimen.new({ data: circle });
    expect(await record.valid()).toBe(false);
    expect(record.errors.on('data')[0]).toMatch(/^must be a JSON value: .*circular/);
  });

  test('what only the database knows of a column is an error of ours, without the value in its message', async () => {
    const failure = await Specimen.create({ short: 'secret' }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'E_INVALID_VALUE', details: { sqlState: '22001' } });
    expect(String(failure)).not.toContain('secret');
  });
});

describe('what others have written is read', () => {
  const insert = async (columns: string, values: string) => {
    const { rows } = await database.pool.query<{ id: string }>(
      `insert into specimens (${columns}) values (${values}) returning id`,
    );
    return Specimen.find(BigInt(rows[0]!.id));
  };

  test.each([
    ['at', "'infinity'", new Date(8.64e15)],
    ['at', "'-infinity'", new Date(-8.64e15)],
    ['at', "'2024-01-01 12:00:00.123456+05:30'", new Date('2024-01-01T06:30:00.123Z')],
    ['at', "'0044-03-15 00:00:00+00 BC'", at(-43, 2, 15)],
    ['day', "'infinity'", 'infinity'],
    ['tags', "array['a', null, 'NULL']", ['a', null, 'NULL']],
    ['larges', "'{1,null}'", [1n, null]],
    ['data', "'null'", null],
  ] as const)('%s = %s', async (name, literal, expected) => {
    expect((await insert(name, literal))[name]).toEqual(expected);
  });

  test.each(["'NaN'", "'Infinity'"])('a numeric that no Decimal can be: %s', async (literal) => {
    await expect(insert('exact', literal)).rejects.toMatchObject({ code: 'E_UNREADABLE_VALUE' });
  });
});

describe('values that are objects', () => {
  test('JSON and arrays are frozen, in depth, when they are assigned and when they are read', async () => {
    const data = { list: [{ n: 1 }] };
    const record = await Specimen.create({ data, tags: ['a'], datas: [{ a: [1] }] });
    const read = await Specimen.find(record.id);
    for (const { data: held, tags, datas } of [record, read]) {
      expect(() => (held as typeof data).list.push({ n: 2 })).toThrow(TypeError);
      expect(() => ((held as typeof data).list[0]!.n = 2)).toThrow(TypeError);
      expect(() => (tags as string[]).push('b')).toThrow(TypeError);
      expect(() => (datas as { a: number[] }[])[0]!.a.push(2)).toThrow(TypeError);
    }
    data.list.push({ n: 3 }); // what was given stays the giver's
    expect(record.data).toEqual({ list: [{ n: 1 }] });
  });

  test('null inside JSON is not null itself', async () => {
    const { id } = await Specimen.create({ data: [null] });
    expect(await Specimen.where({ id, data: null }).exists()).toBe(false);
    expect((await Specimen.find(id)).data).toEqual([null]);
  });

  test('what JSON leaves out is no change', async () => {
    const record = await Specimen.create({ data: { a: 1, b: undefined } });
    record.data = { a: 1, b: undefined };
    expect(record.isChanged).toBe(false);
  });
});
