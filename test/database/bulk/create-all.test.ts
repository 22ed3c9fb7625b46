import {
  AfterCommit,
  AfterCreate,
  BeforeCreate,
  Column,
  Id,
  Model,
  Table,
  Unique,
  Validates,
  ValidationError,
} from 'bellwether';
import { MaxLength } from 'class-validator';
import { countingTrips, reasonOf, setUp } from '../transaction/support';

const { database, db } = setUp(`
  create table tags (id bigint generated always as identity primary key, name text not null unique);
  create table seats (id bigint generated always as identity primary key, room int not null);
  create table notes (id bigint generated always as identity primary key, text text not null);
`);

const told: string[] = [];

@Table('tags')
class Tag extends Model {
  @Id() declare readonly id: bigint;
  @Column() @Unique() @MaxLength(5) declare name: string;
}

/** With callbacks that come after its INSERT. */
@Table('tags')
class ToldTag extends Model {
  @Id() declare readonly id: bigint;
  @Column() @Unique() declare name: string;
  @AfterCreate() async count() {
    told.push(`${this.name} is one of ${await ToldTag.count()}`);
    if (this.name === 'bad') throw new Error('bad');
  }
  @AfterCommit({ on: 'create' }) tell() {
    told.push(`${this.name} is committed`);
  }
}

/** Looks at the rows before its own. */
@Table('seats')
class Seat extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare room: number;
  @Validates({ on: 'create' })
  async roomIsFree() {
    if ((await Seat.where({ room: this.room }).count()) >= 3) this.errors.add('room', 'is full', 'full');
  }
}

@Table('notes')
class Note extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare text: string;
  @BeforeCreate() async number() {
    this.text = `${this.text} ${await Note.count()}`;
  }
}

beforeEach(async () => {
  told.length = 0;
  await database().pool.query('truncate tags, seats, notes restart identity');
});

async function refusal(promise: Promise<unknown>): Promise<ValidationError> {
  const error = await reasonOf(promise);
  if (error instanceof ValidationError) return error;
  throw error;
}

test('gives saved records, in the order of the values, by one statement', async () => {
  await countingTrips(database(), async (tripsOf) => {
    await Tag.createAll([{ name: 'w' }]);
    let tags: Tag[] = [];
    const values = ['c', 'a', 'b'].map((name) => ({ name }));
    expect(await tripsOf(async () => void (tags = await Tag.createAll(values)))).toBe(1);
    expect(tags.map(({ name, isNew, isChanged }) => [name, isNew, isChanged])).toEqual([
      ['c', false, false],
      ['a', false, false],
      ['b', false, false],
    ]);
    expect(await Tag.where({ id: tags[0]!.id }).pluck('name')).toEqual(['c']);
    await tags[0]!.update({ name: 'd' }); // each knows the version of its row
    expect(await Tag.createAll([])).toEqual([]);
  });
});

test('validations refuse with the place of each, and nothing is written', async () => {
  const error = await refusal(Tag.createAll([{ name: 'a' }, { name: 'far too long' }, {}]));
  expect(error.problems).toMatchObject([
    { index: 1, attribute: 'name', code: 'maxLength' },
    { index: 2, attribute: 'name', code: 'required' },
  ]);
  expect(await Tag.count()).toBe(0);
});

test('constraints refuse with the place of each', async () => {
  await Tag.create({ name: 'b' });
  const error = await refusal(Tag.createAll(['z', 'b', 'a', 'z'].map((name) => ({ name }))));
  const taken = (index: number) => ({ index, attribute: 'name', code: 'taken', message: 'is taken' });
  expect(error.problems).toEqual([taken(1), taken(3)]);
  expect(await Tag.count()).toBe(1);
});

test('callbacks after it run for each in order, and after the commit', async () => {
  await ToldTag.createAll([{ name: 'b' }, { name: 'a' }]);
  expect(told).toEqual(['b is one of 2', 'a is one of 2', 'b is committed', 'a is committed']);
});

test('a callback that throws undoes all, and inside a transaction all of these alone', async () => {
  await db().transaction(async () => {
    await ToldTag.createAll([{ name: 'first' }]);
    await expect(ToldTag.createAll([{ name: 'good' }, { name: 'bad' }])).rejects.toThrow('bad');
  });
  expect(await Tag.pluck('name')).toEqual(['first']);
  expect(told.filter((line) => line.endsWith('committed'))).toEqual(['first is committed']);
});

test('a validation that reads sees the rows before its own', async () => {
  const seats = (count: number) => Array.from({ length: count }, () => ({ room: 1 }));
  const error = await refusal(Seat.createAll(seats(5)));
  expect(error.problems).toEqual([{ index: 3, attribute: 'room', code: 'full', message: 'is full' }]);
  expect(await Seat.count()).toBe(0);
  await Seat.createAll(seats(3));
  expect((await refusal(Seat.createAll(seats(1)))).problems).toMatchObject([{ index: 0, code: 'full' }]);
});

test('and so does a callback before it', async () => {
  await Note.createAll([{ text: 'a' }, { text: 'b' }]);
  expect(await Note.order('id').pluck('text')).toEqual(['a 0', 'b 1']);
});
