import { AfterDestroy, BelongsTo, HasMany, Id, Model, Table, ValidationError } from 'bellwether';
import type { HasMany as Many } from 'bellwether';
import { countingTrips, errorOf, setUp, untilBlocked } from '../transaction/support';

/** Lines refer to parts, and both to their owner; with the parts gone first, the foreign key would refuse. */
const { database, db } = setUp(`
  create table owners (id bigint primary key);
  create table parts (id bigint generated always as identity primary key, owner_id bigint references owners);
  create table lines (id bigint generated always as identity primary key, owner_id bigint references owners,
    part_id bigint references parts);
  create table tags (id bigint generated always as identity primary key, owner_id bigint references owners);
  create table calls (id bigint generated always as identity primary key, owner_id bigint references owners);
  create table bills (id bigint generated always as identity primary key, owner_id bigint references owners);
  create table visits (id bigint generated always as identity primary key, owner_id bigint references owners);
  create table hints (id bigint generated always as identity primary key, owner_id bigint);
  create table notes (id bigint generated always as identity primary key, line_id bigint references lines);`);

@Table('owners')
class Owner extends Model {
  @Id() declare readonly id: bigint;
  @HasMany(() => Line, { dependent: 'destroy' }) declare lines: Many<Line>;
  @HasMany(() => Tag, { dependent: 'nullify' }) declare tags: Many<Tag>;
  @HasMany(() => Part, { dependent: 'delete' }) declare parts: Many<Part>;
  @HasMany(() => Bill, { dependent: 'restrict' }) declare bills: Many<Bill>;
  @HasMany(() => Visit, { dependent: 'restrict' }) declare visits: Many<Visit>;
}

/** The same rows, of which some are told when they go, and others are looked for since nothing stands beneath. */
@Table('owners')
class Caller extends Model {
  @Id() declare readonly id: bigint;
  @HasMany(() => Line, { dependent: 'destroy', foreignKey: 'ownerId' }) declare lines: Many<Line>;
  @HasMany(() => Call, { dependent: 'destroy', foreignKey: 'ownerId' }) declare calls: Many<Call>;
  @HasMany(() => Part, { dependent: 'delete', foreignKey: 'ownerId' }) declare parts: Many<Part>;
  @HasMany(() => Tag, { dependent: 'nullify', foreignKey: 'ownerId' }) declare tags: Many<Tag>;
}

abstract class Owned extends Model {
  @Id() declare readonly id: bigint;
  @BelongsTo(() => Owner, { optional: true }) declare owner: BelongsTo<Owner | null>;
}
@Table('parts')
class Part extends Owned {}
@Table('lines')
class Line extends Owned {
  @BelongsTo(() => Part, { optional: true }) declare part: BelongsTo<Part | null>;
}
@Table('tags')
class Tag extends Owned {}
@Table('bills')
class Bill extends Owned {}
@Table('visits')
class Visit extends Owned {}
@Table('hints')
class Hint extends Owned {}
void Hint; // nobody but its claim names it
const told: bigint[] = [];
@Table('calls')
class Call extends Owned {
  @AfterDestroy() tell(): void {
    told.push(this.id);
  }
}

/** With lines, parts and tags, three each. */
async function make(id: bigint): Promise<Owner> {
  await database().pool.query(`insert into owners values (${id});
    insert into parts (owner_id) select ${id} from generate_series(1, 3);
    insert into lines (owner_id, part_id) select ${id}, id from parts where owner_id = ${id};
    insert into tags (owner_id) select ${id} from generate_series(1, 3)`);
  return Owner.find(id);
}
beforeEach(() =>
  database().pool.query('truncate owners, parts, lines, tags, calls, bills, visits, hints, notes restart identity'),
);
const counts = () => Promise.all([Owner.count(), Line.count(), Part.count(), Tag.count()]);

/** What was sent, as "delete lines", in order. */
async function sentBy(body: () => Promise<unknown>): Promise<string[]> {
  const sent: string[] = [];
  const off = db().on('statement:end', ({ sql }) => {
    const [, deed, table] = /^(delete|update|select).*?(?:from |update )?"(\w+)"/s.exec(sql) ?? [];
    if (table) sent.push(`${deed} ${table}`);
  });
  await body();
  off();
  return sent;
}

test('a record goes with its dependents in the same number of round trips, however many there are', async () => {
  await countingTrips(database(), async (tripsOf) => {
    const [first, second] = [await make(1n), await make(2n)];
    // Which foreign keys its claims have, the lock, what must not be there, which its dependents have, all that goes, COMMIT.
    expect(await tripsOf(() => first.destroy())).toBe(6);
    // Of claims without a foreign key it is asked again, in case that one has been put there.
    expect(await tripsOf(() => second.destroy())).toBe(5);
    expect(await counts()).toEqual([0, 0, 0, 6]);
  });
});

test('statements keep the order of the declarations', async () => {
  const record = await make(1n);
  const sent = await sentBy(() => record.destroy());
  expect(sent.filter((each) => !each.startsWith('select'))).toEqual([
    'delete lines',
    'update tags',
    'delete parts',
    'delete owners',
  ]);
});

test('where records are told one by one, what comes before is done before, and what comes after, after', async () => {
  await make(1n);
  const caller = await Caller.find(1n);
  await database().pool.query('insert into calls (owner_id) values (1), (1)');
  const sent = await sentBy(() => caller.destroy());
  expect(told.splice(0)).toEqual([1n, 2n]);
  expect(sent.filter((each) => !each.startsWith('select'))).toEqual([
    'delete lines',
    'delete calls',
    'delete calls',
    'delete parts',
    'update tags',
    'delete owners',
  ]);
});

test('of several that must not be there the first is named, and all is as it was', async () => {
  const record = await make(1n);
  const refusal = { code: 'E_DEPENDENT_RECORDS', details: { model: 'Owner' } };
  await database().pool.query('insert into visits (owner_id) values (1)');
  expect(await errorOf(record.destroy())).toMatchObject({ ...refusal, details: { association: 'visits' } });
  await database().pool.query('insert into bills (owner_id) values (1); insert into hints (owner_id) values (1)');
  expect(await errorOf(record.destroy())).toMatchObject({ ...refusal, details: { association: 'bills' } });
  await database().pool.query('truncate bills, visits');
  expect(await errorOf(record.destroy())).toMatchObject({ details: { association: 'rows in "hints"' } });
  expect(await counts()).toEqual([1, 3, 3, 3]);
});

test('what a foreign key refuses to let go keeps all; the transaction around it goes on', async () => {
  const record = await make(1n);
  await database().pool.query('insert into notes (line_id) values (1)');
  await db().transaction(async () => {
    expect(await errorOf(record.destroy())).toMatchObject({
      code: 'E_DEPENDENT_RECORDS',
      details: { model: 'Line', association: 'rows in "notes"' },
    });
    expect([record.isDestroyed, await counts()]).toEqual([false, [1, 3, 3, 3]]);
    await Tag.create({ owner: 1n });
  });
  expect(await Tag.count()).toBe(4);
});

describe.each(['read committed', 'repeatable read', 'serializable'] as const)('at %s', (isolation) => {
  test('nothing is left behind, however much comes to it meanwhile', async () => {
    for (let round = 1n; round <= 8n; round++) {
      const record = await make(round);
      const add = (model: typeof Line | typeof Part) =>
        db().transaction({ isolation }, () => model.create({ owner: round }));
      const destroy = () => db().transaction({ isolation }, () => record.destroy({ onConflict: 'retry' }));
      const adding = [Line, Part, Line].map(add);
      const outcomes = await Promise.allSettled([destroy(), ...adding, ...[Part, Line, Part].map(add)]);
      const reasons = outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
      for (const reason of reasons) expect(reason).toBeInstanceOf(ValidationError); // must exist
      expect(outcomes[0].status).toBe('fulfilled');
      expect((await counts()).slice(0, 3)).toEqual([0, 0, 0]);
    }
  });

  test('one that comes while the row is waited for goes too', async () => {
    const record = await make(1n);
    const holder = await database().pool.connect();
    await holder.query('begin; insert into lines (owner_id) values (1); insert into parts (owner_id) values (1)');
    const destroying = db().transaction({ isolation }, () => record.destroy());
    await untilBlocked(database());
    await holder.query('commit');
    holder.release();
    await destroying;
    expect(await counts()).toEqual([0, 0, 0, 3]);
  });
});
