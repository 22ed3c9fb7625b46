import type { Anomaly } from '../theory/anomalies';
import type { AtLeast, IsolationLevel } from '../theory/isolation';
import { currentSession } from './current';
import { InvalidOperationError } from './errors';
import type { Explanation } from './explain';
import { explainOperation } from './explain';
import { runInside } from './inside';
import type { AsyncFunction, LevelOf, OperationOptions } from './operation';
import { declareOperation, Terms } from './operation';
import type { Transaction } from './transaction';

/** A function that runs in a transaction, on the terms that it declares. */
export type Operation<F extends AsyncFunction, L extends IsolationLevel = IsolationLevel> = F & {
  /**
   * Runs it inside `tx`, wherever that comes from.
   *
   * @throws NotATransactionError, ForeignTransactionError, TransactionEndedError or TransactionRequiredError for a
   * `tx` that is forged, of another database, over, or too weak
   */
  in(tx: Transaction<AtLeast<L>>, ...args: Parameters<F>): ReturnType<F>;

  /** What was chosen for it on the connected engine, why, and what it costs. @throws NotConnectedError */
  explain(): Explanation;
};

/**
 * Runs the method, of the instance or of the class, in a transaction, on the terms declared here; again from the
 * start whenever PostgreSQL asks for that. Inside another transaction it joins that one, if it is strong enough.
 *
 * @throws InvalidOperationError where it stands on anything but a method
 * @throws NestedTransactionError from a call inside a transaction that is too weak
 */
export function Transactional(options: OperationOptions = {}) {
  return <F extends AsyncFunction>(
    owner: object,
    method: string | symbol,
    descriptor: TypedPropertyDescriptor<F>,
  ): void => {
    const name = `${typeof owner === 'function' ? owner.name : owner.constructor.name}.${String(method)}`;
    const body: unknown = (descriptor as TypedPropertyDescriptor<F> | undefined)?.value;
    if (typeof body !== 'function')
      throw new InvalidOperationError(name, 'is no method, so @Transactional cannot run it');
    descriptor.value = operationOf(body as F, new Terms(name, options));
  };
}

/** The same for a function: gives one that runs `body` in a transaction. */
export function transactional<F extends AsyncFunction>(body: F): Operation<F>;
export function transactional<
  F extends AsyncFunction,
  const L extends IsolationLevel = never,
  const A extends Anomaly = never,
>(options: OperationOptions<L, A>, body: F): Operation<F, LevelOf<L, A>>;
export function transactional<F extends AsyncFunction>(first: OperationOptions | F, second?: F): Operation<F> {
  const [options, body] = typeof first === 'function' ? [{}, first] : [first, second!];
  const terms = new Terms(body.name === '' ? undefined : body.name, options);
  const operation = operationOf(body, terms);
  return Object.assign(operation, {
    in: (tx: Transaction, ...args: Parameters<F>) =>
      soon(() => runInside(tx, terms.optionsOn(currentSession().engine).isolation, () => operation(...args))),
    explain: () => explainOperation(operation),
  }) as unknown as Operation<F>;
}

function operationOf<F extends AsyncFunction>(body: F, terms: Terms): F {
  async function operation(this: unknown, ...args: never[]): Promise<unknown> {
    const session = currentSession();
    return session.transaction(terms.optionsOn(session.engine), () => {
      const running: unknown = body.apply(this, args);
      if (isThenable(running)) return running;
      throw new InvalidOperationError(terms.name ?? 'An operation', 'gave no promise, so its end cannot be waited for');
    });
  }
  Object.defineProperty(operation, 'name', { value: body.name, configurable: true });
  Object.defineProperty(operation, 'length', { value: body.length, configurable: true });
  declareOperation(operation, terms);
  return operation as unknown as F;
}

/** What `body` throws at once is a rejection like any other. */
async function soon<T>(body: () => Promise<T>): Promise<T> {
  return body();
}

function isThenable(value: unknown): value is Promise<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}
