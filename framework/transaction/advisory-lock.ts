import { createHash } from 'node:crypto';
import { currentSession } from './current';
import type { Patience } from './lock-wait';
import { checkTimeoutMs, executeLocking } from './lock-wait';
import type { Transaction } from './transaction';

/** A part of an advisory lock's key. Numbers and bigints of the same value are the same. */
export type KeyPart = string | number | bigint;

/**
 * A lock on something that need not be a row: by name and key, as in
 *
 *     const closing = advisoryLock<[auctionId: bigint]>('auction closing');
 *     await closing.take(17n);
 *
 * It belongs to the transaction that takes it, so it ends with it, however that ends, and works behind a pooler.
 * Nobody is kept out who does not ask for it. In a nested transaction it is held until the outermost ends, unless a
 * savepoint before it is undone.
 *
 * Under `read committed`, what is read after the lock is taken shows all that was committed under it before. Under
 * the stronger levels it does not: the statement that waits for the lock has taken the transaction's snapshot before
 * the wait. `serializable` refuses and retries what conflicts, so there the lock only saves retries; under
 * `repeatable read` read the rows that matter `for update`, or declare the transaction `read committed`.
 *
 * Name and key are hashed to 64 bits, so two different keys are one lock by chance: with a million keys in use, with
 * a probability of 1 in 37 million. They then wait for one another, and nothing worse.
 */
export class AdvisoryLock<K extends readonly KeyPart[]> {
  readonly #name: string;
  readonly #isShared: boolean;
  readonly #timeoutMs: number | undefined;

  /** @internal Made by `advisoryLock()`. */
  constructor(name: string, isShared: boolean, timeoutMs: number | undefined) {
    this.#name = name;
    this.#isShared = isShared;
    this.#timeoutMs = timeoutMs;
  }

  /** The same lock, taken so that others may share it; it keeps out only those who take it for themselves. */
  get shared(): AdvisoryLock<K> {
    return new AdvisoryLock<K>(this.#name, true, this.#timeoutMs);
  }

  /** The same lock, waited for at most so long; then LockNotAvailableError, after which the transaction can go on. */
  within(timeoutMs: number): AdvisoryLock<K> {
    checkTimeoutMs(timeoutMs);
    return new AdvisoryLock<K>(this.#name, this.#isShared, timeoutMs);
  }

  /** Waits for the lock and takes it. Taken already, it is there at once. @throws NoTransactionError */
  async take(...key: K): Promise<void> {
    await this.takeAll([key]);
  }

  /** Takes several in one statement, in an order that is the same for all who do so: they cannot deadlock. */
  async takeAll(keys: readonly K[]): Promise<void> {
    const hashes = new Set(keys.map((key) => this.#hash(key)));
    const inOrder = [...hashes].sort((left, right) => (left < right ? -1 : 1)).map(String);
    await this.#call('from unnest($1::bigint[]) as hash', 'hash', inOrder, this.#timeoutMs ?? 'endless');
  }

  /** Takes the lock if it is free. @returns whether it did */
  async tryTake(...key: K): Promise<boolean> {
    const hash = String(this.#hash(key));
    const { rows } = await this.#call('', '$1::bigint', hash, 'endless', 'try_');
    return rows[0]![0] === true;
  }

  /**
   * Runs `body` with the lock, in a transaction at the connection's isolation or in the one around it; the lock is
   * held until that ends.
   */
  hold<T>(...args: [...key: K, body: (tx: Transaction) => Promise<T>]): Promise<T> {
    const key = args.slice(0, -1) as unknown as K;
    const body = args.at(-1) as (tx: Transaction) => Promise<T>;
    return currentSession().transaction({}, async (tx) => {
      await this.take(...key);
      return body(tx);
    });
  }

  #call(from: string, argument: string, value: unknown, patience: Patience, attempt = '') {
    const call = `pg_${attempt}advisory_xact_lock${this.#isShared ? '_shared' : ''}(${argument})`;
    const statement = { text: `select ${call} ${from}`.trim(), values: [value], writes: false, locks: true };
    return executeLocking(currentSession(), statement, patience, `The advisory lock "${this.#name}"`);
  }

  /** Each part says its kind by its first sign, so that no two keys read the same. */
  #hash(key: K): bigint {
    const parts = key.map((part) => (typeof part === 'string' ? JSON.stringify(part) : String(part)));
    const text = `bellwether advisory lock ${JSON.stringify(this.#name)}(${parts.join(',')})`;
    return createHash('sha256').update(text).digest().readBigInt64BE();
  }
}

/**
 * Declares an advisory lock.
 *
 * @typeParam K the key: a tuple such as `[auctionId: bigint]`; empty for a lock that exists once
 * @param name tells it from others, in all programs that use this database
 */
export function advisoryLock<K extends readonly KeyPart[] = []>(name: string): AdvisoryLock<K> {
  return new AdvisoryLock<K>(name, false, undefined);
}
