import { connect } from 'bellwether';
import type { Database } from 'bellwether';
import { createTestDatabase } from 'bellwether/testing';
import type { TestDatabase } from 'bellwether/testing';
import { Author } from '../../support/library/author';
import { LIBRARY_SQL, Profile, Work } from '../../support/library/work';
import { thrownBy } from '../../support/thrown';

let database: TestDatabase;
let db: Database;
let statements: string[] = [];
beforeAll(async () => {
  database = await createTestDatabase(LIBRARY_SQL);
  db = await connect({ url: database.url });
  db.on('statement:end', ({ sql }) => statements.push(sql));
});
beforeEach(async () => {
  await database.pool.query('truncate authors, works, profiles');
  statements = [];
});
afterAll(async () => {
  await db.close();
  await database.drop();
});

const author = (name: string) => Author.create({ name });
const MUST_EXIST = {
  code: 'E_VALIDATION',
  problems: [{ attribute: 'author', code: 'required', message: 'must exist' }],
};

describe('belongs to', () => {
  test.each<[string, (ann: Author) => Promise<Work>]>([
    ['record, on create', (ann) => Work.create({ title: 'x', author: ann })],
    ['key, on create', (ann) => Work.create({ title: 'x', author: ann.id })],
    [
      'record, by set()',
      (ann) => {
        const work = Work.new({ title: 'x' });
        work.author.set(ann);
        return work.save();
      },
    ],
    ['record, by assign()', (ann) => Work.new().assign({ title: 'x', author: ann }).save()],
    ['parent', (ann) => ann.works.create({ title: 'x' })],
    ['parent, unsaved', (ann) => ann.works.new({ title: 'x' }).save()],
  ])('a parent given by its %s', async (_name, make) => {
    const ann = await author('Ann');
    const { id } = await make(ann);
    expect((await (await Work.find(id)).author.load()).name).toBe('Ann');
  });

  test('a parent that is saved later than it is assigned', async () => {
    const ann = Author.new({ name: 'Ann' });
    const work = Work.new({ title: 'x', author: ann });
    await expect(work.save()).rejects.toMatchObject(MUST_EXIST);
    await ann.save();
    await work.save();
    statements = [];
    expect(await work.author.load()).toBe(ann);
    expect(statements).toEqual([]);
    expect(await Work.where({ author: ann }).count()).toBe(1);
  });

  test.each([
    ['none', {}],
    ['null', { author: null }],
    ['one that is not there', { author: 999n }],
  ])('requires its parent: %s', async (_name, values) => {
    const work = Work.new({ title: 'x', ...values });
    await expect(work.save()).rejects.toMatchObject(MUST_EXIST);
    expect(work.errors.all).toEqual(MUST_EXIST.problems);
    expect(work.isNew).toBe(true);
  });

  test('an optional one may be missing, but not gone', async () => {
    const ann = await author('Ann');
    const work = await Work.create({ title: 'x', author: ann });
    expect([work.editorId, await work.editor.load()]).toEqual([null, null]);
    await expect(work.update({ editorId: 999n })).rejects.toMatchObject({
      problems: [{ attribute: 'editor', code: 'required', message: 'must exist' }],
    });
    await work.update({ editor: ann });
    expect(work.editorId).toBe(ann.id);
    await work.update({ editor: null });
    expect(work.editorId).toBeNull();
  });

  test('a new key makes it forget the parent that was loaded', async () => {
    const [ann, ben] = [await author('Ann'), await author('Ben')];
    const work = await Work.create({ title: 'x', author: ann, editor: ann });
    expect((await work.editor.load())?.name).toBe('Ann');
    work.editorId = ben.id;
    expect(work.editor.isLoaded).toBe(false);
    expect((await work.editor.load())?.name).toBe('Ben');
  });

  test('refuses what is no record of its model', async () => {
    const profile = Profile.new();
    for (const wrong of [profile, { id: 1n }]) {
      expect(thrownBy(() => Work.new({ author: wrong as never }))).toMatchObject({
        code: 'E_WRONG_RECORD',
        details: { model: 'Work', association: 'author', expected: 'Author' },
      });
    }
    const work = Work.new({ title: 'x', author: '1' as never });
    await expect(work.save()).rejects.toMatchObject({ problems: [{ attribute: 'authorId', code: 'type' }] });
  });

  test('a rollback puts the parent back', async () => {
    const [ann, ben] = [await author('Ann'), await author('Ben')];
    const { id } = await Work.create({ title: 'x', author: ann });
    const work = await Work.include('author').find(id);
    await expect(
      db.transaction(async () => {
        await work.update({ author: ben });
        throw new RangeError('undo');
      }),
    ).rejects.toThrow('undo');
    expect((await work.author.load()).name).toBe('Ann');
  });
});

describe('has many and has one', () => {
  test('give records by their key, once read then remembered', async () => {
    const ann = await author('Ann');
    await Work.create({ title: 'b', author: ann });
    await Work.create({ title: 'a', author: ann });
    statements = [];
    const works = await ann.works.load();
    expect(works.map(({ title }) => title)).toEqual(['b', 'a']);
    expect(await ann.works.load()).toBe(works);
    expect(statements).toHaveLength(1);
    expect(Object.isFrozen(works)).toBe(true);
    await ann.works.create({ title: 'c' });
    expect((await ann.works.load()).map(({ title }) => title)).toEqual(['b', 'a', 'c']);
    await ann.reload();
    expect(ann.works.isLoaded).toBe(false);
  });

  test('can be queried', async () => {
    const ann = await author('Ann');
    await ann.works.create({ title: 'a' });
    await ann.works.create({ title: 'b' });
    await Work.create({ title: 'b', author: await author('Ben') });
    expect(await ann.works.query().where({ title: 'b' }).count()).toBe(1);
  });

  test('one, made and found; a second one is refused', async () => {
    const ann = await author('Ann');
    expect(await ann.profile.load()).toBeNull();
    const profile = await ann.profile.create({ motto: 'x' });
    expect(await ann.profile.load()).toBe(profile);
    expect((await (await Author.find(ann.id)).profile.load())?.id).toBe(profile.id);
    await expect(ann.profile.create({})).rejects.toMatchObject({
      problems: [{ attribute: 'authorId', code: 'taken' }],
    });
  });

  test('a child of an unsaved parent cannot be saved before it', async () => {
    const ann = Author.new({ name: 'Ann' });
    const work = ann.works.new({ title: 'x' });
    await expect(work.save()).rejects.toMatchObject(MUST_EXIST);
    await ann.save();
    expect(await (await work.save()).author.load()).toBe(ann);
    expect(await Work.where({ author: ann }).count()).toBe(1);
  });

  test('of an unsaved record there are none, and nothing is asked', async () => {
    const ann = Author.new({ name: 'Ann' });
    expect([await ann.works.load(), await ann.edited.load(), await ann.profile.load()]).toEqual([[], [], null]);
    expect(statements).toEqual([]);
    await Work.create({ title: 'without an editor', author: await author('Ben') });
    expect(await ann.edited.query()).toEqual([]);
  });
});

test('a child whose row was rolled back is no longer among the children', async () => {
  const ann = await author('Ann');
  await ann.works.load();
  await expect(
    db.transaction(async () => {
      await ann.works.create({ title: 'x' });
      await ann.profile.create({});
      throw new RangeError('undo');
    }),
  ).rejects.toThrow('undo');
  expect([await ann.works.load(), await ann.profile.load()]).toEqual([[], null]);
});

describe('the same model at both ends', () => {
  test('is a tree', async () => {
    const root = await author('Root');
    await root.students.create({ name: 'Leaf' });
    const [leaf] = await Author.where({ mentor: root }).include('mentor', 'students');
    expect([leaf!.name, leaf!.mentor.value?.name, leaf!.students.length]).toEqual(['Leaf', 'Root', 0]);
    expect((await Author.where({ mentor: null }).include('students'))[0]!.students.value[0]!.name).toBe('Leaf');
  });
});

describe('include', () => {
  beforeEach(async () => {
    const [ann, ben] = [await author('Ann'), await author('Ben')];
    await ann.profile.create({ motto: 'x' });
    for (const title of ['a', 'b', 'c']) await ann.works.create({ title, editor: ben });
    await ben.works.create({ title: 'd' });
    await author('Cid');
    statements = [];
  });

  test('loads each association with one query, however many records there are', async () => {
    const authors = await Author.order('name').include('works', 'profile').include('mentor');
    expect(statements).toHaveLength(3); // nobody has a mentor, so nobody's is asked for
    expect(authors.map(({ works }) => [...works].map(({ title }) => title))).toEqual([['a', 'b', 'c'], ['d'], []]);
    expect(authors.map(({ profile }) => profile.value?.motto)).toEqual(['x', undefined, undefined]);
    expect(authors.map(({ mentor }) => mentor.value)).toEqual([null, null, null]);
    expect(authors[2]!.profile.value).toBeNull();
  });

  test('asks for each parent once', async () => {
    const works = await Work.order('title').include('author', 'editor');
    expect(statements).toHaveLength(3);
    expect(works.map((work) => [work.author.value.name, work.editor.value?.name])).toEqual([
      ['Ann', 'Ben'],
      ['Ann', 'Ben'],
      ['Ann', 'Ben'],
      ['Ben', undefined],
    ]);
    expect(works[0]!.author.value).toBe(works[1]!.author.value);
  });

  test('asks for nothing when there are no records', async () => {
    expect(await Author.where({ name: 'Nobody' }).include('works')).toEqual([]);
    expect(statements).toHaveLength(1);
  });

  test('is kept by find(), first() and findBy()', async () => {
    const ann = await Author.include('works').findBy({ name: 'Ann' });
    expect(ann!.works.length).toBe(3);
    expect((await Author.include('works').find(ann!.id)).works.length).toBe(3);
    expect((await Author.order('name').include('works').first())!.works.length).toBe(3);
  });

  test('fills the other direction', async () => {
    const ann = await Author.include('works', 'profile').findBy({ name: 'Ann' });
    statements = [];
    for (const work of ann!.works) expect(await work.author.load()).toBe(ann);
    expect(await ann!.profile.value!.author.load()).toBe(ann);
    expect(statements).toEqual([]);
  });

  test('is what makes value there; without it there is an error that says so', async () => {
    const ann = await Author.findBy({ name: 'Ann' });
    const handles = ann as unknown as Record<string, { value: unknown; length: number; isLoaded: boolean }>;
    for (const association of ['works', 'profile', 'mentor']) {
      expect(handles[association]!.isLoaded).toBe(false);
      expect(thrownBy(() => handles[association]!.value)).toMatchObject({
        code: 'E_ASSOCIATION_NOT_LOADED',
        message: expect.stringContaining(`.include('${association}')`),
        details: { model: 'Author', association },
      });
    }
    expect(thrownBy(() => handles.works!.length)).toMatchObject({ code: 'E_ASSOCIATION_NOT_LOADED' });
    expect(thrownBy(() => [...(handles.works as unknown as Iterable<unknown>)])).toMatchObject({
      code: 'E_ASSOCIATION_NOT_LOADED',
    });
  });
});

test('associations are no attributes: they cannot be assigned, and JSON leaves them out', async () => {
  const ann = await author('Ann');
  expect(() => ((ann as { works: unknown }).works = [])).toThrow(TypeError);
  expect(thrownBy(() => Author.new({ works: [] } as never))).toMatchObject({ code: 'E_UNKNOWN_ATTRIBUTE' });
  expect(Object.keys(ann.toJSON())).toEqual(['id', 'name', 'mentorId']);
});
