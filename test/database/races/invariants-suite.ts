import { Column, Id, Invariant, InvariantViolationError, Model, Table } from 'bellwether';
import type { Database, IsolationLevel } from 'bellwether';
import { barrier, setUp } from '../transaction/support';

@Table('doctors')
@Invariant<Doctor>('somebody is on call', { over: 'wardId', having: 'count(*) filter (where on_call) >= 1' })
class Doctor extends Model {
  @Id('integer') declare id: number;
  @Column('integer') declare wardId: number;
  @Column() declare onCall: boolean;
}

@Table('accounts')
@Invariant<Account>('joint cover', { over: 'customerId', having: 'sum(balance) >= 0' })
class Account extends Model {
  @Id('integer') declare id: number;
  @Column('integer') declare customerId: number;
  @Column('integer') declare balance: number;
}

@Table('seats')
@Invariant<Seat>('ten seats', { having: 'count(*) <= 10' })
class Seat extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare guest: string;
}

interface Tally {
  readonly done: number;
  readonly refused: number;
  /** Whatever else was thrown: nothing is to be. */
  readonly other: readonly unknown[];
}

const POOLS = [4, 16, 64];

/** The same races, by turns at each of the levels. */
export function raceInvariants(levels: readonly IsolationLevel[]): void {
  const { database, open } = setUp(`
  create table doctors (id int primary key, ward_id int not null, on_call boolean not null);
  create table accounts (id int primary key, customer_id int not null, balance int not null);
  create table seats (id bigint generated always as identity primary key, guest text not null);
`);

  const pools = new Map<number, Promise<Database>>();
  function poolOf(poolSize: number): Promise<Database> {
    if (!pools.has(poolSize)) pools.set(poolSize, open({ poolSize }));
    return pools.get(poolSize)!;
  }

  /** Runs `callers` operations at once, by turns at each of the levels, the first reads of all at one moment. */
  async function race(
    poolSize: number,
    callers: number,
    operation: (caller: number, meet: () => Promise<void>) => Promise<unknown>,
  ): Promise<Tally> {
    const pool = await poolOf(poolSize);
    const meet = barrier(Math.min(poolSize, callers));
    const one = (caller: number) =>
      pool.transaction({ isolation: levels[caller % levels.length]! }, (tx) =>
        operation(caller, () => (tx.attempt === 1 ? meet() : Promise.resolve())),
      );
    const outcomes = await pool.use(() =>
      Promise.allSettled(Array.from({ length: callers }, (_, caller) => one(caller))),
    );
    const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    const refused = errors.filter((error) => error instanceof InvariantViolationError);
    return {
      done: callers - errors.length,
      refused: refused.length,
      other: errors.filter((e) => !refused.includes(e as never)),
    };
  }

  const rows = async (query: string) => (await database().pool.query<Record<string, number>>(query)).rows;
  const deadlocks = async () =>
    Number((await rows(`select deadlocks from pg_stat_database where datname = current_database()`))[0]!.deadlocks);

  let deadlocksBefore = 0;
  beforeEach(async () => {
    await database().pool.query(`truncate doctors, accounts, seats restart identity;
    insert into doctors select n, n % 4, true from generate_series(0, 15) n;
    insert into accounts select n, n % 2, 10 from generate_series(0, 3) n`);
    deadlocksBefore = await deadlocks();
  });
  afterEach(async () => {
    expect((await deadlocks()) - deadlocksBefore).toBe(0);
  });

  describe.each(POOLS)('a pool of %d', (poolSize) => {
    test('sixteen doctors of four wards go off call at once: one stays in each, twelve go', async () => {
      const tally = await race(poolSize, 16, async (caller, meet) => {
        const doctor = await Doctor.find(caller);
        await meet();
        await doctor.update({ onCall: false });
      });
      expect(tally).toEqual({ done: 12, refused: 4, other: [] });
      expect(await rows('select ward_id, count(*)::int as n from doctors where on_call group by 1 order by 1')).toEqual(
        [0, 1, 2, 3].map((ward_id) => ({ ward_id, n: 1 })),
      );
    });

    test('two customers with twenty each take thirty ones from either account: twenty each go through', async () => {
      const tally = await race(poolSize, 60, async (caller, meet) => {
        await Account.count(); // a snapshot
        await meet();
        await Account.where({ id: caller % 4 }).decrement({ balance: 1 });
      });
      expect(tally).toEqual({ done: 40, refused: 20, other: [] });
      expect(await rows('select customer_id, sum(balance)::int as sum from accounts group by 1 order by 1')).toEqual([
        { customer_id: 0, sum: 0 },
        { customer_id: 1, sum: 0 },
      ]);
    });

    test('thirty guests for ten seats, none of which is there yet: ten sit', async () => {
      const tally = await race(poolSize, 30, async (caller, meet) => {
        await Seat.count();
        await meet();
        await Seat.create({ guest: `guest ${caller}` });
      });
      expect(tally).toEqual({ done: 10, refused: 20, other: [] });
      expect(await rows('select count(*)::int as n from seats')).toEqual([{ n: 10 }]);
    });
  });

  test('rows moved between groups by crossing transactions: neither group is left behind', async () => {
    const pool = await poolOf(16);
    const outcomes = await pool.use(() =>
      Promise.allSettled(
        Array.from({ length: 16 }, async (_, caller) => {
          const doctor = await Doctor.find(caller);
          await doctor.update({ wardId: (doctor.wardId + 1) % 4, onCall: false });
        }),
      ),
    );
    const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    expect(reasons.filter((reason) => !(reason instanceof InvariantViolationError))).toEqual([]);
    expect(await rows('select ward_id from doctors group by 1 having count(*) filter (where on_call) < 1')).toEqual([]);
  });
}
