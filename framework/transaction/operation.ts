import { InvalidOptionError } from '../core/invalid-option-error';
import type { Anomaly } from '../theory/anomalies';
import { ANOMALIES } from '../theory/anomalies';
import type { SpokenEngine } from '../theory/engines';
import type { IsolationLevel, WeakestForbidding } from '../theory/isolation';
import { weakestLevelForbidding } from '../theory/isolation';
import type { TransactionOptions } from './options';
import { checkTransactionOptions } from './options';

/** By level, or by need; with neither, at the connection's isolation, and inside another at that one's. */
export type OperationOptions<L extends IsolationLevel = IsolationLevel, A extends Anomaly = Anomaly> = Omit<
  TransactionOptions,
  'isolation'
> &
  (
    | { readonly isolation?: L; readonly forbid?: never }
    /** Anomalies that must not happen: the weakest isolation of the engine that forbids them all is chosen. */
    | { readonly forbid: readonly A[]; readonly isolation?: never }
  );

/** The isolation that options come to on PostgreSQL; any, when they say nothing. */
export type LevelOf<L extends IsolationLevel, A extends Anomaly> = [L] extends [never]
  ? [A] extends [never]
    ? IsolationLevel
    : WeakestForbidding<A>
  : L;

export type AsyncFunction = (...args: never[]) => Promise<unknown>;

/** What an operation declares. What that comes to depends on the engine, which is known when it is called. */
export class Terms {
  readonly name: string | undefined;
  readonly declared: OperationOptions;
  readonly #settled = new Map<SpokenEngine | 'unknown', TransactionOptions>();

  /** @throws InvalidOptionError at the declaration, for all that can be seen there */
  constructor(defaultName: string | undefined, declared: OperationOptions) {
    const { forbid, ...options } = declared;
    checkTransactionOptions(options);
    if (forbid !== undefined) checkForbidden(forbid, options.isolation);
    this.name = options.name ?? defaultName;
    this.declared = declared;
  }

  optionsOn(engine: SpokenEngine | 'unknown'): TransactionOptions {
    const known = this.#settled.get(engine);
    if (known) return known;
    const { forbid, ...options } = this.declared;
    const settled: TransactionOptions = {
      ...options,
      ...(forbid !== undefined && { isolation: weakestLevelForbidding(forbid, engine) }),
      ...(this.name !== undefined && { name: this.name }),
    };
    this.#settled.set(engine, settled);
    return settled;
  }
}

function checkForbidden(forbid: readonly Anomaly[], isolation: unknown): void {
  if (isolation !== undefined) throw new InvalidOptionError('forbid', 'given instead of isolation', 'given with it');
  const expected = `a list of at least one of ${ANOMALIES.join(', ')}`;
  if (forbid.length === 0) throw new InvalidOptionError('forbid', expected, 'empty');
  const unknown = forbid.find((anomaly) => !ANOMALIES.includes(anomaly));
  if (unknown !== undefined) throw new InvalidOptionError('forbid', expected, unknown);
}

const terms = new WeakMap<object, Terms>();

export function declareOperation(operation: object, its: Terms): void {
  terms.set(operation, its);
}

export function termsOf(operation: object): Terms | undefined {
  return terms.get(operation);
}
