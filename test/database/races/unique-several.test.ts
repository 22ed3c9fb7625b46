import {
  BeforeSave,
  Column,
  Id,
  Model,
  RetriesExhaustedError,
  Table,
  Unique,
  Validates,
  ValidationError,
} from 'bellwether';
import type { Database, IsolationLevel } from 'bellwether';
import { barrier, errorOf, setUp } from '../transaction/support';

@Table('users')
class User extends Model {
  @Id() declare readonly id: bigint;
  @Column() @Unique() declare email: string;
  @Column() @Unique({ caseInsensitive: true }) declare nick: string;
}

/** With a look before the write, as many applications have one: it may be refused with 40001 instead of 23505. */
let meet = (): Promise<void> => Promise.resolve();
@Table('users')
class PoliteUser extends Model {
  @Id() declare readonly id: bigint;
  @Column() @Unique() declare email: string;
  @Column() @Unique({ caseInsensitive: true }) declare nick: string;
  @Validates() async looksFree() {
    if (await PoliteUser.where({ email: this.email }).exists()) this.errors.add('email', 'is taken', 'taken');
    await meet();
  }
}

@Table('turns')
class Turn extends Model {
  @Id() declare readonly id: bigint;
  @Column('integer') @Unique({ deferred: true }) declare position: number;
  @BeforeSave() aside(): void {}
}

const { database, db, open } = setUp(`
  create table users (id bigint generated always as identity primary key, email text not null unique, nick text not null);
  create unique index on users (lower(nick));
  create table turns (id bigint generated always as identity primary key,
    position int not null unique deferrable initially deferred);
`);
beforeEach(() => database().pool.query('truncate users, turns restart identity'));
afterEach(() => (meet = () => Promise.resolve()));

const CALLERS = 64;
const LEVELS: IsolationLevel[] = ['read committed', 'repeatable read', 'serializable'];
const CASES = [4, 16, 64].flatMap((poolSize) => LEVELS.map((isolation) => [poolSize, isolation] as const));
const pools = new Map<number, Database>();
beforeAll(async () => {
  for (const poolSize of [4, 16, 64]) pools.set(poolSize, await open({ poolSize }));
});

test.each(CASES)(
  'two unique attributes, pool of %d, %s: who loses hears what is true, and no more',
  async (poolSize, isolation) => {
    const pool = pools.get(poolSize)!;
    const wanted = Array.from({ length: CALLERS }, (_, caller) => ({
      email: `${caller % 6}@x.org`,
      nick: caller % 2 === 0 ? `nick ${caller % 9}` : `NICK ${caller % 9}`,
    }));
    const outcomes = await pool.use(() =>
      Promise.allSettled(wanted.map((values) => pool.transaction({ isolation }, () => User.create(values)))),
    );
    const rows = (
      await database().pool.query<{ email: string; nick: string }>('select email, lower(nick) as nick from users')
    ).rows;
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(rows.length);
    for (const [caller, outcome] of outcomes.entries()) {
      if (outcome.status === 'fulfilled') continue;
      expect(outcome.reason).toBeInstanceOf(ValidationError);
      const { problems } = outcome.reason as ValidationError;
      expect(problems.length).toBeGreaterThan(0);
      for (const { attribute, code } of problems) {
        const key = attribute as 'email' | 'nick';
        expect([code, rows.map((row) => row[key])]).toEqual([
          'taken',
          expect.arrayContaining([wanted[caller]![key].toLowerCase()]),
        ]);
      }
    }
    // Once all is committed, everybody who asks again hears everything.
    const { email, nick } = rows[0]!;
    expect(await errorOf(pool.use(() => User.create({ email, nick })))).toMatchObject({
      problems: [
        { attribute: 'email', code: 'taken' },
        { attribute: 'nick', code: 'taken' },
      ],
    });
  },
);

test.each(CASES)('deferred, pool of %d, %s: one wins, all others hear it at COMMIT', async (poolSize, isolation) => {
  const pool = pools.get(poolSize)!;
  const outcomes = await pool.use(() =>
    Promise.allSettled(
      Array.from({ length: CALLERS }, (_, caller) =>
        pool.transaction({ isolation }, () => Turn.create({ position: caller % 4 })),
      ),
    ),
  );
  const told = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
  expect(told).toHaveLength(CALLERS - 4);
  for (const reason of told) {
    expect(reason).toMatchObject({
      code: 'E_VALIDATION',
      problems: [{ attribute: 'position', code: 'taken', message: 'is taken' }],
    });
  }
  expect((await database().pool.query('select from turns')).rowCount).toBe(4);
});

describe('a duplicate that arrives as a serialization failure', () => {
  /** Both have looked before either writes. */
  const race = (attempts?: number) => {
    const bothLooked = barrier(2);
    meet = bothLooked;
    const one = (nick: string) =>
      db().transaction({ isolation: 'serializable', ...(attempts && { attempts }) }, () =>
        PoliteUser.create({ email: 'one@x.org', nick }),
      );
    return Promise.allSettled([one('a'), one('b')]);
  };
  const reasonOf = (outcomes: PromiseSettledResult<unknown>[]) =>
    outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));

  test('is tried again, and told as what it is', async () => {
    let retries = 0;
    const stop = db().on('transaction:retry', () => (retries += 1));
    const told = reasonOf(await race());
    stop();
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ code: 'E_VALIDATION', problems: [{ attribute: 'email', code: 'taken' }] });
    expect(retries).toBeGreaterThan(0);
  });

  test('with one attempt only, nobody can know yet: RetriesExhausted, never the driver’s error', async () => {
    const told = reasonOf(await race(1));
    expect(told).toHaveLength(1);
    expect(told[0]).toBeInstanceOf(RetriesExhaustedError);
    expect(told[0]).toMatchObject({ cause: { code: 'E_SERIALIZATION_FAILURE' } });
  });
});
