import { Id, Model, sql, Table } from 'bellwether';
import type { TransactionOptions } from 'bellwether';
import { barrier, errorOf, reasonOf, setUp, signal } from './support';

@Table('things')
class Thing extends Model {
  @Id('integer') declare id: number;
}

const { database, db } = setUp('create table things (id int primary key)');
beforeEach(() => database().pool.query('truncate things'));

const insert = (id: number) => sql`insert into things values (${id})`.execute(db().kysely());
const broken = () => sql`select 1 / 0`.execute(db().kysely());
const ids = async () =>
  (await database().pool.query<{ id: number }>('select id from things order by id')).rows.map(({ id }) => id);
const inner = (body: () => Promise<unknown>, options: TransactionOptions = { savepoint: true }) =>
  db().transaction(options, body);

test('joined: what the inner one did belongs to the outer one', async () => {
  await db().transaction(async () => {
    await insert(1);
    await inner(() => insert(2), {});
    await insert(3);
  });
  expect(await ids()).toEqual([1, 2, 3]);
});

test.each([
  ['an error of its own', () => Promise.reject(new Error('no'))],
  ['a failed statement', broken],
])('joined: %s in the inner one dooms the outer one, caught or not', async (_what, fail) => {
  const attempt = db().transaction(async () => {
    await insert(1);
    const reason = await reasonOf(inner(fail, {}));
    expect(await reasonOf(insert(2))).toMatchObject({ code: 'E_TRANSACTION_DOOMED', cause: reason });
    return reason;
  });
  expect((await errorOf(attempt)).code).toBe('E_TRANSACTION_DOOMED');
  expect(await ids()).toEqual([]);
});

test.each([
  ['an error of its own', () => Promise.reject(new Error('no')), 'no'],
  ['a failed statement', broken, 'E_INVALID_VALUE'],
  ['a failed statement that it caught', () => broken().catch(() => undefined), 'E_TRANSACTION_DOOMED'],
])('savepoint: %s undoes the inner one alone', async (_what, fail, expected) => {
  await db().transaction(async () => {
    await insert(1);
    const reason = (await reasonOf(
      inner(async () => {
        await insert(2);
        await fail();
      }),
    )) as Error & { code?: string };
    expect(reason.code ?? reason.message).toBe(expected);
    await insert(3);
  });
  expect(await ids()).toEqual([1, 3]);
});

test('three levels deep: each failure undoes its own level and those within it', async () => {
  await db().transaction(async () => {
    await insert(1);
    await reasonOf(
      inner(async () => {
        await insert(2);
        await inner(async () => {
          await insert(3);
          await reasonOf(inner(() => insert(4).then(broken)));
          await insert(5);
        });
        throw new Error('the second level');
      }),
    );
    await inner(async () => {
      await insert(6);
      await reasonOf(inner(() => insert(7).then(broken)));
      await inner(() => insert(8));
    });
  });
  expect(await ids()).toEqual([1, 6, 8]);
});

test('siblings in parallel: the failing ones are undone alone, the others and the parent’s statements are kept', async () => {
  const SIBLINGS = 12;
  await db().transaction(async () => {
    const meet = barrier(SIBLINGS);
    const siblings = Array.from({ length: SIBLINGS }, (_, index) =>
      inner(async () => {
        await insert(100 + index);
        if (index % 3 === 1) await broken();
        await insert(200 + index);
        if (index % 3 === 2) throw new Error('its own');
      }),
    );
    const own = Array.from({ length: SIBLINGS }, (_, index) => insert(300 + index));
    void meet();
    const outcomes = await Promise.allSettled(siblings);
    expect(outcomes.map(({ status }) => status)).toEqual(
      Array.from({ length: SIBLINGS }, (_, index) => (index % 3 === 0 ? 'fulfilled' : 'rejected')),
    );
    await Promise.all(own);
  });
  const kept = [0, 3, 6, 9];
  expect(await ids()).toEqual([
    ...kept.map((index) => 100 + index),
    ...kept.map((index) => 200 + index),
    ...Array.from({ length: SIBLINGS }, (_, index) => 300 + index),
  ]);
});

test('a statement of the parent while a nested one is open is kept when that one is undone', async () => {
  await db().transaction(async () => {
    const [entered, release] = [signal(), signal()];
    const undone = reasonOf(
      inner(async () => {
        await insert(1);
        entered.give();
        await release.promise;
        await broken();
      }),
    );
    await entered.promise;
    const own = insert(2);
    await new Promise((resolve) => setImmediate(resolve)); // it would have been sent by now
    release.give();
    await Promise.all([undone, own]);
  });
  expect(await ids()).toEqual([2]);
});

test('a nested one that still runs when its parent fails keeps its hands off what comes after on the session', async () => {
  const single = db();
  const [entered, release, ended] = [signal(), signal(), signal()];
  let late: unknown;
  const attempt = single.transaction(async () => {
    const floating = inner(async () => {
      await insert(1);
      entered.give();
      await release.promise;
      await insert(2);
    });
    void floating.then(undefined, (error: unknown) => (late = error)).finally(ended.give);
    await entered.promise;
    throw new Error('the parent');
  });
  expect(await reasonOf(attempt)).toMatchObject({ message: 'the parent' }); // it does not wait for ever
  await single.transaction(async () => {
    // The same savepoint name, on the session that the pool lends again.
    await inner(async () => {
      await insert(10);
      release.give();
      await ended.promise;
      await insert(11);
    });
  });
  expect(late).toMatchObject({ code: 'E_TRANSACTION_ENDED' });
  expect(await ids()).toEqual([10, 11]);
});

test('a nested one that nobody awaits, opened while the end is near, is waited for as a whole', async () => {
  await db().transaction(async () => {
    await insert(1);
    void insert(2).then(() =>
      inner(async () => {
        await insert(3);
        await inner(() => insert(4));
      }),
    );
  });
  expect(await ids()).toEqual([1, 2, 3, 4]);
});

test('the failure of a parent’s statement that a nested one was sent along with is told as the reason', async () => {
  await insert(1);
  const attempt = db().transaction(async () => {
    const failing = reasonOf(Thing.whereSql(sql`1 / 0 = id`).exists()); // sent at once
    const within = reasonOf(inner(() => insert(2)));
    const first = await failing;
    expect(first).toMatchObject({ code: 'E_INVALID_VALUE' });
    expect(await within).toMatchObject({ code: 'E_TRANSACTION_DOOMED', cause: first });
  });
  expect(await errorOf(attempt)).toMatchObject({ code: 'E_TRANSACTION_DOOMED', cause: { code: 'E_INVALID_VALUE' } });
  expect(await ids()).toEqual([1]);
});

test('failing siblings leave no rejection unhandled, and a thousand transactions no listeners', async () => {
  const seen: unknown[] = [];
  const note = (what: unknown) => seen.push(what);
  process.on('unhandledRejection', note);
  process.on('warning', note);
  try {
    for (let round = 0; round < 100; round++) {
      await Promise.all(
        Array.from({ length: 10 }, () =>
          reasonOf(db().transaction(() => Promise.all([inner(broken), inner(() => insert(1)), broken(), broken()]))),
        ),
      );
    }
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.off('unhandledRejection', note);
    process.off('warning', note);
  }
  expect(seen).toEqual([]);
  expect(await ids()).toEqual([]);
});
