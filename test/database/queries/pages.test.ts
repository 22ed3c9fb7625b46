import { BelongsTo, Column, HasMany, Id, Model, sql, Table } from 'bellwether';
import type { Page, Query } from 'bellwether';
import { countRoundTrips } from 'bellwether/testing';
import { errorOf, setUp } from '../transaction/support';

@Table('authors')
class Author extends Model {
  @Id('integer') declare readonly id: number;
  @Column() declare name: string;
  @HasMany(() => Post) declare posts: HasMany<Post>;
}

@Table('posts')
class Post extends Model {
  @Id('integer') declare readonly id: number;
  @BelongsTo(() => Author) declare author: BelongsTo<Author>;
  @Column('timestamptz') declare at: Date;
  @Column('integer') declare score: number;
  @Column('timestamptz', { nullable: true }) declare editedAt: Date | null;
}

const { database, db, open } = setUp(`
  create table authors (id int primary key, name text not null);
  create table posts (id int primary key, author_id int not null references authors, at timestamptz not null, score int not null, edited_at timestamptz);
  create index on posts (at, id);
  insert into authors select i, 'author ' || i from generate_series(1, 5) i;`);

// Three posts a microsecond: a Date cannot tell them apart.
beforeEach(() =>
  database().pool.query(`truncate posts;
    insert into posts select i, 1 + i % 5, timestamptz '2026-01-01' + (i / 3) * interval '1 microsecond', i % 4
      from generate_series(1, 100) i; analyze posts`),
);

/** All pages of a query, one after the other. */
async function pagesOf(query: Query<Post>, size: number, between?: (page: number) => Promise<unknown>) {
  const pages: Page<Post>[] = [];
  for (let after: string | undefined; pages.length === 0 || after !== undefined; after = pages.at(-1)!.next) {
    pages.push(await query.page({ size, after }));
    await between?.(pages.length);
  }
  return pages;
}
const idsOf = (pages: readonly Page<Post>[]) => pages.flatMap(({ records }) => records.map(({ id }) => id));

describe('pages', () => {
  test.each<[order: string, query: () => Query<Post>, sql: string]>([
    ['the primary key', () => Post.query(), 'id'],
    ['the primary key, backwards', () => Post.order('id', 'desc'), 'id desc'],
    ['a time with ties', () => Post.order('at'), 'at, id'],
    ['a time with ties, newest first', () => Post.order('at', 'desc'), 'at desc, id desc'],
    ['both ways', () => Post.order('score', 'desc').order('at'), 'score desc, at, id'],
    ['both ways, three times', () => Post.order('score').order('at', 'desc').order('id'), 'score, at desc, id'],
    ['with conditions', () => Post.where('score', '>', 1).order('score'), 'score, id'],
  ])('by %s: all records, each once, in order, for any size', async (_order, query, order) => {
    const where = query().toSQL().parameters.length > 0 ? 'where score > 1' : '';
    const { rows } = await database().pool.query<{ id: number }>(`select id from posts ${where} order by ${order}`);
    const wanted = rows.map(({ id }) => id);
    for (const size of [1, 7, wanted.length - 1, wanted.length, 1_000]) {
      const pages = await pagesOf(query(), size);
      expect(idsOf(pages)).toEqual(wanted);
      expect(pages).toHaveLength(Math.ceil(wanted.length / size));
    }
  });

  test('of nothing: one, and no next', async () => {
    expect(await Post.where({ score: 99 }).page({ size: 3 })).toEqual({ records: [], next: undefined });
  });

  test('skip nothing and tell nothing twice while rows come and go', async () => {
    let next = 1_000;
    const pages = await pagesOf(Post.order('at'), 10, async (page) => {
      await database().pool.query('delete from posts where id = $1', [page]); // told already
      await database().pool.query(`insert into posts values ($1, 1, '2025-01-01', 0)`, [(next += 1)]); // before the cursor
    });
    expect(idsOf(pages)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
  });

  test('with includes: typed, one query a level; a page itself is one round trip', async () => {
    const counter = await countRoundTrips(database().url);
    const far = await open({ url: counter.url, poolSize: 1 });
    await far.use(async () => {
      const first = await Post.order('at').page({ size: 10 });
      const trips = await counter.count(() => Post.order('at').page({ size: 10, after: first.next }));
      expect(trips).toBe(1);
      const { records } = await Post.order('at').include('author').page({ size: 10, after: first.next });
      expect(records[0]!.author.value.name).toBe('author 2');
      expect(await counter.count(() => Post.order('at').include('author').page({ size: 10 }))).toBe(2);
    });
    await far.close();
    await counter.close();
  });

  test('deep ones are ranges of the index', async () => {
    const { next } = await Post.order('at', 'desc').page({ size: 90 });
    const sent: string[] = [];
    const off = db().on('statement:end', ({ sql: text }) => sent.push(text));
    await Post.order('at', 'desc').page({ size: 5, after: next });
    off();
    const plan = await db().transaction(async () => {
      await sql`set local enable_seqscan = off`.execute(db().kysely());
      const text = sent[0]!.replace('$1', `'2026-01-01'`).replace('$2', '3').replace('$3', '6');
      return (await sql<{ 'QUERY PLAN': string }>`explain ${sql.raw(text)}`.execute(db().kysely())).rows;
    });
    const lines = plan.map((row) => row['QUERY PLAN']).join('\n');
    expect(lines).toMatch(/Index Scan Backward using posts_at_id_idx/);
    expect(lines).toMatch(/Index Cond: \(ROW\(at, id\) < ROW/);
    expect(lines).not.toMatch(/Sort|Filter/);
  });
});

describe('a page is refused', () => {
  const cursor = (...parts: unknown[]) => Buffer.from(JSON.stringify(parts)).toString('base64url');
  test.each([
    ['nothing', ''],
    ['no JSON', 'AAAA'],
    ['no list', Buffer.from('{}').toString('base64url')],
    ['another order', cursor('Post,at asc,id asc', '2026-01-01', '1')],
    ['another model', cursor('Author,id asc', '1')],
    ['too little', cursor('Post,id asc')],
    ['too much', cursor('Post,id asc', '1', '2')],
    ['a number instead of its text', cursor('Post,id asc', 1)],
    ['null', cursor('Post,id asc', null)],
    ['what is no key', cursor('Post,id asc', 'x')],
    ['what is too large for a key', cursor('Post,id asc', '99999999999')],
    ['SQL', cursor('Post,id asc', `1'; drop table posts; --`)],
  ])('after %s', async (_what, after) => {
    const error = await errorOf(Post.query().page({ size: 3, after }));
    expect(error.code).toBe('E_INVALID_CURSOR');
    expect(error.recovery).toBe('fix-the-input');
  });

  test.each<[string, () => Promise<unknown>, RegExp]>([
    ['of no size', () => Post.query().page({ size: 0 }), /size from 1/],
    ['of half a record', () => Post.query().page({ size: 1.5 }), /size from 1/],
    ['with another limit', () => Post.limit(3).page({ size: 1 }), /no other limit/],
    ['with an offset', () => Post.query().offset(3).page({ size: 1 }), /no other limit/],
    ['in an order with nulls', () => Post.order('editedAt').page({ size: 1 }), /behind a null, which editedAt may be/],
  ])('%s', async (_what, run, message) => {
    const error = await errorOf(run());
    expect(error.code).toBe('E_INVALID_QUERY');
    expect(error.message).toMatch(message);
  });
});
