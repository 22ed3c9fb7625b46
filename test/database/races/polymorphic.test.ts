import { BelongsTo, Column, DependentRecordsError, HasMany, Id, Model, Table, ValidationError } from 'bellwether';
import type { Database, IsolationLevel } from 'bellwether';
import { countingTrips, errorOf, setUp, signal, untilBlocked } from '../transaction/support';

@Table('posts')
class Post extends Model {
  @Id() declare readonly id: bigint;
  @HasMany(() => Comment, { as: 'subject', dependent: 'destroy' }) declare comments: HasMany<Comment>;
}
@Table('photos')
class Photo extends Model {
  @Id() declare readonly id: bigint;
  @Column('integer', { default: 0 }) declare rank: number;
}
@Table('comments')
class Comment extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => [Post, Photo], { polymorphic: true }) declare subject: BelongsTo<Post | Photo>;
  declare subjectType: string;
  declare subjectId: bigint;
}

const { database, db, open } = setUp(`
  create table posts (id bigint generated always as identity primary key);
  create table photos (id bigint generated always as identity primary key, rank int not null);
  create table comments (id bigint generated always as identity primary key, subject_type text not null, subject_id bigint not null);
  create index on comments (subject_type, subject_id);
`);

const orphans = async () => {
  const { rows } = await database().pool.query<{ n: number }>(`select count(*)::int as n from comments
    where not exists (select from posts where subject_type = 'Post' and id = subject_id)
      and not exists (select from photos where subject_type = 'Photo' and id = subject_id)`);
  return rows[0]!.n;
};

const LEVELS: IsolationLevel[] = ['read committed', 'repeatable read', 'serializable'];
const POOLS = [4, 16, 64];
const ROUNDS = 3;
const WRITERS = 12;
const pools = new Map<number, Database>();
beforeAll(async () => {
  for (const poolSize of POOLS) pools.set(poolSize, await open({ poolSize }));
});

type Run = (body: () => Promise<unknown>) => Promise<unknown>;
/** One of the two classes: what is asked of it here, both have. */
const modelOf = (subject: Post | Photo) => subject.constructor as unknown as typeof Photo;
const WAYS: readonly [way: string, end: (subject: Post | Photo) => Promise<unknown>][] = [
  ['destroy', async (subject) => (await modelOf(subject).find(subject.id)).destroy()],
  ['deleteAll', (subject) => modelOf(subject).where({ id: subject.id }).deleteAll()],
];

/** Ends a parent while others comment on it, and move their comments to it. */
async function race(pool: Database, Parent: typeof Photo, end: (typeof WAYS)[number][1], writing: Run, ending: Run) {
  const [subject, spare] = [await Parent.create({}), await Photo.create({})];
  const count: Record<string, number> = {};
  const note = (what: string) => (count[what] = (count[what] ?? 0) + 1);
  const write = async (writer: number) => {
    const comment = writer % 3 === 0 ? await Comment.create({ subject: spare }) : undefined;
    const values = { subjectType: Parent.name, subjectId: subject.id };
    const deed = () => {
      if (!comment) return Comment.create({ subject });
      return writer % 2 === 0 ? comment.update({ subject }) : Comment.where({ id: comment.id }).updateAll(values);
    };
    try {
      await writing(deed);
      note('written');
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      expect(error.problems).toEqual([{ attribute: 'subject', code: 'required', message: 'must exist' }]);
      note('refused');
    }
  };
  const finish = async () => {
    try {
      await ending(() => end(subject));
      note('ended');
    } catch (error) {
      if (!(error instanceof DependentRecordsError)) throw error;
      note('kept');
    }
  };
  await pool.use(() =>
    Promise.all([
      ...Array.from({ length: WRITERS / 2 }, (_, n) => write(n)),
      finish(),
      ...Array.from({ length: WRITERS / 2 }, (_, n) => write(n + 6)),
    ]),
  );
  return count;
}

const CASES = POOLS.flatMap((poolSize) =>
  LEVELS.flatMap((level) => WAYS.map(([way, end]) => [poolSize, level, way, end] as const)),
);
describe('no comment without its subject, whoever comes first', () => {
  test.each(CASES)('pool of %d, written at %s, %s', async (poolSize, isolation, _way, end) => {
    const pool = pools.get(poolSize)!;
    for (let round = 0; round < ROUNDS; round++) {
      const inside: Run = (body) => pool.transaction({ isolation }, body);
      const alone: Run = (body) => body();
      for (const Parent of [Post as unknown as typeof Photo, Photo]) {
        // The level of the one that ends the parent goes through all of them, and through none.
        const level = [...LEVELS, undefined][(round + LEVELS.indexOf(isolation)) % 4];
        const ending: Run = level ? (body) => pool.transaction({ isolation: level }, body) : alone;
        const count = await race(pool, Parent, end, inside, ending);
        expect((count.written ?? 0) + (count.refused ?? 0)).toBe(WRITERS);
        expect((count.ended ?? 0) + (count.kept ?? 0)).toBe(1);
        expect(await orphans()).toBe(0);
      }
    }
  });
});

describe('deterministically', () => {
  beforeEach(() => database().pool.query('truncate posts, photos, comments'));

  test('who comments while the subject goes waits, and hears that it must exist', async () => {
    for (const write of [
      (photo: Photo) => Comment.create({ subject: photo }),
      async (photo: Photo) => (await Comment.create({ subject: await Photo.create({}) })).update({ subject: photo }),
      async (photo: Photo) => {
        const { id } = await Comment.create({ subject: await Photo.create({}) });
        return Comment.where({ id }).updateAll({ subjectType: 'Photo', subjectId: photo.id });
      },
    ]) {
      const photo = await Photo.create({});
      const [deleted, release] = [signal(), signal()];
      const ending = pools.get(4)!.transaction({ isolation: 'read committed' }, async () => {
        await photo.destroy();
        deleted.give();
        await release.promise;
      });
      await deleted.promise;
      const writing = errorOf(write(photo));
      await untilBlocked(database());
      release.give();
      await ending;
      expect(await writing).toMatchObject({ problems: [{ attribute: 'subject', code: 'required' }] });
    }
  });

  test('who ends the subject while it is commented on waits, and finds the comment', async () => {
    for (const end of [
      (photo: Photo) => photo.destroy(),
      (photo: Photo) => Photo.where({ id: photo.id }).deleteAll(),
    ]) {
      const photo = await Photo.create({});
      const [written, release] = [signal(), signal()];
      const writing = pools.get(4)!.transaction(async () => {
        await Comment.create({ subject: photo });
        written.give();
        await release.promise;
      });
      await written.promise;
      const ending = errorOf(end(photo));
      await untilBlocked(database());
      release.give();
      await writing;
      expect(await ending).toMatchObject({
        code: 'E_DEPENDENT_RECORDS',
        details: { association: 'rows in "comments"' },
      });
    }
  });

  test.each(['repeatable read', 'serializable'] as const)(
    'at %s, a comment that is younger than the transaction’s picture is found all the same',
    async (isolation) => {
      for (const end of [
        (photo: Photo) => photo.destroy(),
        (photo: Photo) => Photo.where({ id: photo.id }).deleteAll(),
      ]) {
        const { id } = await Photo.create({});
        let attempts = 0;
        const ending = db().transaction({ isolation }, async () => {
          attempts += 1;
          const photo = await Photo.find(id);
          if (attempts === 1) {
            await db().outsideTransaction(() =>
              db().transaction({ isolation: 'read committed' }, () => Comment.create({ subject: photo })),
            );
          }
          await end(photo);
        });
        expect(await errorOf(ending)).toMatchObject({ code: 'E_DEPENDENT_RECORDS' });
        expect([attempts, await orphans()]).toEqual([2, 0]);
      }
    },
  );

  test('deleteAll takes what nothing refers to, and only what was locked', async () => {
    const [one, two] = [await Photo.create({ rank: 1 }), await Photo.create({ rank: 2 })];
    await Comment.create({ subject: two });
    expect(await Photo.where('rank', '<', 2).deleteAll()).toBe(1);
    expect(await errorOf(Photo.everyRow().deleteAll())).toMatchObject({ code: 'E_DEPENDENT_RECORDS' });
    expect(await Photo.pluck('id')).toEqual([two.id]);
    expect(one.id).not.toBe(two.id);
  });

  test('updateAll says both of the two columns, and a model that is listed', async () => {
    const photo = await Photo.create({});
    const { id } = await Comment.create({ subject: photo });
    const all = Comment.where({ id });
    expect(await errorOf(all.updateAll({ subjectId: 7n }))).toMatchObject({ code: 'E_INVALID_QUERY' });
    expect(await errorOf(all.updateAll({ subjectId: 7n, subjectType: 'Song' }))).toMatchObject({
      code: 'E_INVALID_OPERAND',
    });
    expect(await errorOf(all.updateAll({ subjectId: 7n, subjectType: 'Photo' }))).toMatchObject({
      problems: [{ attribute: 'subject', code: 'required', message: 'must exist' }],
    });
    expect(await Comment.where({ id: -1n }).updateAll({ subjectId: photo.id, subjectType: 'Photo' })).toBe(0);
  });
});

test('creating one takes one round trip, like any other child', () =>
  countingTrips(database(), async (tripsOf) => {
    const photo = await Photo.create({});
    await Comment.create({ subject: photo });
    expect(await tripsOf(() => Comment.create({ subject: photo }))).toBe(1);
    const { id } = await Comment.create({ subject: photo });
    const values = { subjectType: 'Photo', subjectId: photo.id };
    await Comment.where({ id }).updateAll(values);
    expect(await tripsOf(() => Comment.where({ id }).updateAll(values))).toBe(1);
  }));
