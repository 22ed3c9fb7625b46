import { Column, Counter, Id, Model, Table } from 'bellwether';
import { countingTrips, errorOf, setUp, signal, untilBlocked } from '../transaction/support';

@Table('shows')
class Show extends Model {
  @Id('integer') declare readonly id: number;
  @Column() declare name: string;
  @Column() @Counter({ min: 10, slots: 4 }) declare seats: number;
}

const { database, db } = setUp(`
  create table shows (id int primary key, name text not null, seats int not null check (seats >= 10));
  create table shows_seats_slots (owner_id integer not null references shows (id) on delete cascade, slot int not null,
    amount bigint not null check (amount >= 0), primary key (owner_id, slot)) with (fillfactor = 50);
`);

/** The row keeps its minimum of 10 and `kept`, the slots the rest. */
async function spread(kept: number, amounts: readonly number[]): Promise<void> {
  await database().pool.query(
    `truncate shows, shows_seats_slots; insert into shows values (1, 'Macbeth', ${10 + kept})`,
  );
  for (const [slot, amount] of amounts.entries()) {
    await database().pool.query('insert into shows_seats_slots values (1, $1, $2)', [slot, amount]);
  }
}
const stored = async () => {
  const { rows } = await database().pool.query<{ kept: number; amounts: number[] }>(
    `select seats - 10 as kept, array(select amount::int from shows_seats_slots order by slot) as amounts from shows`,
  );
  return rows[0]!;
};

test('the attribute shows what the row and its slots have, wherever it is read', async () => {
  await spread(3, [5, 0, 2, 1]);
  const show = await Show.find(1);
  expect(show.seats).toBe(21);
  expect(await Show.where('seats', '>', 20).where({ seats: 21 }).order('seats').pluck('seats')).toEqual([21]);
  expect(await Show.where('seats', '>', 21).exists()).toBe(false);
  expect(await Show.query().sum('seats')).toBe(21);
  expect(await Show.limit(1).sum('seats')).toBe(21);
  await show.update({ name: 'Othello' });
  expect(show.seats).toBe(21);
  await show.decrement('seats', 2);
  expect(show.seats).toBe(19);
  expect((await show.reload()).seats).toBe(19);
});

test('it is assigned on creation only: setting the row would not set the slots', async () => {
  await spread(0, []);
  const show = await Show.create({ id: 2, name: 'Hamlet', seats: 15 });
  expect((await Show.find(2)).seats).toBe(15);
  expect(await errorOf(show.update({ seats: 20 }))).toMatchObject({
    problems: [{ attribute: 'seats', code: 'counted' }],
  });
  const all = Show.where({ id: 2 });
  expect(await errorOf(all.updateAll({ seats: 20 }))).toMatchObject({ code: 'E_INVALID_OPERAND' });
  expect(await errorOf(all.decrement({ seats: 1 }))).toMatchObject({ code: 'E_INVALID_OPERAND' });
  await all.increment({ seats: 1 });
  expect((await Show.find(2)).seats).toBe(16);
});

const LEVELS = ['read committed', 'repeatable read', 'serializable'] as const;
describe.each([undefined, ...LEVELS])('in a transaction at %s', (isolation) => {
  const run = (body: () => Promise<unknown>) => (isolation ? db().transaction({ isolation }, body) : body());

  test('one slot serves, where one has enough', async () => {
    await spread(0, [0, 8, 0, 0]);
    await run(() => Show.decrement(1, 'seats', 8));
    expect(await stored()).toEqual({ kept: 0, amounts: [0, 0, 0, 0] });
  });

  test('what is left is gathered, to the last unit, and then refused', async () => {
    await spread(2, [1, 3, 0, 1]);
    expect(await errorOf(run(() => Show.decrement(1, 'seats', 8)))).toMatchObject({ code: 'E_COUNTER_EXHAUSTED' });
    await run(() => Show.decrement(1, 'seats', 7));
    expect(await stored()).toEqual({ kept: 0, amounts: [0, 0, 0, 0] });
    expect(await errorOf(run(() => Show.decrement(1, 'seats', 1)))).toMatchObject({ code: 'E_COUNTER_EXHAUSTED' });
  });

  test('much is spread over all slots, little is kept in the row', async () => {
    await spread(200, []);
    await run(() => Show.decrement(1, 'seats', 1));
    expect(await stored()).toEqual({ kept: 3, amounts: [49, 49, 49, 49] });
    await spread(60, []);
    await run(() => Show.decrement(1, 'seats', 1));
    expect(await stored()).toEqual({ kept: 59, amounts: [] });
  });

  test('units are given back to slots while they are spread, else to the row', async () => {
    await spread(0, [0, 8, 0, 0]);
    await run(() => Show.increment(1, 'seats', 2));
    expect(await stored()).toEqual({ kept: 0, amounts: [0, 10, 0, 0] });
    await spread(1, [0, 0, 0, 0]);
    await run(() => Show.increment(1, 'seats', 2));
    expect(await stored()).toEqual({ kept: 3, amounts: [0, 0, 0, 0] });
  });

  test('a record that is gone is not found', async () => {
    await spread(0, []);
    await database().pool.query('delete from shows');
    for (const change of [() => Show.decrement(1, 'seats'), () => Show.increment(1, 'seats')]) {
      expect(await errorOf(run(change))).toMatchObject({ code: 'E_RECORD_NOT_FOUND' });
    }
  });

  test('what was given back since the snapshot is not refused', async () => {
    await spread(0, [0, 0, 0, 0]);
    await run(async () => {
      if ((await Show.find(1)).seats === 10) await database().pool.query('update shows_seats_slots set amount = 1');
      await Show.decrement(1, 'seats', 4);
    });
    expect(await stored()).toEqual({ kept: 0, amounts: [0, 0, 0, 0] });
  });
});

/** Takes units in a transaction, and holds them until it is told how to end. */
async function holder(take: () => Promise<unknown>) {
  const [held, release] = [signal(), signal()];
  let isUndone = false;
  const ended = db()
    .transaction({ isolation: 'read committed' }, async () => {
      await take();
      held.give();
      await release.promise;
      if (isUndone) throw new RangeError('undone');
    })
    .catch((error: unknown) => {
      if (!(error instanceof RangeError)) throw error;
    });
  await held.promise;
  return async (end: 'commit' | 'undo') => {
    isUndone = end === 'undo';
    release.give();
    await ended;
  };
}

test('a slot that is held is passed over: others do not wait', async () => {
  await spread(0, [50, 9, 9, 9]);
  const end = await holder(() => Show.decrement(1, 'seats', 50));
  for (let sale = 0; sale < 20; sale++) await Show.decrement(1, 'seats', 1);
  await end('commit');
  expect((await Show.find(1)).seats).toBe(17);
});

test('what is free is gathered around a slot that is held', async () => {
  await spread(0, [4, 3, 3, 0]);
  const end = await holder(() => Show.decrement(1, 'seats', 4));
  await Show.decrement(1, 'seats', 6);
  await end('undo');
  expect(await stored()).toEqual({ kept: 0, amounts: [4, 0, 0, 0] });
});

test.each(['commit', 'undo'] as const)(
  'what others hold is waited for before anybody is refused: they %s',
  async (how) => {
    await spread(0, [2, 2, 0, 0]);
    const end = await holder(() => Show.decrement(1, 'seats', 2));
    const waiting = db()
      .use(() => Show.decrement(1, 'seats', 4))
      .then(
        () => 'served',
        (error: { code: string }) => error.code,
      );
    await untilBlocked(database());
    await end(how);
    expect(await waiting).toBe(how === 'undo' ? 'served' : 'E_COUNTER_EXHAUSTED');
  },
);

test('a missing table of slots is named by verify, with the SQL that makes it', async () => {
  await database().pool.query('alter table shows_seats_slots rename to elsewhere');
  const error = await errorOf(db().verify());
  await database().pool.query('alter table elsewhere rename to shows_seats_slots');
  expect(error.message).toContain('Show.seats: @Counter has no table "shows_seats_slots" for its slots');
});

describe('round trips', () => {
  test('one from a slot or from the row, two to be refused, five to gather', () =>
    countingTrips(database(), async (tripsOf) => {
      await spread(0, [5, 5, 5, 5]);
      expect(await tripsOf(() => Show.decrement(1, 'seats', 1))).toBe(1);
      expect(await tripsOf(() => Show.increment(1, 'seats', 1))).toBe(1);
      expect(await tripsOf(() => errorOf(Show.decrement(1, 'seats', 21)))).toBe(2);
      expect(await tripsOf(() => Show.decrement(1, 'seats', 19))).toBe(5);
      expect(await tripsOf(() => Show.decrement(1, 'seats', 1))).toBe(1);
    }));
});
