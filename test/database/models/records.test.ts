import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { BeforeSave, Column, connect, CreatedAt, Decimal, Id, Model, Table, UpdatedAt, Virtual } from 'bellwether';
import type { Database } from 'bellwether';
import { createTestDatabase } from 'bellwether/testing';
import type { TestDatabase } from 'bellwether/testing';
import { IsNotEmpty } from 'class-validator';
import { thrownBy } from '../../support/thrown';

@Table('articles')
class Article extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare title: string;
  @Column('text', { name: 'text_of_it', nullable: true }) declare body: string | null;
  @Column('integer', { default: 0 }) declare votes: number;
  @Column('text', { default: () => `made-${++made}` }) declare slug: string;
  @Column('text', { databaseDefault: true }) declare status: string;
  @Column('jsonb', { default: { tags: [] } }) declare settings: { tags: string[] };
  @Column('integer', { generated: true }) declare readonly twice: number;
  @Column('numeric', { nullable: true }) declare price: Decimal | null;
  @Column('bigint[]', { nullable: true }) declare marks: readonly bigint[] | null;
  @Virtual() declare draft: string;
  @CreatedAt() declare createdAt: Date;
  @UpdatedAt({ name: 'changed_at' }) declare updatedAt: Date;
}
let made = 0;

/** Runs `body` at a time that differs from `from` even when everything here takes less than a millisecond. */
async function later<T>(from: Date, body: () => Promise<T>): Promise<T> {
  jest.useFakeTimers({ now: from.getTime() + 5_000, doNotFake: ['nextTick', 'setImmediate', 'setTimeout'] });
  try {
    return await body();
  } finally {
    jest.useRealTimers();
  }
}

@Table('tokens')
class Token extends Model {
  @Id('uuid', { default: randomUUID }) declare readonly id: string;
  @Column() declare note: string;
}

abstract class Base extends Model {
  @Id() declare readonly id: bigint;
  @Column() @IsNotEmpty() declare name: string;
  @CreatedAt() declare createdAt: Date;
  @BeforeSave()
  trim() {
    this.name = this.name.trim();
  }
}
@Table('cats')
class Cat extends Base {
  @Column('integer', { default: 9 }) declare lives: number;
}
@Table('dogs')
class Dog extends Base {
  readonly #barks: string[] = [];
  tricks = 0;
  constructor(name = 'Nobody') {
    super();
    this.name = name;
  }
  bark() {
    this.#barks.push('woof');
    return this.#barks.length;
  }
}

let database: TestDatabase;
let db: Database;
let statements: string[] = [];
beforeAll(async () => {
  database = await createTestDatabase(`
    create table articles (id bigint generated always as identity primary key, title text not null, text_of_it text,
      votes integer not null, slug text not null, status text not null default 'draft', settings jsonb not null,
      twice integer generated always as (votes * 2) stored, price numeric, marks bigint[],
      created_at timestamptz not null, changed_at timestamptz not null);
    create table tokens (id uuid primary key, note text not null);
    create table cats (id bigint generated always as identity primary key, name text not null,
      created_at timestamptz not null, lives integer not null);
    create table dogs (id bigint generated always as identity primary key, name text not null,
      created_at timestamptz not null);
  `);
  db = await connect({ url: database.url });
  db.on('statement:end', ({ sql }) => statements.push(sql));
});
beforeEach(() => {
  statements = [];
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

describe('a new record', () => {
  test('has its defaults: a value, the result of a function, and nothing where the database fills in', () => {
    const [first, second] = [Article.new(), Article.new()];
    expect(first.votes).toBe(0);
    expect(first.slug).not.toBe(second.slug);
    expect(first.status).toBeUndefined();
    expect(first.body).toBeNull();
    expect([first.isNew, first.isDestroyed]).toEqual([true, false]);
  });

  test('does not share a default object with others', () => {
    expect(() => Article.new().settings.tags.push('x')).toThrow(TypeError);
    expect(Article.new().settings).toEqual({ tags: [] });
  });

  test('gets from the database what it was not given', async () => {
    const article = await Article.create({ title: 'A', votes: 4 });
    expect(article).toMatchObject({ status: 'draft', twice: 8, body: null, isNew: false, isChanged: false });
    expect((await Article.create({ title: 'A', status: 'open' })).status).toBe('open');
  });

  test('may have a key made by the model, or given', async () => {
    const token = await Token.create({ note: 'x' });
    expect(token.id).toMatch(/^[0-9a-f-]{36}$/);
    expect((await Token.find(token.id)).note).toBe('x');
    const id = randomUUID();
    expect((await Token.create({ id, note: 'y' })).id).toBe(id);
  });

  test('cannot set what the database alone fills in', async () => {
    const article = Article.new({ title: 'A', twice: 3 });
    await expect(article.save()).rejects.toMatchObject({
      problems: [{ attribute: 'twice', code: 'generated', message: 'is filled in by the database' }],
    });
  });
});

describe('timestamps', () => {
  test('are set on insert, and the second one at each change', async () => {
    const before = new Date();
    const article = await Article.create({ title: 'A' });
    const { createdAt, updatedAt } = article;
    expect(createdAt.getTime()).toBeGreaterThanOrEqual(before.getTime());
    expect(updatedAt).toEqual(createdAt);
    await article.save();
    expect(article.updatedAt).toEqual(updatedAt);
    await later(createdAt, () => article.update({ title: 'B' }));
    expect(article.createdAt).toEqual(createdAt);
    expect(article.updatedAt.getTime()).toBe(createdAt.getTime() + 5_000);
  });

  test('that are given are kept', async () => {
    const at = new Date('2001-02-03T04:05:06.007Z');
    expect(await Article.create({ title: 'A', createdAt: at, updatedAt: at })).toMatchObject({
      createdAt: at,
      updatedAt: at,
    });
  });
});

describe('what has changed', () => {
  test('is known by name, with the values before and after; assigning the stored value back cleans', async () => {
    const { id } = await Article.create({ title: 'A', price: new Decimal('1.5'), marks: [1n] });
    const article = await Article.find(id);
    expect([article.isChanged, article.changes]).toEqual([false, {}]);
    article.title = 'B';
    article.body = 'text';
    expect(article.changes).toEqual({ title: { before: 'A', after: 'B' }, body: { before: null, after: 'text' } });
    article.title = 'A';
    article.assign({ body: null, price: new Decimal('1.50'), marks: [1n], settings: { tags: [] } });
    expect([article.isChanged, article.changes]).toEqual([false, {}]);
  });

  test('is all that is sent', async () => {
    const article = await Article.create({ title: 'A' });
    statements = [];
    // Within the same millisecond `changed_at` would be as it was.
    await later(article.createdAt, () => article.update({ title: 'B', votes: 0 }));
    expect(statements).toHaveLength(1);
    expect(statements[0]).toMatch(/^update "articles" set "title" = \$1, "changed_at" = \$2\s+where/);
  });

  test('is nothing, and nothing is sent', async () => {
    const article = await Article.create({ title: 'A' });
    statements = [];
    await article.save();
    await article.update({ title: 'A' });
    const cat = await Cat.create({ name: 'Tom' }); // has callbacks, so a save is a transaction
    statements = [];
    await cat.save();
    expect(statements).toEqual([]);
  });

  test('stays known when the save is refused', async () => {
    const article = await Article.create({ title: 'A' });
    article.title = null as never;
    await expect(article.save()).rejects.toMatchObject({ code: 'E_VALIDATION' });
    expect(Object.keys(article.changes)).toEqual(['title']);
    await article.reload();
    expect(article).toMatchObject({ title: 'A', isChanged: false });
  });

  test('counts virtual attributes until the record is saved, though no column holds them', async () => {
    const article = await Article.create({ title: 'A', draft: 'x' });
    expect(article).toMatchObject({ draft: 'x', isChanged: false });
    article.draft = 'y';
    expect(article.changes).toEqual({ draft: { before: 'x', after: 'y' } });
    statements = [];
    await article.save();
    expect(article).toMatchObject({ draft: 'y', isChanged: false });
    expect(statements).toEqual([]);
    expect((await Article.find(article.id)).draft).toBeUndefined();
  });

  test('is put back when the transaction around it fails', async () => {
    const article = await Article.create({ title: 'A' });
    await expect(
      db.transaction(async () => {
        await article.update({ title: 'B' });
        article.votes = 7;
        throw new RangeError('undo');
      }),
    ).rejects.toThrow(RangeError);
    expect(article).toMatchObject({ title: 'A', votes: 0, isChanged: false });
    await article.update({ title: 'C' });
    expect((await Article.find(article.id)).title).toBe('C');
  });
});

describe('the life of a record', () => {
  test('ends with destroy', async () => {
    const article = await Article.create({ title: 'A' });
    expect(await article.destroy()).toBe(article);
    expect([article.isDestroyed, article.isNew, article.title]).toEqual([true, false, 'A']);
    for (const use of [() => article.save(), () => article.destroy(), () => article.reload()]) {
      await expect(use()).rejects.toMatchObject({ code: 'E_RECORD_DESTROYED', details: { model: 'Article' } });
    }
  });

  test('has a row only from the first save', async () => {
    for (const use of [() => Article.new().destroy(), () => Article.new().reload()]) {
      await expect(use()).rejects.toMatchObject({ code: 'E_RECORD_NOT_SAVED' });
    }
  });

  test('reload reads the row again, or says that it has gone', async () => {
    const article = await Article.create({ title: 'A' });
    await Article.where({ id: article.id }).updateAll({ title: 'B' });
    article.votes = 5;
    expect(await article.reload()).toMatchObject({ title: 'B', votes: 0, isChanged: false });
    await db.transaction(async () => void (await article.reload({ lock: 'for update', wait: 'nowait' })));
    await Article.where({ id: article.id }).deleteAll();
    await expect(article.reload()).rejects.toMatchObject({ code: 'E_RECORD_NOT_FOUND' });
  });

  test.each(['changed', 'deleted'])('a row that was %s since is not overwritten', async (how) => {
    const article = await Article.create({ title: 'A' });
    const row = Article.where({ id: article.id });
    await (how === 'deleted' ? row.deleteAll() : row.updateAll({ votes: 1 }));
    const expected = { code: 'E_STALE_RECORD', recovery: 'reload', details: { isGone: how === 'deleted' } };
    await expect(article.update({ title: 'B' })).rejects.toMatchObject(expected);
    await expect(article.destroy()).rejects.toMatchObject(expected);
  });
});

describe('attributes that are not there', () => {
  test.each([
    ['new', (values: never) => Article.new(values)],
    ['create', (values: never) => Article.create(values)],
    ['assign', (values: never) => Article.new().assign(values)],
    ['update', (values: never) => Article.new().update(values)],
  ])('%s names them all, and assigns nothing', async (_name, make) => {
    const values = { title: 'A', admin: true, __proto__x: 1, save: 1, constructor: 1 };
    const error: unknown = await Promise.resolve()
      .then(() => make(values as never))
      .catch((failure: unknown) => failure);
    expect(error).toMatchObject({
      code: 'E_UNKNOWN_ATTRIBUTE',
      recovery: 'fix-the-code',
      details: { model: 'Article', names: ['admin', '__proto__x', 'save', 'constructor'] },
    });
  });

  test('what gives a promise rejects, and never throws by itself', async () => {
    const wrong = { admin: true } as never;
    for (const use of [() => Article.create(wrong), () => Article.new().update(wrong), () => Article.findBy(wrong)]) {
      await use().catch((error: unknown) => expect(error).toMatchObject({ recovery: 'fix-the-code' }));
    }
    expect.assertions(3);
  });

  test('undefined assigns nothing', () => {
    expect(Article.new({ votes: undefined as never }).votes).toBe(0);
  });
});

describe('models made of classes', () => {
  test('inherit columns, rules and callbacks from an abstract one, each with its own table', async () => {
    const cat = await Cat.create({ name: '  Tom ' });
    const dog = await Dog.create({ name: 'Rex' });
    expect([cat.name, cat.lives, dog.name]).toEqual(['Tom', 9, 'Rex']);
    expect(cat.createdAt).toBeInstanceOf(Date);
    expect(cat).toBeInstanceOf(Base);
    await expect(Cat.create({ name: '' })).rejects.toMatchObject({
      problems: [{ attribute: 'name', code: 'isNotEmpty' }],
    });
    expect(thrownBy(() => Dog.new({ lives: 3 } as never))).toMatchObject({ code: 'E_UNKNOWN_ATTRIBUTE' });
  });

  test('may have constructors, fields and private fields of their own', async () => {
    const { id } = await new Dog('Rex').save();
    const dog = await Dog.find(id);
    expect([dog.name, dog.isChanged, dog.tricks, dog.bark(), dog.bark()]).toEqual(['Rex', false, 0, 1, 2]);
    expect(Dog.new().name).toBe('Nobody');
    expect(Dog.new({ name: 'Ace' }).name).toBe('Ace');
  });

  test('may not hide an attribute behind a class field', async () => {
    @Table('cats')
    class Shadowed extends Base {
      constructor() {
        super();
        Object.defineProperty(this, 'name', { value: '', writable: true }); // as `name = ''` is compiled by default
      }
    }
    const expected = { code: 'E_SHADOWED_ATTRIBUTE', details: { model: 'Shadowed', properties: ['name'] } };
    expect(thrownBy(() => Shadowed.new())).toMatchObject(expected);
    await expect(new Shadowed().save()).rejects.toMatchObject(expected);
    await Cat.create({ name: 'Tom' });
    await expect(Shadowed.first()).rejects.toMatchObject(expected);
  });
});

describe('a record shown', () => {
  test('as JSON has its attributes; what JSON numbers cannot hold is text', async () => {
    const at = new Date(0);
    const price = new Decimal('123456789012345678901234567890.5');
    const article = await Article.create({
      title: 'A',
      price,
      marks: [1n, 2n],
      draft: 'x',
      slug: 's',
      createdAt: at,
      updatedAt: at,
    });
    expect(JSON.parse(JSON.stringify(article))).toEqual({
      id: article.id.toString(),
      title: 'A',
      body: null,
      votes: 0,
      slug: 's',
      status: 'draft',
      settings: { tags: [] },
      twice: 0,
      price: '123456789012345678901234567890.5',
      marks: ['1', '2'],
      draft: 'x',
      createdAt: at.toISOString(),
      updatedAt: at.toISOString(),
    });
    expect(new Decimal('1e-9').eq(Article.new({ price: new Decimal('1e-9') }).toJSON().price as string)).toBe(true);
    expect(Article.new({ price: new Decimal('1e-9') }).toJSON().price).toBe('0.000000001');
  });

  test('for people has the name of its model and its columns', () => {
    expect(inspect(Token.new({ id: 'x', note: 'y' }))).toBe("Token (new) { id: 'x', note: 'y' }");
    expect(inspect(Article.new({ price: new Decimal('1.10') }))).toContain("price: '1.1'");
  });
});
