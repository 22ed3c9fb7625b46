import type { AtLeast, IsolationLevel } from '../theory/isolation';
import type { Effect, Scope } from './scope';

/**
 * A transaction that is under way, as its body sees it. Model calls find it by themselves; a function takes
 * one as a parameter to say under which isolation it may run, as in `tx: Transaction<AtLeast<'repeatable read'>>`.
 *
 * Cannot be forged: the private field makes the type nominal, and only the runner constructs it.
 */
export class Transaction<L extends IsolationLevel = IsolationLevel> {
  readonly #scope: Scope;
  readonly isolation: L;

  /** @internal */
  constructor(scope: Scope) {
    this.#scope = scope;
    this.isolation = scope.transaction.isolation as L;
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

export type { AtLeast };
