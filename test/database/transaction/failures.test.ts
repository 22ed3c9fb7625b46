import { connect, sql, TransactionEndedError } from 'bellwether';
import type { Database } from 'bellwether';
import { errorOf, FAILURES, planFailures, reasonOf, setUp, signal } from './support';

const { database, db, open } = setUp(`create table things (id int primary key); ${FAILURES}`);
beforeEach(() => database().pool.query('truncate things, planned'));

const insert = (id: number, on: Database = db()) => sql`insert into things values (${id})`.execute(on.kysely());
const broken = () => sql`select 1 / 0`.execute(db().kysely());
const ids = async () =>
  (await database().pool.query<{ id: number }>('select id from things order by id')).rows.map(({ id }) => id);

describe('the error of the body', () => {
  test.each([
    ['an Error', new Error('mine')],
    ['a text', 'mine'],
    ['undefined', undefined],
  ])('%s arrives as it is, and nothing is committed', async (_what, thrown) => {
    const attempt = db().transaction(async () => {
      await insert(1);
      // eslint-disable-next-line @typescript-eslint/only-throw-error
      throw thrown;
    });
    expect(await reasonOf(attempt)).toBe(thrown);
    expect(await ids()).toEqual([]);
  });

  test('is not replaced when ROLLBACK fails, since the session was ended meanwhile', async () => {
    const one = await open({ poolSize: 1, applicationName: 'ended' });
    const mine = new Error('mine');
    const attempt = one.transaction(async () => {
      await insert(1, one);
      await database().pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ended'`,
      );
      throw mine;
    });
    expect(await reasonOf(attempt)).toBe(mine);
    expect(await ids()).toEqual([]);
    await insert(2, one); // on a new session
    expect(await ids()).toEqual([2]);
  });

  test('thrown without a promise is treated the same', async () => {
    const attempt = db().transaction(() => {
      throw new Error('at once');
    });
    expect(await reasonOf(attempt)).toMatchObject({ message: 'at once' });
  });
});

describe('an error that the body swallows', () => {
  test('E_TRANSACTION_DOOMED with the first error; nothing is committed; later statements are refused', async () => {
    const attempt = db().transaction(async () => {
      await insert(1);
      const first = await errorOf(broken());
      expect(first.code).toBe('E_INVALID_VALUE');
      const refused = await errorOf(insert(2));
      expect(refused).toMatchObject({ code: 'E_TRANSACTION_DOOMED', cause: first });
      return 'fine';
    });
    expect(await errorOf(attempt)).toMatchObject({
      code: 'E_TRANSACTION_DOOMED',
      cause: { code: 'E_INVALID_VALUE', details: { sqlState: '22012' } },
    });
    expect(await ids()).toEqual([]);
  });

  test('so too when the failed statement was not awaited at all', async () => {
    const attempt = db().transaction(async () => {
      await insert(1);
      broken().catch(() => 'ignored');
    });
    expect((await errorOf(attempt)).code).toBe('E_TRANSACTION_DOOMED');
    expect(await ids()).toEqual([]);
  });

  test.each(['40001', '40P01'])('%s: the whole is run again, for nothing of it can be committed', async (sqlState) => {
    await planFailures(database(), sqlState, 2);
    let bodies = 0;
    await db().transaction(async () => {
      bodies += 1;
      await insert(bodies);
      await sql`select fail_as_planned()`.execute(db().kysely()).catch(() => 'swallowed');
    });
    expect(bodies).toBe(3);
    expect(await ids()).toEqual([3]);
  });

  test('statements sent in the same flight after the failed one tell of it, the prepared ones too', async () => {
    const one = await open({ poolSize: 1 });
    let bodies = 0;
    const attempt = one.transaction(async () => {
      bodies += 1;
      const [first, ...others] = await Promise.all(
        [1, 1, 2, 3].map((id) => reasonOf(sql`insert into things values (${id}), (${id})`.execute(one.kysely()))),
      );
      expect(first).toMatchObject({ code: 'E_UNIQUE_VIOLATION' });
      for (const other of others) expect(other).toMatchObject({ code: 'E_TRANSACTION_DOOMED', cause: first });
      throw first;
    });
    expect((await errorOf(attempt)).code).toBe('E_UNIQUE_VIOLATION');
    expect(bodies).toBe(1);
  });

  test('a transaction command of one’s own that ends the transaction is found out', async () => {
    const attempt = db().transaction(async () => {
      await insert(1);
      await sql`rollback`.execute(db().kysely());
      await sql`begin`.execute(db().kysely());
      await sql`select 1 / 0`.execute(db().kysely()).catch(() => 'swallowed');
    });
    expect((await errorOf(attempt)).code).toBe('E_TRANSACTION_DOOMED');
    expect(await ids()).toEqual([]);
  });
});

describe('after the end', () => {
  test('a query of a promise that nobody awaited is refused: no autocommit, no foreign transaction', async () => {
    const one = await open({ poolSize: 1 });
    const over = signal();
    let late!: Promise<unknown>;
    await one.transaction(async () => {
      await insert(1, one);
      late = reasonOf(over.promise.then(() => insert(2, one)));
    });
    await one.transaction(async () => {
      await insert(3, one);
      over.give();
      expect(await late).toMatchObject({ code: 'E_TRANSACTION_ENDED', recovery: 'fix-the-code' });
    });
    expect(await ids()).toEqual([1, 3]);
  });

  test('a nested transaction there is refused too, and a handle kept says that it is closed', async () => {
    const over = signal();
    let late!: Promise<unknown>;
    const kept = await db().transaction((tx) => {
      late = reasonOf(over.promise.then(() => db().transaction(() => insert(1))));
      expect(tx.isOpen).toBe(true);
      return Promise.resolve(tx);
    });
    over.give();
    expect(await late).toMatchObject({ code: 'E_TRANSACTION_ENDED' });
    expect(kept.isOpen).toBe(false);
    expect(() => kept.afterCommit(() => undefined)).toThrow(TransactionEndedError);
    expect(await ids()).toEqual([]);
  });

  test('db.outsideTransaction is the way for what is to outlive it', async () => {
    const attempt = db().transaction(async () => {
      await insert(1);
      await db().outsideTransaction(() => insert(2));
      throw new Error('rolled back');
    });
    await reasonOf(attempt);
    expect(await ids()).toEqual([2]);
  });

  test('statements that nobody awaited are part of the transaction: the end waits for them', async () => {
    await db().transaction(() => {
      for (const id of [1, 2, 3]) void insert(id);
      return Promise.resolve();
    });
    expect(await ids()).toEqual([1, 2, 3]);
  });
});

test('a BEGIN that the server refuses fails the statements that left with it', async () => {
  const one = await open({ poolSize: 1 });
  const holdsNothing = await errorOf(
    one.transaction({ statementTimeoutMs: 1 }, async () => {
      await sql`select pg_sleep(1)`.execute(one.kysely());
    }),
  );
  expect(holdsNothing.code).toBe('E_STATEMENT_CANCELLED');
  await insert(1, one);
  expect(await ids()).toEqual([1]);
});

test('close() waits for those that wait for a session, and refuses the next', async () => {
  const one = await connect({ url: database().url, poolSize: 1 });
  const release = signal();
  const holding = one.transaction(async () => {
    await insert(1, one);
    await release.promise;
  });
  const waiting = insert(2, one);
  await new Promise((resolve) => setImmediate(resolve)); // kysely sends after a few promises
  const closing = one.close();
  const refused = errorOf(insert(3, one));
  release.give();
  await Promise.all([holding, waiting, closing]);
  expect((await refused).code).toBe('E_DATABASE_CLOSED');
  expect(await ids()).toEqual([1, 2]);
});
