import { currentTransaction, sql, Transactional, transactional } from 'bellwether';
import type { Anomaly, FrameworkEvents, OperationOptions } from 'bellwether';
import { FORBIDDEN } from '../../../framework/theory/isolation';
import { errorOf, setUp } from './support';

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

test('a function runs the same way, and events tell its name', async () => {
  const names: (string | undefined)[] = [];
  const off = db().on('transaction:begin', ({ name }: FrameworkEvents['transaction:begin']) => names.push(name));
  const add = transactional({}, async function addThing(id: number) {
    await insert(id);
    return id;
  });
  expect(await db().use(() => add(7))).toBe(7);
  await db().use(() => transactional({ name: 'given' }, () => insert(8))());
  await errorOf(db().use(() => Shop.fillTwice()));
  off();
  expect(names).toEqual(['addThing', 'given', 'filling twice']);
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

const ANOMALIES = FORBIDDEN.serializable;
test.each(ANOMALIES)('forbidding a %s chooses a level that forbids it', async (anomaly: Anomaly) => {
  const level = await db().use(
    transactional({ forbid: [anomaly] }, () => Promise.resolve(currentTransaction()!.isolation)),
  );
  expect(FORBIDDEN[level]).toContain(anomaly);
});

test.each<[string, OperationOptions, string]>([
  ['forbid beside isolation', { forbid: ['phantom'], isolation: 'serializable' }, 'forbid'],
  ['an anomaly that is none', { forbid: ['bad luck' as Anomaly] }, 'forbid'],
  ['a level that is none', { isolation: 'snapshot' as never }, 'isolation'],
  ['no attempt at all', { attempts: 0 }, 'attempts'],
])('%s is refused where it is declared', (_what, options, option) => {
  expect(() => transactional(options, () => Promise.resolve())).toThrow(`The option ${option}`);
});
