/* eslint-disable @typescript-eslint/require-await -- bodies that wait for nothing are fine here */
import { currentTransaction, sql, transactional, TransactionEndedError, TransactionRequiredError } from 'bellwether';
import type { Database, IsolationLevel, Transaction } from 'bellwether';
import { errorOf, reasonOf, setUp } from './support';

const { database, db, open } = setUp('create table things (id int primary key)');
beforeEach(() => database().pool.query('truncate things'));

const insert = (id: number) => sql`insert into things values (${id})`.execute(db().kysely());
const ids = async () =>
  (await database().pool.query<{ id: number }>('select id from things order by id')).rows.map(({ id }) => id);
const asStrong = (value: unknown) => value as Transaction<'serializable'>;

let bodies = 0;
beforeEach(() => void (bodies = 0));
const addAs = <L extends IsolationLevel>(isolation: L) =>
  transactional({ isolation, name: 'add' }, async (id: number) => {
    bodies += 1;
    await insert(id);
    return currentTransaction()!.id;
  });
const addSnapshot = addAs('repeatable read');

describe('operation.in(tx)', () => {
  test('runs inside that transaction, from within it and from elsewhere', async () => {
    const error = await reasonOf(
      db().transaction({ isolation: 'serializable' }, async (tx) => {
        expect(await addSnapshot.in(tx, 1)).toBe(tx.id);
        expect(await db().outsideTransaction(() => addSnapshot.in(tx, 2))).toBe(tx.id);
        await db().outsideTransaction(() =>
          db().transaction(async (other) => expect(await addSnapshot.in(tx, 3)).not.toBe(other.id)),
        );
        throw new Error('undo it all');
      }),
    );
    expect(error).toMatchObject({ message: 'undo it all' });
    expect(bodies).toBe(3);
    expect(await ids()).toEqual([]);
  });

  test('beneath a savepoint of that transaction it stays there', async () => {
    await db().transaction({ isolation: 'serializable' }, async (tx) => {
      await reasonOf(
        db().transaction({ savepoint: true }, async () => {
          await addSnapshot.in(tx, 1);
          throw new Error('undo the inner one');
        }),
      );
      await db().transaction({ isolation: 'serializable', savepoint: true }, (inner) => addSnapshot.in(inner, 2));
    });
    expect(await ids()).toEqual([2]);
  });

  const LEVELS = ['read committed', 'repeatable read', 'serializable'] as const;
  test.each(LEVELS.flatMap((given) => LEVELS.map((needed) => [given, needed] as const)))(
    'a transaction at %s where %s is declared',
    async (given, needed) => {
      const isEnough = LEVELS.indexOf(given) >= LEVELS.indexOf(needed);
      await db().transaction({ isolation: given }, async (tx) => {
        const attempt = addAs(needed).in(asStrong(tx), 1);
        if (isEnough) expect(await attempt).toBe(tx.id);
        else {
          const error = await errorOf(attempt);
          expect(error.code).toBe('E_TRANSACTION_REQUIRED');
          expect(error.details).toEqual({ needed, given });
        }
        await insert(2); // a refusal costs the transaction nothing
      });
      expect(bodies).toBe(isEnough ? 1 : 0);
      expect(await ids()).toEqual(isEnough ? [1, 2] : [2]);
    },
  );

  test('an isolation that was written over convinces nobody', async () => {
    await db().transaction({ isolation: 'read committed' }, async (tx) => {
      expect(() => Object.assign(tx, { isolation: 'serializable' })).toThrow(TypeError);
      Object.defineProperty(tx, 'isolation', { value: 'serializable' });
      expect((await errorOf(addAs('serializable').in(asStrong(tx), 1))).code).toBe('E_TRANSACTION_REQUIRED');
    });
    expect(bodies).toBe(0);
  });

  test.each<[string, (tx: Transaction) => unknown]>([
    ['a plain object', () => ({ isolation: 'serializable', id: 1, isOpen: true })],
    ['nothing', () => undefined],
    ['a copy', (tx) => ({ ...tx })],
    ['an heir', (tx) => Object.create(tx) as unknown],
    ['a proxy', (tx) => new Proxy(tx, {})],
    ['an object of its class', (tx) => Object.create(Object.getPrototypeOf(tx) as object) as unknown],
    ['the database', () => db()],
    ['a driver’s pool', () => database().pool],
  ])('%s is no transaction', async (_what, forge) => {
    await db().transaction({ isolation: 'serializable' }, async (tx) => {
      expect((await errorOf(addSnapshot.in(asStrong(forge(tx)), 1))).code).toBe('E_NOT_A_TRANSACTION');
    });
    expect(bodies).toBe(0);
  });

  test('one that is over is refused, be it committed or rolled back', async () => {
    const kept: Transaction<'serializable'>[] = [];
    await db().transaction({ isolation: 'serializable' }, async (tx) => void kept.push(tx));
    await reasonOf(
      db().transaction({ isolation: 'serializable' }, async (tx) => {
        kept.push(tx);
        throw new Error('no');
      }),
    );
    await db().transaction({ isolation: 'serializable' }, async () => {
      await reasonOf(
        db().transaction({ isolation: 'serializable', savepoint: true }, async (tx) => {
          kept.push(tx);
          throw new Error('no');
        }),
      );
      for (const tx of kept) {
        for (const add of [addSnapshot, transactional(() => insert(1))] as (typeof addSnapshot)[]) {
          const error = await errorOf(add.in(tx, 1));
          expect(error.code).toBe('E_TRANSACTION_ENDED');
          expect(error.message).toContain('An operation was handed a transaction that has already ended.');
        }
        expect(() => tx.atLeast('read committed')).toThrow(TransactionEndedError);
      }
    });
    expect([kept.length, bodies]).toEqual([3, 0]);
  });

  test('one of another database is refused', async () => {
    const other: Database = await open({ poolSize: 1 });
    const error = await other.transaction({ isolation: 'serializable' }, (tx) =>
      errorOf(db().use(() => addSnapshot.in(tx, 1))),
    );
    expect(error.code).toBe('E_FOREIGN_TRANSACTION');
    expect(await other.transaction({ isolation: 'serializable' }, (tx) => addSnapshot.in(tx, 2))).toBeGreaterThan(0);
    expect(bodies).toBe(1);
  });
});

describe('what names no isolation', () => {
  test('a body that takes tx is promised that of the connection, and refused under less', async () => {
    await db().transaction({ isolation: 'read committed' }, async () => {
      const error = await errorOf(db().transaction(async (tx) => tx.id));
      expect(error.code).toBe('E_NESTED_TRANSACTION');
      expect(await db().transaction(() => Promise.resolve('joined'))).toBe('joined');
      expect(await db().transaction({ savepoint: true }, async (tx) => tx.isolation)).toBe('read committed');
    });
    const weaker = await open({ isolation: 'read committed' });
    expect(weaker.isolation).toBe('read committed');
    const level = await weaker.transaction({ isolation: 'read committed' }, () =>
      weaker.transaction(async (tx) => tx.isolation),
    );
    expect(level).toBe('read committed');
  });
});

describe('the level of a transaction at hand', () => {
  test('currentTransaction(level) is the one around, if it is at least that', async () => {
    expect(() => currentTransaction('read committed')).toThrow(
      'A transaction at read committed or stronger is needed here; there is none.',
    );
    await db().transaction({ isolation: 'repeatable read' }, async (tx) => {
      expect(currentTransaction('read committed').id).toBe(tx.id);
      expect(currentTransaction('repeatable read').id).toBe(tx.id);
      expect(() => currentTransaction('serializable')).toThrow(
        'A transaction at serializable or stronger is needed here; this one is at repeatable read.',
      );
      await insert(1);
    });
    expect(await ids()).toEqual([1]);
  });

  test('tx.atLeast narrows, or refuses', async () => {
    await db().transaction({ isolation: 'repeatable read' }, async (tx) => {
      expect(tx.atLeast('repeatable read')).toBe(tx);
      expect(() => tx.atLeast('serializable')).toThrow(TransactionRequiredError);
      await insert(1);
    });
    expect(await ids()).toEqual([1]);
  });
});
