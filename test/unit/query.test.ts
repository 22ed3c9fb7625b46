import { BelongsTo, Column, Decimal, HasMany, Id, Model, Table, Virtual } from 'bellwether';
import type { Operator } from 'bellwether';
import { thrownBy } from '../support/thrown';

@Table('publishers')
class Publisher extends Model {
  @Id() declare readonly id: bigint;
  @HasMany(() => Book) declare books: HasMany<Book>;
}
@Table('books')
class Book extends Model {
  @Id() declare readonly id: bigint;
  @Column({ name: 'book_title' }) declare title: string;
  @Column('citext') declare isbn: string;
  @Column() declare pages: number;
  @Column('numeric', { nullable: true }) declare price: Decimal | null;
  @Column('text[]') declare tags: readonly string[];
  @Column('jsonb') declare data: unknown;
  @Virtual() declare draft: boolean;
  @BelongsTo(() => Publisher) declare publisher: BelongsTo<Publisher>;
}
@Table('readers')
class Reader extends Model {
  @Id() declare readonly id: bigint;
}

/** The part of the statement after WHERE. */
const condition = (query: { toSQL(): { sql: string; parameters: readonly unknown[] } }) => {
  const { sql, parameters } = query.toSQL();
  return [/ where (.*)$/s.exec(sql)?.[1], ...parameters];
};

describe('conditions in SQL', () => {
  test.each([
    ['equality', Book.where({ title: 'x' }), '("book_title" = $1)', 'x'],
    ['null', Book.where({ price: null }), '("price" is null)'],
    ['= null', Book.where('price', '=', null), '("price" is null)'],
    ['is null', Book.where('price', 'is', null), '("price" is null)'],
    ['is not null', Book.where('price', 'is not', null), '("price" is not null)'],
    ['!= null', Book.where('price', '!=', null), '("price" is not null)'],
    ['a list', Book.where({ pages: [1, 2] }), '("pages" = any($1))', [1, 2]],
    ['an empty list', Book.where({ pages: [] }), '("pages" = any($1))', []],
    ['not in', Book.where('pages', 'not in', [1]), '("pages" <> all($1))', [1]],
    ['a list attribute', Book.where({ tags: ['a'] }), '("tags" = $1)', ['a']],
    ['lists for a list attribute', Book.where({ tags: [['a'], []] }), '(("tags" = $1) or ("tags" = $2))', ['a'], []],
    ['JSON that is a list', Book.where('data', '=', [1]), '("data" = $1)', '[1]'],
    ['like', Book.where('title', 'like', 'a%'), '("book_title" like $1)', 'a%'],
    ['folded', Book.where({ isbn: 'X' }), '(lower("isbn") = lower($1))', 'X'],
    [
      'folded list',
      Book.where({ isbn: ['X', 'y'] }),
      '(lower("isbn") in (select lower(item) from unnest($1::text[]) as item))',
      ['X', 'y'],
    ],
    ['two', Book.where({ title: 'x', pages: 1 }), '(("book_title" = $1) and ("pages" = $2))', 'x', 1],
    [
      'one after the other',
      Book.where({ title: 'x' }).where('pages', '>', 1),
      '(("book_title" = $1) and ("pages" > $2))',
      'x',
      1,
    ],
    ['a decimal', Book.where('price', '>=', new Decimal('1.10')), '("price" >= $1)', '1.1'],
    ['a parent by key', Book.where({ publisher: 7n }), '("publisher_id" = $1)', 7n],
    ['parents by keys', Book.where({ publisher: [7n, 8n] }), '("publisher_id" = any($1))', [7n, 8n]],
    ['not', Book.where((is) => is.not(is('pages', '=', 1))), 'not ("pages" = $1)', 1],
    [
      'nested',
      Book.where((is) =>
        is.or([is({ title: 'x', pages: 1 }), is.and([is('pages', '>', 2), is.not(is({ price: null }))])]),
      ),
      '((("book_title" = $1) and ("pages" = $2)) or (("pages" > $3) and not ("price" is null)))',
      'x',
      1,
      2,
    ],
    ['or of nothing', Book.where((is) => is.or([])), 'false'],
    ['nothing', Book.where({}), undefined],
    ['and of nothing', Book.where((is) => is.and([])), undefined],
  ])('%s', (_name, query, ...expected) => {
    expect(condition(query)).toEqual(expected);
  });

  test.each([
    [Book.lock(), 'for update'],
    [Book.lock('for no key update'), 'for no key update'],
    [Book.lock('for share', 'nowait'), 'for share nowait'],
    [Book.lock('for key share', 'skip locked'), 'for key share skip locked'],
    [
      Book.order('title').order('id', 'desc').limit(2).offset(3),
      'order by "book_title" asc, "id" desc limit $1 offset $2',
    ],
  ])('%# ends in %s', (query, ending) => {
    expect(query.toSQL().sql.endsWith(` from "books" ${ending}`)).toBe(true);
  });
});

describe('a query is a value', () => {
  test('refining it twice makes two, and leaves it as it was', () => {
    const all = Book.where({ pages: 1 });
    const before = all.toSQL();
    const left = all.where({ title: 'x' }).order('id');
    const right = all.limit(1).lock();
    expect(all.toSQL()).toEqual(before);
    expect(condition(left)[0]).toBe('(("pages" = $1) and ("book_title" = $2)) order by "id" asc');
    expect(condition(right)[0]).toBe('("pages" = $1) limit $2 for update');
  });
});

const INJECTION = 'id"; drop table books; --';

/** What the compiler would refuse, as it comes from untyped code. */
const REFUSED: readonly [string, () => unknown, string, RegExp][] = [
  ['unknown name', () => Book.where({ nonsense: 1 } as never), 'E_INVALID_QUERY', /Book has no column for "nonsense"/],
  ['virtual name', () => Book.where({ draft: true }), 'E_INVALID_QUERY', /it is a @Virtual attribute/],
  ['name as SQL', () => Book.where(INJECTION as never, '=', 1 as never), 'E_INVALID_QUERY', /has no column/],
  ['key as SQL', () => Book.where({ [INJECTION]: 1 } as never), 'E_INVALID_QUERY', /has no column/],
  ['order by SQL', () => Book.order(INJECTION as never), 'E_INVALID_QUERY', /has no column/],
  ['direction', () => Book.order('id', 'asc; drop table books' as never), 'E_INVALID_QUERY', /is no direction/],
  ['operator', () => Book.where('id', '= 1 or 1 =' as Operator, 1n as never), 'E_INVALID_QUERY', /is no operator/],
  ['no operator', () => Book.where('id' as never), 'E_INVALID_QUERY', /"undefined" is no operator/],
  ['lock', () => Book.lock('for update; drop table books' as never), 'E_INVALID_QUERY', /is no lock/],
  ['wait', () => Book.lock('for update', 'nowait; drop' as never), 'E_INVALID_QUERY', /is no lock/],
  [
    'association',
    () => Book.include('shelf' as never),
    'E_INVALID_QUERY',
    /Book has no association "shelf".*publisher/s,
  ],
  ['no associations', () => Reader.include('book' as never), 'E_INVALID_QUERY', /It has none at all/],
  ['has-many condition', () => Publisher.where({ books: 1 } as never), 'E_INVALID_QUERY', /has no column for "books"/],
  ['undefined', () => Book.where({ title: undefined as never }), 'E_INVALID_QUERY', /title has the value undefined/],
  [
    'undefined parent',
    () => Book.where({ publisher: undefined as never }),
    'E_INVALID_QUERY',
    /publisherId has the value/,
  ],
  [
    'undefined in a list',
    () => Book.where({ pages: [undefined as never] }),
    'E_INVALID_OPERAND',
    /must be a whole number/,
  ],
  [
    'null in a list',
    () => Book.where({ pages: [null as never] }),
    'E_INVALID_OPERAND',
    /cannot be compared so with null/,
  ],
  [
    'null with <',
    () => Book.where('price', '<', null as never),
    'E_INVALID_OPERAND',
    /cannot be compared so with null/,
  ],
  [
    'null with like',
    () => Book.where('title', 'like', null as never),
    'E_INVALID_OPERAND',
    /cannot be compared so with/,
  ],
  ['is with a value', () => Book.where('pages', 'is', 1 as never), 'E_INVALID_QUERY', /compares with null only/],
  ['in without a list', () => Book.where('pages', 'in', 1 as never), 'E_INVALID_QUERY', /needs a list for pages/],
  ['in for a list', () => Book.where('tags', 'in', [['a']] as never), 'E_INVALID_QUERY', /Combine = with or/],
  ['like for a number', () => Book.where('pages', 'like', '1%' as never), 'E_INVALID_QUERY', /pages is integer/],
  ['null character', () => Book.where('title', 'like', '\0'), 'E_INVALID_OPERAND', /null character/],
  ['text for a key', () => Book.where({ id: '1' as never }), 'E_INVALID_OPERAND', /Book.id must be a bigint/],
  ['number for a key', () => Book.where({ id: 1 as never }), 'E_INVALID_OPERAND', /Book.id must be a bigint/],
  ['object for a text', () => Book.where({ title: { $ne: '' } as never }), 'E_INVALID_OPERAND', /title must be text/],
  ['text for a number', () => Book.where('pages', '>', '1' as never), 'E_INVALID_OPERAND', /must be a whole number/],
  [
    'text for a parent',
    () => Book.where({ publisher: '7' as never }),
    'E_INVALID_OPERAND',
    /publisherId must be a bigint/,
  ],
  ['unsaved parent', () => Book.where({ publisher: Publisher.new() }), 'E_INVALID_QUERY', /has not been saved/],
  [
    'another model',
    () => Book.where({ publisher: Reader.new() as never }),
    'E_INVALID_QUERY',
    /names a Reader where a Publisher/,
  ],
  ['no conditions', () => Book.where(undefined as never), 'E_INVALID_QUERY', /a value of type undefined/],
  ['null for conditions', () => Book.where(null as never), 'E_INVALID_QUERY', /was given null/],
  ['limit', () => Book.limit(-1), 'E_INVALID_QUERY', /limit is a whole number/],
  ['limit as text', () => Book.limit('1; drop table books' as never), 'E_INVALID_QUERY', /limit is a whole number/],
  ['huge limit', () => Book.limit(1e21), 'E_INVALID_QUERY', /limit is a whole number/],
  ['offset', () => Book.query().offset(1.5), 'E_INVALID_QUERY', /offset is a whole number/],
];

test.each(REFUSED)('refused: %s', (_name, make, code, message) => {
  const run = () => (make() as { toSQL(): unknown }).toSQL();
  expect(thrownBy(run)).toMatchObject({ code, message: expect.stringMatching(message) });
});

test('values are never part of the text, nor of an error', () => {
  const secret = "x' or '1'='1";
  expect(Book.where({ title: secret, isbn: [secret], data: { secret } }).toSQL().sql).not.toContain("'1'");
  expect(String(thrownBy(() => Book.where({ pages: secret as never }).toSQL()))).not.toContain(secret);
});
