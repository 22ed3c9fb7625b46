import type { PoolClient } from 'pg';
import { Column, Id, Model, sql, Table, unsafeReads, Validates } from 'bellwether';
import type { Database, FrameworkEvents } from 'bellwether';
import { countingTrips, errorOf, setUp, untilBlocked } from '../transaction/support';

// Serializable transactions cannot see what weaker ones read and write. Their rules hold beside those of the weaker all
// the same; who is alone pays for nothing.

@Table('doctors')
class Doctor extends Model {
  @Id('integer') declare id: number;
  @Column() declare onCall: boolean;

  @Validates({ on: 'update' })
  async somebodyStays() {
    if (!this.onCall && !(await others(this))) this.errors.add('onCall', 'nobody else is');
  }
}

const byQuery = (doctor: Doctor) => Doctor.where({ onCall: true }).where('id', '!=', doctor.id).exists();
const bySql = async ({ id }: Doctor) =>
  (await sql`select from doctors where on_call and id <> ${id}`.execute(db().kysely())).rows.length > 0;
let others = byQuery;

@Table('notes')
class Note extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare text: string;
}

const { database, db, open } = setUp(`
  create table doctors (id int primary key, on_call bool not null);
  create table notes (id bigint generated always as identity primary key, text text not null);
  create function stall() returns trigger language plpgsql as 'begin perform pg_advisory_xact_lock(42); return null; end';
  create constraint trigger stall after update on doctors deferrable initially deferred
    for each row when (new.id = 8) execute function stall();`);

beforeEach(() => {
  others = byQuery;
  return database().pool.query(`truncate doctors; insert into doctors select n, true from generate_series(1, 9) n`);
});
const leaving = async (id: number) => (await Doctor.find(id)).update({ onCall: false });
const onCall = async () => (await database().pool.query('select id from doctors where on_call')).rows as unknown[];

/** Has doctor 1 leave at serializable, by what can be seen before `meanwhile`. @returns see {@link outcome} */
const leaveAfter = (meanwhile: () => Promise<unknown>, on: Database = db()): Promise<string[]> =>
  outcome(on, async (isFirst) => {
    await Note.count(); // a snapshot
    if (isFirst) await meanwhile();
    await leaving(1);
  });

/** @returns why it was run again, each time, and how it ended */
async function outcome(on: Database, body: (isFirst: boolean) => Promise<unknown>): Promise<string[]> {
  const codes: string[] = [];
  const note = (error: unknown) => void codes.push((error as { code: string }).code);
  const off = on.on('transaction:retry', ({ error }: FrameworkEvents['transaction:retry']) => note(error));
  try {
    await on.transaction({ isolation: 'serializable' }, (tx) => body(tx.attempt === 1));
    codes.push('done');
  } catch (error) {
    note(error);
  } finally {
    off();
  }
  return codes;
}

/** To lock what rules read; and, since it has looked before, with the lock taken first. */
const AGAIN_LOCKED = ['E_PRECAUTION_NEEDED', 'E_PRECAUTION_NEEDED'];

/** Another process's connection, as far as ours can tell. */
let another: Database;
beforeAll(async () => {
  another = await open();
});

describe.each(['read committed', 'repeatable read'] as const)('beside %s', (weaker) => {
  const weakly = (body: () => Promise<unknown>) => another.transaction({ isolation: weaker }, body);
  beforeEach(() => database().pool.query('update doctors set on_call = false where id > 2'));

  test('a rule that has not seen who committed meanwhile is asked again, its reads locked', async () => {
    expect(await leaveAfter(() => weakly(() => leaving(2)))).toEqual([...AGAIN_LOCKED, 'E_VALIDATION']);
    expect(await onCall()).toEqual([{ id: 1 }]);
  });

  test('so is one that reads by SQL, which cannot be locked: until nobody comes in between', async () => {
    let comers = 0;
    others = async (doctor) => {
      if (doctor.id !== 1) return byQuery(doctor);
      const isThere = await bySql(doctor);
      if (++comers <= 3) await weakly(() => leaving(2 + comers));
      return isThere;
    };
    await database().pool.query('update doctors set on_call = true');
    const again = ['E_PRECAUTION_NEEDED', 'E_SERIALIZATION_FAILURE', 'E_SERIALIZATION_FAILURE'];
    expect(await leaveAfter(() => Promise.resolve())).toEqual([...again, 'done']);
    expect(await onCall()).toHaveLength(5);
  });

  test('who had committed before can be seen: at most one transaction of a process is run again for them', async () => {
    const everybodyComes = () => database().pool.query('update doctors set on_call = true');
    const fresh = await open();
    const leave = async () => {
      await everybodyComes();
      return leaveAfter(() => Promise.resolve(), fresh);
    };
    expect(await leave()).toEqual(['done']);
    await weakly(() => leaving(2));
    await everybodyComes();
    await weakly(() => leaving(2));
    expect(await leave()).toEqual([...AGAIN_LOCKED, 'done']);
    await weakly(() => leaving(2));
    expect(await leave()).toEqual(['done']);
  });

  test('who has committed without a rule, or has written nothing, is nobody’s concern', async () => {
    await leaveAfter(() => Promise.resolve());
    await database().pool.query('update doctors set on_call = true');
    const harmless = async () => {
      await weakly(() => Note.create({ text: 'no rule' }));
      await weakly(async () => (await Doctor.find(2)).valid());
      others = (doctor) => unsafeReads(() => byQuery(doctor));
      await weakly(() => leaving(2));
    };
    expect(await leaveAfter(harmless)).toEqual(['done']);
  });
});

test('the first weaker one ever makes the count; who had looked for that in vain sees it at COMMIT', async () => {
  const DROP = 'drop table if exists bellwether_guards; drop sequence if exists bellwether_weaker_commits';
  await database().pool.query(DROP);
  const one = await open({ poolSize: 1 });
  expect(await leaveAfter(() => Promise.resolve(), one)).toEqual(['done']);
  await database().pool.query('update doctors set on_call = true');
  others = async () => (await Doctor.find(9)).onCall; // locks a row, and so waits for nobody
  const left = await outcome(one, async (isFirst) => {
    await leaving(1);
    if (isFirst) await another.transaction({ isolation: 'read committed' }, () => leaving(2));
  });
  expect(left).toEqual(['E_PRECAUTION_NEEDED', 'done']);
});

describe('while one is between the count and the end of its COMMIT', () => {
  let stalling: PoolClient;
  let fresh: Database;
  const weakly = (id: number) => another.transaction({ isolation: 'read committed' }, () => leaving(id));

  beforeEach(async () => {
    others = async () => (await Doctor.find(9)).onCall; // locks a row, and so keeps nobody waiting
    fresh = await open();
    stalling = await database().pool.connect();
    await stalling.query('begin; select pg_advisory_xact_lock(42)');
  });
  afterEach(() => stalling.release());

  /** Lets the first go once the second waits for it. */
  async function second<T>(first: Promise<unknown>, begin: () => Promise<T>): Promise<T> {
    await untilBlocked(database());
    const waiting = begin();
    await untilBlocked(database(), 2);
    await stalling.query('rollback');
    await first;
    return waiting;
  }

  test('a serializable one of a process that knows nothing yet waits before it begins', async () => {
    const note = () => outcome(fresh, () => Note.create({ text: 'of no rule' }));
    expect(await second(weakly(8), note)).toEqual(['done']);
  });

  test('one that knows waits before it is run again', async () => {
    await fresh.transaction(() => Note.count());
    const leave = () => outcome(fresh, () => leaving(1));
    expect(await second(weakly(8), leave)).toEqual(['E_PRECAUTION_NEEDED', 'done']);
  });

  test('and a weaker one waits for a serializable one', async () => {
    const serializable = outcome(fresh, () => leaving(8));
    expect(await second(serializable, () => weakly(1))).toHaveProperty('onCall', false);
    expect(await serializable).toEqual(['done']);
  });
});

test('where it may not be made, the weaker one is told who can; a serializable one needs it not', async () => {
  await database().pool.query(
    'drop table if exists bellwether_guards; drop sequence if exists bellwether_weaker_commits',
  );
  const role = `doctor_${process.pid}`;
  await database().pool.query(
    `create role ${role} login password 'secret'; grant select, update on doctors, notes to ${role}`,
  );
  const url = new URL(database().url);
  [url.username, url.password] = [role, 'secret'];
  const poor = await open({ url: url.href });
  try {
    expect(await leaveAfter(() => Promise.resolve(), poor)).toEqual(['done']);
    const weakly = poor.transaction({ isolation: 'read committed' }, () => leaving(2));
    expect(await errorOf(weakly)).toMatchObject({ code: 'E_GUARDS_MISSING' });
  } finally {
    await poor.close();
    await database().pool.query(`drop owned by ${role}; drop role ${role}`);
  }
});

test.each(['serializable', 'read committed', 'repeatable read'] as const)(
  'no round trip more for a save whose rule reads, at %s',
  (isolation) =>
    countingTrips(database(), async (tripsOf, counted) => {
      const leave = (id: number) => counted.transaction({ isolation }, () => leaving(id));
      await leave(1);
      // The record; the rule's read; the write; COMMIT. Locking a table after a look takes a second run at repeatable read.
      expect(await tripsOf(() => leave(2))).toBe(isolation === 'repeatable read' ? 6 : 4);
    }),
);
