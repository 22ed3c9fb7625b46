import { connect, currentTransaction, FORBIDDEN, ISOLATION_LEVELS, sql, transactional } from 'bellwether';
import type { Database, EverydayName, OperationOptions } from 'bellwether';
import { barrier, setUp } from '../transaction/support';

const { database } = setUp('create table sums (id int primary key, value int not null)');

const CALLERS = 64;
const POOL = 16;
const ROUNDS = Number(process.env.RACE_ROUNDS ?? 3);

/** A new one each round: one that remembers a collision has callers queue, so that they would not meet. */
let db: Database;

const read = async (id: number) => {
  const { rows } = await sql<{ value: number }>`select value from sums where id = ${id}`.execute(db.kysely());
  return rows[0]!.value;
};
const write = (id: number, value: number) =>
  sql`update sums set value = ${value} where id = ${id}`.execute(db.kysely());
const rowsAbove = async (least: number) =>
  (await sql`select from sums where value > ${least}`.execute(db.kysely())).rows.length;
const move = () => db.transaction(() => Promise.all([write(1, 4), write(2, 16)]));
const isFirstAttempt = () => currentTransaction()!.attempt === 1;

type Operation = <T>(body: () => Promise<T>) => Promise<T>;

/** Operations that invite each anomaly, run by `as`. @returns whether it came */
const INVITATIONS: Partial<Record<EverydayName, (as: Operation) => Promise<boolean>>> = {
  'dirty read': async (as) => {
    const undone = db
      .transaction(async () => {
        await write(1, 99);
        if ((await db.outsideTransaction(() => as(() => read(1)))) === 99) throw new Error('seen');
        throw new Error('unseen');
      })
      .catch((error: Error) => error.message);
    return (await undone) === 'seen';
  },
  'lost update': async (as) => {
    const before = await read(1);
    const meet = barrier(POOL);
    const increment = (caller: number) =>
      as(async () => {
        const value = await read(1);
        if (caller < POOL && isFirstAttempt()) await meet();
        await write(1, value + 1);
      });
    await Promise.all(Array.from({ length: CALLERS }, (_, caller) => increment(caller)));
    return (await read(1)) !== before + CALLERS;
  },
  'non-repeatable read': (as) =>
    as(async () => {
      const first = await read(1);
      await db.outsideTransaction(move);
      return (await read(1)) !== first;
    }),
  'read skew': (as) =>
    as(async () => {
      const first = await read(1);
      await db.outsideTransaction(move);
      return first + (await read(2)) !== 20;
    }),
  phantom: (as) =>
    as(async () => {
      const first = await rowsAbove(5);
      await db.outsideTransaction(() => sql`insert into sums values (3, 10)`.execute(db.kysely()));
      return (await rowsAbove(5)) !== first;
    }),
  'write skew': async (as) => {
    const meet = barrier(2);
    const goOffDuty = (id: number) =>
      as(async () => {
        const onDuty = await rowsAbove(0);
        if (isFirstAttempt()) await meet();
        if (onDuty > 1) await write(id, 0);
      });
    await Promise.all([goOffDuty(1), goOffDuty(2)]);
    return (await rowsAbove(0)) === 0;
  },
};

describe.each(Object.entries(INVITATIONS) as [EverydayName, (as: Operation) => Promise<boolean>][])(
  '%s',
  (anomaly, came) => {
    const seen = async (options: OperationOptions) => {
      const seen = new Set<boolean>();
      for (let round = 0; round < ROUNDS; round++) {
        await database().pool.query('truncate sums; insert into sums values (1, 10), (2, 10)');
        db = await connect({ url: database().url, poolSize: POOL });
        seen.add(await db.use(() => came((body) => transactional(options, body)())));
        await db.close();
      }
      return [...seen];
    };

    test('does not come where it is forbidden', async () => {
      expect(await seen({ forbid: [anomaly] })).toEqual([false]);
    });

    const weaker = ISOLATION_LEVELS.filter((level) => !FORBIDDEN[level].includes(anomaly));
    if (weaker.length > 0) {
      test.each(weaker)('comes at %s, which lets it through', async (isolation) => {
        expect(await seen({ isolation })).toEqual([true]);
      });
    }
  },
);
