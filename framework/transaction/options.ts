import { InvalidOptionError } from '../core/invalid-option-error';
import type { Statement } from '../database/statement';
import type { IsolationLevel } from '../theory/isolation';
import { isAtLeast, ISOLATION_LEVELS } from '../theory/isolation';

/** Inside another transaction, `isolation`, `readOnly` and `savepoint` count; the rest belongs to the outermost. */
export interface TransactionOptions<L extends IsolationLevel = IsolationLevel> {
  /** Default: the connection's, which is `serializable` unless declared otherwise. */
  readonly isolation?: L;
  /** Refuses writes; cheaper under serializable. Default false. */
  readonly readOnly?: boolean;
  /** With `serializable` and `readOnly` only: waits for a snapshot that can never fail. Default false. */
  readonly deferrable?: boolean;
  /** Inside another transaction: undo this part alone when it fails. Default false: join the outer one. */
  readonly savepoint?: boolean;
  /** Most attempts when PostgreSQL asks to retry, the first included. Default 30. */
  readonly attempts?: number;
  /** No new attempt is begun this long after the first began, in milliseconds. Default 30,000. */
  readonly retryBudgetMs?: number;
  /** Bound of each statement, in milliseconds. Default: the connection's. */
  readonly statementTimeoutMs?: number;
  /** Bound of each wait for a lock, in milliseconds. Default: none of its own. */
  readonly lockTimeoutMs?: number;
  /** Bound of each pause between statements, in milliseconds. Default: the connection's. */
  readonly idleTimeoutMs?: number;
  /**
   * Calls it off: what is under way is cancelled on the server, all is rolled back, and the caller gets AbortedError.
   * Inside another transaction it calls off the outermost. Too late once COMMIT has taken effect.
   */
  readonly signal?: AbortSignal;
  /** Shown in events and errors. */
  readonly name?: string;
}

export const DEFAULT_ATTEMPTS = 30;
export const DEFAULT_RETRY_BUDGET_MS = 30_000;

const WHOLE: readonly (readonly [keyof TransactionOptions, number])[] = [
  ['attempts', 1],
  ['retryBudgetMs', 0],
  ['statementTimeoutMs', 0],
  ['lockTimeoutMs', 0],
  ['idleTimeoutMs', 0],
];

/** PostgreSQL's settings are 32-bit integers. */
const MOST = 2 ** 31 - 1;

/** @throws InvalidOptionError where a value cannot work, also for callers without the types */
export function checkTransactionOptions(options: TransactionOptions): void {
  if (options.isolation !== undefined && !ISOLATION_LEVELS.includes(options.isolation)) {
    throw new InvalidOptionError('isolation', `one of ${ISOLATION_LEVELS.join(', ')}`, options.isolation);
  }
  if (
    options.deferrable === true &&
    !(options.readOnly === true && isAtLeast(options.isolation ?? 'serializable', 'serializable'))
  ) {
    throw new InvalidOptionError('deferrable', 'for what is readOnly and serializable', 'for what is not');
  }
  if (options.signal !== undefined && !(options.signal instanceof AbortSignal)) {
    throw new InvalidOptionError('signal', 'an AbortSignal', options.signal);
  }
  for (const [name, least] of WHOLE) {
    const value = options[name];
    if (value !== undefined && (!Number.isInteger(value) || (value as number) < least || (value as number) > MOST)) {
      throw new InvalidOptionError(name, `a whole number from ${least} to ${MOST}`, value);
    }
  }
}

/** What begins the transaction, its settings with it: one message. Prepared under its own text where it has none. */
export function beginStatement(isolation: IsolationLevel, options: TransactionOptions): Statement {
  return TOLD.some((name) => options[name] !== undefined) ? beginWith(isolation, options) : PLAIN[isolation];
}

/** The options that BEGIN tells the server. */
const TOLD = ['readOnly', 'deferrable', 'statementTimeoutMs', 'lockTimeoutMs', 'idleTimeoutMs'] as const;

function beginWith(isolation: IsolationLevel, options: TransactionOptions): Statement {
  const modes = [
    `begin isolation level ${isolation}`,
    options.readOnly === true ? 'read only' : '',
    options.deferrable === true ? 'deferrable' : '',
  ];
  const settings = [
    ['statement_timeout', options.statementTimeoutMs],
    ['lock_timeout', options.lockTimeoutMs],
    ['idle_in_transaction_session_timeout', options.idleTimeoutMs],
  ] as const;
  const locals = settings.flatMap(([name, value]) => (value === undefined ? [] : [`set local ${name} = ${value}`]));
  const text = [modes.filter(Boolean).join(' '), ...locals].join('; ');
  return { text, name: locals.length === 0 ? text : undefined, writes: false };
}

/** Of those without such options: most, so they are made once. */
const PLAIN = Object.fromEntries(ISOLATION_LEVELS.map((level) => [level, beginWith(level, {})])) as Readonly<
  Record<IsolationLevel, Statement>
>;

/** How long a transaction queues for hot rows while nothing moves, in milliseconds: less than the slack of a statement. */
export const QUEUE_PATIENCE_MS = 4_000;

/** The tightest of a transaction's own bounds, in milliseconds. */
export function boundOf({ statementTimeoutMs, lockTimeoutMs, retryBudgetMs }: TransactionOptions): number {
  const bounds = [statementTimeoutMs, lockTimeoutMs, retryBudgetMs].filter((bound) => bound !== undefined && bound > 0);
  return Math.min(...(bounds as number[]));
}
