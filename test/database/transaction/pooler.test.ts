import { BelongsTo, Column, connect, HasMany, Id, Model, sql, Table } from 'bellwether';
import type { Database, HasMany as Many } from 'bellwether';
import { barrier, errorOf, setUp, untilBlocked } from './support';
import { PGBOUNCER, startPgBouncer, startStandIn } from './pooler';
import type { Pooler, PoolerOptions } from './pooler';

@Table('accounts')
class Account extends Model {
  @Id('integer') declare id: number;
  @Column('integer') declare balance: number;
  @HasMany(() => Entry) declare entries: Many<Entry>;
  @HasMany(() => Entry, { foreignKey: 'otherId' }) declare others: Many<Entry>;
}

@Table('entries')
class Entry extends Model {
  @Id('integer') declare id: number;
  @BelongsTo(() => Account) declare account: BelongsTo<Account>;
  @BelongsTo(() => Account) declare other: BelongsTo<Account>;
}

const { database } = setUp(`
  create table accounts (id int primary key, balance int not null);
  create table entries (id int primary key, account_id int not null, other_id int not null);
  insert into entries values (1, 1, 2), (2, 1, 1), (3, 2, 1)`);
beforeEach(() => database().pool.query('truncate accounts; insert into accounts values (1, 1000), (2, 1000)'));

type Start = (url: string, options?: PoolerOptions) => Promise<Pooler>;
const KINDS: [name: string, start: Start][] = [['a stand-in that looks like a pooler', startStandIn]];
if (PGBOUNCER !== undefined) KINDS.push([`${PGBOUNCER}, transaction mode`, startPgBouncer]);
else process.stderr.write('pgbouncer is not installed: its part is played by the stand-in alone.\n');

describe.each(KINDS)('behind %s', (_name, start) => {
  describe.each(['', 'options'])('that drops instead of refusing: "%s"', (ignores) => {
    let pooler: Pooler;
    let db: Database;
    beforeAll(async () => {
      pooler = await start(database().url, { ignores });
      db = await connect({ url: pooler.url, poolSize: 20 });
    });
    afterAll(async () => {
      await db?.close();
      await pooler.close();
    });

    test('whatever is not declared otherwise is serializable all the same', async () => {
      const level = async () =>
        (await sql<{ level: string }>`select current_setting('transaction_isolation') as level`.execute(db.kysely()))
          .rows[0]!.level;
      expect(await level()).toBe('serializable');
      expect(await db.transaction(level)).toBe('serializable');
      expect(await db.transaction({ isolation: 'read committed' }, level)).toBe('read committed');
    });

    test('32 callers at one hot row: all succeed, and nothing is left in the pooler’s sessions', async () => {
      let retries = 0;
      const off = db.on('transaction:retry', () => (retries += 1));
      const caller = async () => {
        for (let round = 0; round < 5; round++) {
          await db.transaction(async () => {
            const account = await Account.find(1);
            await account.update({ balance: account.balance - 1 });
          });
        }
      };
      await db.use(() => Promise.all(Array.from({ length: 32 }, caller)));
      off();
      expect((await db.use(() => Account.find(1))).balance).toBe(1000 - 160);
      expect(retries).toBeGreaterThan(0);
      expect(
        (
          await database().pool.query(
            `select from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
          )
        ).rowCount,
      ).toBe(0);
    });

    test('write skew is refused and retried', async () => {
      const meet = barrier(2);
      const withdraw = (id: number) =>
        db.transaction(async (tx) => {
          const sum = await Account.query().sum('balance');
          if (tx.attempt === 1) await meet();
          if (sum >= 2000) await Account.where({ id }).decrement({ balance: 2000 });
        });
      await db.use(() => Promise.all([withdraw(1), withdraw(2)]));
      expect(await db.use(() => Account.query().sum('balance'))).toBe(0);
    });

    test('the same query over and over, on whatever session: no prepared statement is missed', async () => {
      await db.use(() => Promise.all(Array.from({ length: 60 }, () => db.transaction(() => Account.find(2)))));
      expect(await db.use(() => Account.count())).toBe(2);
    });

    test('what is included comes in one flight, each statement a transaction of its own', async () => {
      const read = async () => {
        const [one, two] = await Account.order('id').include('entries', 'others');
        return [one!.entries, one!.others, two!.entries, two!.others].map(({ length }) => length);
      };
      const all = await db.use(() => Promise.all(Array.from({ length: 40 }, read)));
      expect(all).toEqual(Array.from({ length: 40 }, () => [2, 2, 1, 1]));
    });

    test('an abort reaches the server through it', async () => {
      const controller = new AbortController();
      const holder = await database().pool.connect();
      await holder.query('begin; select from accounts where id = 1 for update');
      const attempt = errorOf(
        db.transaction({ signal: controller.signal }, () => Account.where({ id: 1 }).decrement({ balance: 1 })),
      );
      await untilBlocked(database());
      controller.abort();
      expect((await attempt).code).toBe('E_ABORTED');
      await holder.query('rollback');
      holder.release();
    });
  });
});
