/* eslint-disable @typescript-eslint/require-await -- bodies that wait for nothing are fine here */
import { currentTransaction, FORBIDDEN, InvalidOperationError, sql, Transactional, transactional } from 'bellwether';
import type { Anomaly, FrameworkEvents, OperationOptions } from 'bellwether';
import { Terms } from '../../../framework/transaction/operation';
import { errorOf, reasonOf, setUp } from './support';

const { database, db } = setUp('create table things (id int primary key)');
beforeEach(() => database().pool.query('truncate things'));

const insert = (id: number) => sql`insert into things values (${id})`.execute(db().kysely());
const count = async () => (await database().pool.query('select from things')).rowCount;

class Shop {
  readonly #first = 1;
  @Transactional({ isolation: 'read committed' })
  async fill(...more: number[]): Promise<string> {
    for (const id of [this.#first, ...more]) await insert(id);
    return currentTransaction()!.isolation;
  }
  @Transactional({ name: 'filling twice' })
  static async fillTwice(): Promise<void> {
    await new Shop().fill();
    await new Shop().fill();
  }
}

test('a method keeps its this, its arguments and its value, and is all or nothing', async () => {
  expect(await db().use(() => new Shop().fill(2, 3))).toBe('read committed');
  expect(await count()).toBe(3);
  await errorOf(db().use(() => new Shop().fill(4, 4)));
  expect(await count()).toBe(3);
});

test('inside another it joins: a failure of the second call undoes the first', async () => {
  const error = await errorOf(db().use(() => Shop.fillTwice()));
  expect(error.code).toBe('E_UNIQUE_VIOLATION');
  expect(await count()).toBe(0);
});

test('a function runs the same way, and events tell the names', async () => {
  const names: (string | undefined)[] = [];
  const off = db().on('transaction:begin', ({ name }: FrameworkEvents['transaction:begin']) => names.push(name));
  const add = transactional({}, async function addThing(id: number) {
    await insert(id);
    return id;
  });
  expect(await db().use(() => add(7))).toBe(7);
  await db().use(() => transactional({ name: 'given' }, () => insert(8))());
  await db().use(() => transactional(() => insert(9))());
  await db().use(() => new Shop().fill());
  await errorOf(db().use(() => Shop.fillTwice()));
  off();
  expect(names).toEqual(['addThing', 'given', undefined, 'Shop.fill', 'filling twice']);
  expect([add.name, add.length, new Shop().fill.name]).toEqual(['addThing', 1, 'fill']);
});

describe('one inside another', () => {
  const level = () => Promise.resolve(currentTransaction()!.isolation);
  const weak = <T>(body: () => Promise<T>) => transactional({ isolation: 'read committed', name: 'weak' }, body)();
  const strong = <T>(body: () => Promise<T>) => transactional({ forbid: ['write skew'], name: 'strong' }, body)();

  test('joins one that is strong enough, and keeps its isolation', async () => {
    expect(await db().use(() => strong(() => weak(level)))).toBe('serializable');
    expect(await db().use(() => weak(() => transactional(level)()))).toBe('read committed');
  });

  test('is refused inside a weaker one, with the names of both; the outer one can go on', async () => {
    const error = await db().use(() =>
      weak(async () => {
        const refusal = await errorOf(strong(() => insert(1)));
        await insert(2);
        return refusal;
      }),
    );
    expect(error.code).toBe('E_NESTED_TRANSACTION');
    expect(error.message).toBe(
      '"strong" asks for serializable inside "weak", which runs at read committed.\n' +
        '  Remedy: Begin the outer transaction at serializable; a running transaction cannot be strengthened.',
    );
    expect(error.details).toEqual({
      outer: 'read committed',
      inner: 'serializable',
      outerName: 'weak',
      innerName: 'strong',
    });
    expect(await count()).toBe(1);
  });

  test('calls itself in the same transaction', async () => {
    const seen = new Set<number>();
    const countDown = transactional({ isolation: 'serializable' }, async (left: number): Promise<void> => {
      seen.add(currentTransaction()!.id);
      await insert(left);
      if (left > 1) await countDown(left - 1);
      else throw new Error('the last one');
    });
    expect(await reasonOf(db().use(() => countDown(5)))).toMatchObject({ message: 'the last one' });
    expect(seen.size).toBe(1);
    expect(await count()).toBe(0);
  });

  test('calls in parallel have a transaction each outside, and share the one around them', async () => {
    const seen = new Set<number>();
    const add = transactional({ isolation: 'read committed' }, async (id: number) => {
      seen.add(currentTransaction()!.id);
      await insert(id);
    });
    await db().use(() => Promise.all([add(1), add(2), add(3)]));
    expect(seen.size).toBe(3);
    seen.clear();
    await db().use(() => weak(() => Promise.all([add(4), add(5), add(6)])));
    expect(seen.size).toBe(1);
    expect(await count()).toBe(6);
  });

  test('with a savepoint its failure undoes it alone', async () => {
    const add = transactional({ savepoint: true }, async (id: number) => {
      await insert(id);
      if (id === 2) throw new Error('no');
    });
    await db().use(() => weak(() => Promise.allSettled([add(1), add(2), add(3)])));
    expect(await count()).toBe(2);
  });
});

describe('a subclass', () => {
  class Base {
    static made = 'by the base';
    @Transactional({ isolation: 'repeatable read' })
    async level(): Promise<string | undefined> {
      return currentTransaction()?.isolation;
    }
    @Transactional()
    static async whose(): Promise<string> {
      return this.made;
    }
  }
  class Plain extends Base {
    static override made = 'by the subclass';
    override async level(): Promise<string | undefined> {
      return `${currentTransaction()?.isolation} around ${await super.level()}`;
    }
  }
  class Declared extends Base {
    @Transactional({ isolation: 'serializable' })
    override async level(): Promise<string | undefined> {
      return `${currentTransaction()?.isolation} around ${await super.level()}`;
    }
  }
  test('inherits the operation, with the this of the call', async () => {
    expect(await db().use(() => Plain.whose())).toBe('by the subclass');
  });
  test.each([
    [Plain, 'undefined around repeatable read'],
    [Declared, 'serializable around serializable'],
  ])('that overrides it says itself what it needs: %p', async (model, expected) => {
    expect(await db().use(() => new model().level())).toBe(expected);
  });
});

describe('what is no operation', () => {
  const decorate = Transactional() as (owner: object, method: string, descriptor?: PropertyDescriptor) => void;
  test.each<[string, PropertyDescriptor | undefined]>([
    ['an accessor', { get: () => () => Promise.resolve() }],
    ['a property', undefined],
    ['a method that is not one', { value: 7 }],
  ])('%s is refused where it is declared', (_what, descriptor) => {
    expect(() => decorate(Shop.prototype, 'stock', descriptor)).toThrow(InvalidOperationError);
    expect(() => decorate(Shop, 'stock', descriptor)).toThrow('Shop.stock is no method');
  });

  test('a function that gives no promise is refused when it is called', async () => {
    const broken = transactional({ name: 'broken' }, (() => 7) as unknown as () => Promise<number>);
    const error = await errorOf(db().use(() => broken()));
    expect(error.code).toBe('E_INVALID_OPERATION');
    expect(error.message).toContain('broken gave no promise');
  });

  test('what a body throws at once is a rejection like any other', async () => {
    const broken = transactional({}, () => {
      throw new Error('at once');
    });
    expect(await reasonOf(db().use(() => broken()))).toMatchObject({ message: 'at once' });
  });
});

describe('options of an operation', () => {
  const show = async (setting: string): Promise<unknown> =>
    Object.values((await sql<object>`show ${sql.ref(setting)}`.execute(db().kysely())).rows[0]!)[0];
  test.each<[OperationOptions, string, string]>([
    [{ readOnly: true }, 'transaction_read_only', 'on'],
    [{ readOnly: true, deferrable: true }, 'transaction_deferrable', 'on'],
    [{ statementTimeoutMs: 4_321 }, 'statement_timeout', '4321ms'],
    [{ lockTimeoutMs: 4_321 }, 'lock_timeout', '4321ms'],
    [{ idleTimeoutMs: 4_321 }, 'idle_in_transaction_session_timeout', '4321ms'],
  ])('%j reaches the server', async (options, setting, expected) => {
    expect(await db().use(() => transactional(options, () => show(setting))())).toBe(expected);
    expect(await db().use(() => transactional(() => show(setting))())).not.toBe(expected);
  });

  test.each<[OperationOptions, number]>([
    [{ attempts: 1 }, 1],
    [{ attempts: 3 }, 3],
    [{ retryBudgetMs: 0 }, 1],
  ])('%j: gives up after the right number of attempts', async (options, expected) => {
    let bodies = 0;
    const unlucky = transactional(options, async () => {
      bodies += 1;
      await sql`do $$ begin raise sqlstate '40001'; end $$`.execute(db().kysely());
    });
    expect((await errorOf(db().use(() => unlucky()))).code).toBe('E_RETRIES_EXHAUSTED');
    expect(bodies).toBe(expected);
  });
});

test('currentTransaction is the innermost one, or none', async () => {
  expect(db().use(currentTransaction)).toBeUndefined();
  const ran: string[] = [];
  await db().transaction(async (tx) => {
    expect(currentTransaction()).toMatchObject({ id: tx.id, attempt: 1, isOpen: true });
    currentTransaction()!.afterCommit(() => {
      ran.push('committed');
      expect(currentTransaction()).toBeUndefined();
    });
    await insert(1);
    expect(ran).toEqual([]);
  });
  expect(ran).toEqual(['committed']);
});

test.each(FORBIDDEN.serializable)('forbidding a %s chooses a level that forbids it', async (anomaly: Anomaly) => {
  const level = await db().use(
    transactional({ forbid: [anomaly] }, () => Promise.resolve(currentTransaction()!.isolation)),
  );
  expect(FORBIDDEN[level]).toContain(anomaly);
  expect(new Terms('any', { forbid: [anomaly] }).optionsOn('unknown').isolation).toBe('serializable');
});

test.each<[string, OperationOptions, string]>([
  ['forbid beside isolation', { forbid: ['phantom'], isolation: 'serializable' } as never, 'forbid'],
  ['forbidding nothing', { forbid: [] }, 'forbid'],
  ['deferrable of what writes', { deferrable: true }, 'deferrable'],
  ['deferrable under less', { deferrable: true, readOnly: true, isolation: 'repeatable read' }, 'deferrable'],
  ['an anomaly that is none', { forbid: ['bad luck' as Anomaly] }, 'forbid'],
  ['a level that is none', { isolation: 'snapshot' as never }, 'isolation'],
  ['no attempt at all', { attempts: 0 }, 'attempts'],
])('%s is refused where it is declared', (_what, options, option) => {
  expect(() => transactional(options, () => Promise.resolve())).toThrow(`The option ${option}`);
});
