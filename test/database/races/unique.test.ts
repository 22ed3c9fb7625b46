import { Column, Id, Model, Table, Unique, ValidationError } from 'bellwether';
import type { Database, IsolationLevel } from 'bellwether';
import { setUp } from '../transaction/support';

@Table('members')
class Member extends Model {
  @Id() declare readonly id: bigint;
  @Column() @Unique({ caseInsensitive: true }) declare email: string;
}

@Table('rooms')
class Room extends Model {
  @Id() declare readonly id: bigint;
  @Column('integer') declare floor: number;
  @Column() @Unique({ scope: 'floor', message: 'is there already' }) declare name: string;
}

@Table('bookings')
class Booking extends Model {
  @Id() declare readonly id: bigint;
  @Column('integer') @Unique({ where: 'not cancelled' }) declare seat: number;
  @Column({ default: false }) declare cancelled: boolean;
}

const { database, open } = setUp(`
  create table members (id bigint generated always as identity primary key, email text not null);
  create unique index on members (lower(email));
  create table rooms (id bigint generated always as identity primary key, floor int not null, name text not null);
  create unique index on rooms (floor, name);
  create table bookings (id bigint generated always as identity primary key, seat int not null, cancelled boolean not null);
  create unique index on bookings (seat) where not cancelled;
  create table log (text text);
`);
beforeEach(() => database().pool.query('truncate members, rooms, bookings, log restart identity'));

const CALLERS = 64;
const ROUNDS = Number(process.env.RACE_ROUNDS ?? 10);

/** Has all callers write at once. @returns how many won, and every different thing that the others were told */
async function race(write: (caller: number) => Promise<unknown>) {
  const outcomes = await Promise.allSettled(Array.from({ length: CALLERS }, (_, caller) => write(caller)));
  const told = outcomes.flatMap((outcome) => {
    if (outcome.status === 'fulfilled') return [];
    const reason = outcome.reason as unknown;
    if (reason instanceof ValidationError) return [JSON.stringify(reason.problems)];
    return [String(reason)];
  });
  return { won: CALLERS - told.length, told: [...new Set(told)] };
}
const taken = (attribute: string, message = 'is taken') => [JSON.stringify([{ attribute, code: 'taken', message }])];
const rowsOf = async (table: string) => (await database().pool.query(`select from ${table}`)).rowCount;

describe.each([4, 64])('64 callers on a pool of %d', (poolSize) => {
  let pool: Database;
  beforeAll(async () => {
    pool = await open({ poolSize });
  });
  const racing = (write: (caller: number) => Promise<unknown>) => pool.use(() => race(write));

  test(`${ROUNDS} rounds of one e-mail: one row each, and one language for all others`, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const result = await racing((caller) =>
        Member.create({ email: caller % 2 === 0 ? `ann${round}@x.org` : `Ann${round}@X.org` }),
      );
      expect(result).toEqual({ won: 1, told: taken('email') });
      expect(await rowsOf('members')).toBe(round + 1);
    }
  });

  const LEVELS: IsolationLevel[] = ['read committed', 'repeatable read', 'serializable'];
  test.each(LEVELS)('inside transactions at %s that go on afterwards and commit', async (isolation) => {
    let wins = 0;
    const result = await racing((caller) =>
      pool
        .transaction({ isolation }, async () => {
          await Room.create({ floor: caller, name: 'own' });
          try {
            await Member.create({ email: 'one@x.org' });
          } catch (error) {
            if (!(error instanceof ValidationError)) throw error;
            expect(error.problems).toEqual([{ attribute: 'email', code: 'taken', message: 'is taken' }]);
            await Room.create({ floor: caller, name: 'loser' });
            return;
          }
          await Room.create({ floor: caller, name: 'winner' });
        })
        .then(() => (wins += 1)),
    );
    expect(result).toEqual({ won: CALLERS, told: [] });
    expect(wins).toBe(CALLERS);
    expect(await rowsOf('members')).toBe(1);
    const { rows } = await database().pool.query(
      'select name, count(*)::int as n from rooms group by name order by name',
    );
    expect(rows).toEqual([
      { name: 'loser', n: CALLERS - 1 },
      { name: 'own', n: CALLERS },
      { name: 'winner', n: 1 },
    ]);
  });

  test('unique within a scope', async () => {
    const result = await racing((caller) => Room.create({ floor: caller % 4, name: 'east' }));
    expect(result).toEqual({ won: 4, told: taken('name', 'is there already') });
  });

  test('unique among some rows only', async () => {
    const result = await racing((caller) => Booking.create({ seat: 1, cancelled: caller % 4 === 0 }));
    expect(result).toEqual({ won: 1 + CALLERS / 4, told: taken('seat') });
  });

  test('update() to one value', async () => {
    const members = await pool.use(() =>
      Promise.all(Array.from({ length: CALLERS }, (_, index) => Member.create({ email: `m${index}@x.org` }))),
    );
    const result = await racing((caller) => members[caller]!.update({ email: 'wanted@x.org' }));
    expect(result).toEqual({ won: 1, told: taken('email') });
    expect(members.filter(({ isChanged }) => isChanged)).toHaveLength(CALLERS - 1);
    expect(members.filter(({ errors }) => errors.on('email').includes('is taken'))).toHaveLength(CALLERS - 1);
  });
});
