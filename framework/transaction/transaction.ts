import type { AtLeast, IsolationLevel } from '../theory/isolation';
import { isAtLeast } from '../theory/isolation';
import { TransactionEndedError, TransactionRequiredError } from './errors';
import type { Effect, Scope } from './scope';

/**
 * A transaction that is under way, as its body sees it. Model calls find it by themselves; a function takes
 * one as a parameter to say under which isolation it may run, as in `tx: Transaction<AtLeast<'repeatable read'>>`.
 *
 * `L` is what is known of its isolation: that, or a stronger one. It cannot be forged: the private field makes the
 * type nominal, and only the runner constructs it. That it has ended is beyond types: it is refused when used.
 */
export class Transaction<out L extends IsolationLevel = IsolationLevel> {
  readonly #scope: Scope;

  /** @internal */
  constructor(scope: Scope) {
    this.#scope = scope;
  }

  /** @internal The scope of a true transaction; undefined for all that only looks like one. */
  static scopeOf(value: unknown): Scope | undefined {
    return typeof value === 'object' && value !== null && #scope in value ? value.#scope : undefined;
  }

  /** Stronger than asked for where this one joined a stronger one. */
  get isolation(): AtLeast<L> {
    return this.#scope.transaction.isolation as AtLeast<L>;
  }

  /** Unique within this process; the same for all attempts. */
  get id(): number {
    return this.#scope.transaction.id;
  }

  /** Counts from 1; above 1 when PostgreSQL asked to run the body again. */
  get attempt(): number {
    return this.#scope.transaction.attempt;
  }

  /** Whether the body is still running. */
  get isOpen(): boolean {
    return !this.#scope.isClosed;
  }

  /**
   * The same transaction, known to be at least at `level`, for functions that ask for one.
   *
   * @throws TransactionRequiredError when it is weaker
   * @throws TransactionEndedError when it is over
   */
  atLeast<W extends IsolationLevel>(level: W): Transaction<L & AtLeast<W>> {
    const { isClosed, transaction } = this.#scope;
    if (isClosed) throw new TransactionEndedError('A transaction that has already ended was asked for its isolation.');
    if (!isAtLeast(transaction.isolation, level)) throw new TransactionRequiredError(level, transaction.isolation);
    return this as unknown as Transaction<L & AtLeast<W>>;
  }

  /**
   * Runs `effect` once the outermost transaction is committed, in the order of registration, outside of any
   * transaction. Never runs for work that was rolled back, alone or with the whole.
   */
  afterCommit(effect: Effect): void {
    this.#scope.afterCommit(effect);
  }

  /** Runs `effect` once it is certain that this part of the work was not committed. */
  afterRollback(effect: Effect): void {
    this.#scope.afterRollback(effect);
  }
}
