/* eslint-disable @typescript-eslint/require-await -- bodies that wait for nothing are fine here */
import { connect, currentTransaction, explainOperation, Transactional, transactional } from 'bellwether';
import type {
  Anomaly,
  AtLeast,
  ConnectOptions,
  Database,
  Explanation,
  IsolationLevel,
  Operation,
  Transaction,
  WeakestForbidding,
} from 'bellwether';
import type { PoolClient } from 'pg';

// The compiler is what is tested here; nothing in the functions is run.

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Expect<T extends true> = T;
const typesOnly = (_cases: () => unknown): void => expect(typeof _cases).toBe('function');

declare const db: Database;
declare const client: PoolClient;
declare const options: ConnectOptions;
declare const anyLevel: IsolationLevel;
declare const weak: Transaction<'read committed'>;
declare const snapshot: Transaction<'repeatable read'>;
declare const strong: Transaction<'serializable'>;
declare const unknown: Transaction;

async function needsAny(_tx: Transaction): Promise<void> {}
async function needsSnapshot(_tx: Transaction<AtLeast<'repeatable read'>>): Promise<void> {}
async function needsStrong(_tx: Transaction<'serializable'>): Promise<void> {}
async function passesOn<L extends IsolationLevel>(tx: Transaction<L>): Promise<void> {
  await needsAny(tx);
  // @ts-expect-error any level may be meant
  await needsSnapshot(tx);
}

test('a function takes a transaction of its level or a stronger one, and nothing else', () =>
  typesOnly(() => {
    void [needsAny(weak), needsAny(strong), needsSnapshot(snapshot), needsSnapshot(strong), needsStrong(strong)];
    void [passesOn(weak), needsSnapshot(unknown.atLeast('repeatable read')), needsStrong(weak.atLeast('serializable'))];
    // @ts-expect-error weaker
    void needsSnapshot(weak);
    // @ts-expect-error weaker
    void needsStrong(snapshot);
    // @ts-expect-error maybe weaker
    void needsSnapshot(unknown);
    // @ts-expect-error not narrowed far enough
    void needsStrong(unknown.atLeast('repeatable read'));
    // @ts-expect-error no such level
    void unknown.atLeast('snapshot');
    // @ts-expect-error a driver's client
    void needsAny(client);
    // @ts-expect-error a database is no transaction
    void needsAny(db);
    // @ts-expect-error a query builder is no transaction
    void needsAny(db.kysely());
    // @ts-expect-error a plain object
    void needsAny({ isolation: 'serializable' });
    // @ts-expect-error all that can be seen of one is not one
    void needsAny({ ...strong, isolation: 'serializable', id: 1, attempt: 1, isOpen: true });
    class Fake {
      readonly #scope = {};
      readonly isolation = 'serializable' as const;
      readonly id = Object.keys(this.#scope).length;
      readonly attempt = 1;
      readonly isOpen = true;
      atLeast(): never {
        throw new Error();
      }
      afterCommit(): void {}
      afterRollback(): void {}
    }
    // @ts-expect-error nor a class with the same members
    void needsAny(new Fake());
    // @ts-expect-error a level is not assigned
    weak.isolation = 'serializable';
  }));

test('a body gets a transaction of the level that is declared, or that the connection has', () =>
  typesOnly(async () => {
    void db.transaction({ isolation: 'repeatable read' }, async (tx) => {
      const same: Expect<Equal<typeof tx, Transaction<'repeatable read'>>> = true;
      await needsSnapshot(tx);
      return same;
    });
    void db.snapshot(needsSnapshot);
    const byDefault = await connect();
    const sized = await connect({ poolSize: 3 });
    const weaker = await connect({ isolation: 'read committed' });
    const open = await connect(options);
    const several = await connect({ isolation: anyLevel });
    const levels: [
      Expect<Equal<typeof byDefault, Database<'serializable'>>>,
      Expect<Equal<typeof sized, Database<'serializable'>>>,
      Expect<Equal<typeof weaker, Database<'read committed'>>>,
      Expect<Equal<typeof open, Database>>,
      Expect<Equal<typeof several, Database>>,
      Expect<Equal<typeof weaker.isolation, 'read committed'>>,
    ] = [true, true, true, true, true, true];
    void byDefault.transaction(async (tx) => needsStrong(tx));
    void sized.transaction(needsStrong);
    // @ts-expect-error the connection is at read committed
    void weaker.transaction(async (tx) => needsStrong(tx));
    void weaker.transaction({ isolation: 'serializable' }, needsStrong);
    // @ts-expect-error the connection's isolation is not known
    void db.transaction(async (tx) => needsSnapshot(tx));
    // @ts-expect-error with a savepoint it takes whatever is around it
    void byDefault.transaction({ savepoint: true }, async (tx) => needsStrong(tx));
    const known: Database = byDefault;
    // @ts-expect-error a database whose isolation is not known is not one at serializable
    const stronger: Database<'serializable'> = db;
    // @ts-expect-error nor is one at read committed
    const other: Database<'serializable'> = weaker;
    return [levels, open, several, known, stronger, other];
  }));

test('the transaction around the code, at a level', () =>
  typesOnly(() => {
    const maybe: Expect<Equal<ReturnType<typeof currentTransaction>, Transaction | undefined>> = true;
    void needsSnapshot(currentTransaction('repeatable read'));
    void needsStrong(currentTransaction('serializable'));
    // @ts-expect-error there may be none
    void needsAny(currentTransaction());
    // @ts-expect-error weaker
    void needsStrong(currentTransaction('repeatable read'));
    // @ts-expect-error no such level
    void currentTransaction('snapshot');
    return maybe;
  }));

export type Needs = [
  Expect<Equal<WeakestForbidding<'dirty read' | 'OTV'>, 'read committed'>>,
  Expect<Equal<WeakestForbidding<'lost update' | 'dirty write'>, 'repeatable read'>>,
  Expect<Equal<WeakestForbidding<'phantom'>, 'repeatable read'>>,
  Expect<Equal<WeakestForbidding<'G-single' | 'P4'>, 'repeatable read'>>,
  Expect<Equal<WeakestForbidding<'lost update' | 'write skew'>, 'serializable'>>,
  Expect<Equal<WeakestForbidding<'G2-item'>, 'serializable'>>,
  Expect<Equal<WeakestForbidding<Anomaly>, 'serializable'>>,
];

test('an operation is called as its function is, and takes a transaction of its level', () =>
  typesOnly(() => {
    const add = async (id: number, name = ''): Promise<string> => name + String(id);
    const plain = transactional(add);
    const byLevel = transactional({ isolation: 'repeatable read', attempts: 3 }, add);
    const byNeed = transactional({ forbid: ['write skew', 'P4'], name: 'add' }, add);
    const unsaid = transactional({ name: 'add' }, add);
    const same = transactional({}, async <T>(value: T): Promise<T> => value);
    const kinds: [
      Expect<Equal<typeof plain, Operation<typeof add>>>,
      Expect<Equal<typeof byLevel, Operation<typeof add, 'repeatable read'>>>,
      Expect<Equal<typeof byNeed, Operation<typeof add, 'serializable'>>>,
      Expect<Equal<typeof unsaid, Operation<typeof add>>>,
      Expect<Equal<ReturnType<typeof byLevel.explain>, Explanation>>,
    ] = [true, true, true, true, true];
    const text: Promise<string> = byLevel(1, 'x');
    const kept: Promise<7> = same<7>(7);
    const inside: Promise<string> = byLevel.in(snapshot, 1);
    void [plain.in(weak, 1), unsaid.in(unknown, 1), byLevel.in(strong, 1, 'x'), byNeed.in(strong, 1)];
    // @ts-expect-error weaker than it is declared
    void byLevel.in(weak, 1);
    // @ts-expect-error weaker than what forbids write skew
    void byNeed.in(snapshot, 1);
    // @ts-expect-error a driver's client
    void plain.in(client, 1);
    // @ts-expect-error wrong argument
    void byLevel.in(strong, '1');
    // @ts-expect-error wrong argument
    void byLevel('1');
    // @ts-expect-error both
    void transactional({ isolation: 'serializable', forbid: ['phantom'] }, add);
    // @ts-expect-error no such anomaly
    void transactional({ forbid: ['bad luck'] }, add);
    // @ts-expect-error no such level
    void transactional({ isolation: 'snapshot' }, add);
    // @ts-expect-error no such option
    void transactional({ isolaton: 'serializable' }, add);
    // @ts-expect-error a function that gives no promise
    void transactional({}, () => 7);
    // @ts-expect-error nor a generator
    void transactional(async function* () {});
    return [kinds, text, kept, inside];
  }));

test('only methods that give a promise are operations', () =>
  typesOnly(() => {
    class Shop {
      stock = 1;
      @Transactional({ forbid: ['lost update'] }) async sell(count: number): Promise<number> {
        return this.stock - count;
      }
      @Transactional() static async open(): Promise<Shop> {
        return new Shop();
      }
      // @ts-expect-error a property
      @Transactional() find = async (): Promise<void> => {};
      // @ts-expect-error gives no promise
      @Transactional() count(): number {
        return this.stock;
      }
      // @ts-expect-error an accessor
      @Transactional() get rest(): Promise<number> {
        return Promise.resolve(this.stock);
      }
      // @ts-expect-error a generator
      @Transactional() async *each(): AsyncGenerator<number> {
        yield this.stock;
      }
      // @ts-expect-error both
      @Transactional({ isolation: 'serializable', forbid: ['phantom'] }) async both(): Promise<void> {}
    }
    const sold: Promise<number> = new Shop().sell(1);
    void explainOperation(Shop, 'open');
    void explainOperation(Shop.prototype, 'sell');
    // @ts-expect-error no such method
    void explainOperation(Shop.prototype, 'steal');
    return [sold];
  }));
