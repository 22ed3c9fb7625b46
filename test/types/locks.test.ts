import { advisoryLock, Column, Id, Model, Table } from 'bellwether';
import type { Transaction } from 'bellwether';

// The compiler is what is tested here: see models.test.ts. Nothing in the functions is run.

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const exactly =
  <T>() =>
  <U>(_value: U, ..._isSame: Equal<T, U> extends true ? [] : [never]): void =>
    undefined;
const typesOnly = (_cases: () => unknown): void => expect(typeof _cases).toBe('function');

@Table('accounts')
class Account extends Model {
  @Id() declare readonly id: bigint;
  @Column() declare owner: string;
}
declare const account: Account;

test('locks of rows', () =>
  typesOnly(async () => {
    void Account.lock('for share', { timeoutMs: 500 });
    // @ts-expect-error the bound has a unit
    void Account.lock('for share', { timeout: 500 });
    // @ts-expect-error no such lock
    void account.lock('for ever');
    // @ts-expect-error a row that is asked for cannot be skipped
    void account.lock('for update', 'skip locked');
    exactly<Account>()(await account.lock());

    const sum = await account.withLock((tx) => Promise.resolve(tx.attempt + 1), { wait: 'nowait', attempts: 3 });
    exactly<number>()(sum);
    void account.withLock((tx: Transaction) => Promise.resolve(tx));
    // @ts-expect-error no such isolation
    void account.withLock(() => Promise.resolve(), { isolation: 'read uncommitted' });

    const [from, to] = await Account.lockAll([account, 7n]);
    exactly<Account>()(from);
    exactly<Account>()(to);
    const keys: bigint[] = [];
    const all = await Account.lockAll(keys);
    exactly<Account[]>()(all);
    // @ts-expect-error the key is a bigint
    void Account.lockAll([7]);
  }));

test('advisory locks', () =>
  typesOnly(async () => {
    const seat = advisoryLock<[row: string, seat: number]>('seat');
    void seat.take('A', 1);
    void seat.shared.within(50).takeAll([['A', 1]]);
    // @ts-expect-error half of the key
    void seat.take('A');
    // @ts-expect-error not its type
    void seat.tryTake('A', '1');
    // @ts-expect-error a list of keys
    void seat.takeAll(['A', 1]);
    exactly<boolean>()(await seat.tryTake('A', 1));
    const held = await seat.hold('A', 1, (tx) => Promise.resolve(tx.isolation));
    exactly<Transaction['isolation']>()(held);
    // @ts-expect-error nothing to run
    void seat.hold('A', 1);
    void advisoryLock('nightly').take();
    // @ts-expect-error what a key is made of
    void advisoryLock<[Date]>('day');
  }));
