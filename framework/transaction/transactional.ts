import { InvalidOptionError } from '../core/invalid-option-error';
import type { Anomaly } from '../theory/anomalies';
import { ANOMALIES } from '../theory/anomalies';
import type { IsolationLevel } from '../theory/isolation';
import { weakestLevelForbidding } from '../theory/isolation';
import { currentSession } from './current';
import type { TransactionOptions } from './options';
import { checkTransactionOptions } from './options';

export interface OperationOptions extends TransactionOptions {
  /** Anomalies that must not happen: the weakest isolation that forbids them all is chosen. Not with `isolation`. */
  readonly forbid?: readonly Anomaly[];
}

type AsyncMethod = (...args: never[]) => Promise<unknown>;

/**
 * Runs the method in a transaction, on the terms declared here; again from the start whenever PostgreSQL asks
 * for that. Inside another transaction it joins that one, if it is strong enough.
 */
export function Transactional(options: OperationOptions = {}) {
  const resolved = resolve(options);
  return <F extends AsyncMethod>(_target: object, method: string, descriptor: TypedPropertyDescriptor<F>): void => {
    const body = descriptor.value!;
    descriptor.value = wrap(body, { name: method, ...resolved }) as F;
  };
}

/** The same for a function: gives one that runs `body` in a transaction. */
export function transactional<F extends AsyncMethod>(options: OperationOptions, body: F): F {
  return wrap(body, { ...(body.name !== '' && { name: body.name }), ...resolve(options) }) as F;
}

function wrap(body: AsyncMethod, options: TransactionOptions): (this: unknown, ...args: never[]) => Promise<unknown> {
  return function (this: unknown, ...args: never[]) {
    return currentSession().transaction(options, () => body.apply(this, args));
  };
}

function resolve({ forbid, ...options }: OperationOptions): TransactionOptions {
  checkTransactionOptions(options);
  if (forbid === undefined) return options;
  if (options.isolation !== undefined) {
    throw new InvalidOptionError('forbid', 'given instead of isolation', 'given with it');
  }
  const unknown = forbid.find((anomaly) => !ANOMALIES.includes(anomaly));
  if (unknown !== undefined) throw new InvalidOptionError('forbid', `a list of ${ANOMALIES.join(', ')}`, unknown);
  const isolation: IsolationLevel = weakestLevelForbidding(forbid);
  return { ...options, isolation };
}
