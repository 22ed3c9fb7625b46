import type { Anomaly, EverydayName, Phenomenon } from '../theory/anomalies';
import { EVERYDAY_NAMES, PHENOMENA, phenomenaOf } from '../theory/anomalies';
import type { LevelFacts, SpokenEngine } from '../theory/engines';
import { ENGINES, verdictOn } from '../theory/engines';
import type { IsolationLevel } from '../theory/isolation';
import { isAtLeast, ISOLATION_LEVELS } from '../theory/isolation';
import { currentSession } from './current';
import { InvalidOperationError } from './errors';
import type { Terms } from './operation';
import { termsOf } from './operation';
import { DEFAULT_ATTEMPTS, DEFAULT_RETRY_BUDGET_MS } from './options';
import type { TransactionOptions } from './options';
import type { Session } from './session';

/** What an operation's declaration comes to on the connected engine. Prints itself in words. */
export interface Explanation {
  readonly name: string | undefined;
  readonly engine: SpokenEngine | 'unknown';
  readonly isolation: IsolationLevel;
  /** What decided: the level was declared, it follows from `forbid`, or the connection's is taken. */
  readonly chosenBy: 'isolation' | 'forbid' | 'connection';
  /** What the declaration forbids, and which weaker levels of the engine would let through. */
  readonly forbids: readonly Forbidden[];
  /** What can still happen at this isolation; undefined where nobody knows. */
  readonly letsThrough: readonly EverydayName[] | undefined;
  /** Where it is written, and was seen, what the level forbids. */
  readonly source: string;
  readonly readOnly: boolean;
  readonly deferrable: boolean;
  /** Inside another transaction: joined, or behind a savepoint. */
  readonly nested: 'joins' | 'savepoint';
  readonly attempts: number;
  readonly retryBudgetMs: number;
  /** Bounds in milliseconds; undefined for none of its own. 0 is no bound. */
  readonly timeouts: {
    readonly statementMs: number;
    readonly idleMs: number;
    readonly lockMs: number | undefined;
  };
  /** What the transaction itself costs beside its statements; nothing at all when there are none. */
  readonly roundTrips: { readonly begin: 0; readonly commit: 1 };
  readonly underContention: string;
  readonly advice: string | undefined;
  toString(): string;
}

export interface Forbidden {
  readonly anomaly: Anomaly;
  readonly phenomena: readonly Phenomenon[];
  readonly letThroughBy: readonly IsolationLevel[];
}

/**
 * Explains an operation: a decorated method, by itself or by its owner and name, or a function made by `transactional`.
 *
 * Costs no round trip.
 *
 * @throws InvalidOperationError for a function that was not declared to be an operation
 * @throws NotConnectedError before `connect()`, since the engine decides
 */
export function explainOperation(operation: (...args: never[]) => Promise<unknown>): Explanation;
export function explainOperation<T extends object>(owner: T, method: keyof T & string): Explanation;
export function explainOperation(first: object, method?: string): Explanation {
  const operation = method === undefined ? first : (first as Record<string, object | undefined>)[method];
  const terms = operation && termsOf(operation);
  if (terms) return explain(terms, currentSession());
  throw new InvalidOperationError(
    method ?? (first as { name?: string }).name ?? 'This',
    'was never declared an operation',
  );
}

function explain(terms: Terms, { engine, pool }: Session): Explanation {
  const options = terms.optionsOn(engine);
  const { forbid } = terms.declared;
  const isolation = options.isolation ?? pool.options.isolation;
  const level = engine === 'unknown' ? undefined : (ENGINES[engine][isolation] as LevelFacts);
  const facts = {
    name: terms.name,
    engine,
    isolation,
    chosenBy: forbid ? 'forbid' : options.isolation === undefined ? 'connection' : 'isolation',
    forbids: (forbid ?? []).map((anomaly) => forbidden(anomaly, isolation, engine)),
    letsThrough: level ? everyday.filter((name) => verdictOn(name, level) !== 'forbidden') : undefined,
    source: level?.source ?? 'none: nobody vouches for the weaker levels of this engine',
    readOnly: options.readOnly ?? false,
    deferrable: options.deferrable ?? false,
    nested: options.savepoint ? 'savepoint' : 'joins',
    attempts: options.attempts ?? DEFAULT_ATTEMPTS,
    retryBudgetMs: options.retryBudgetMs ?? DEFAULT_RETRY_BUDGET_MS,
    timeouts: {
      statementMs: options.statementTimeoutMs ?? pool.options.statementTimeoutMs,
      idleMs: options.idleTimeoutMs ?? pool.options.idleInTransactionTimeoutMs,
      lockMs: options.lockTimeoutMs,
    },
    roundTrips: { begin: 0, commit: 1 },
    underContention: contention(isolation, options),
    advice: options.readOnly === true ? undefined : ADVICE,
  } as const;
  return Object.freeze({ ...facts, toString: () => inWords(facts, options.isolation) });
}

const everyday = Object.keys(EVERYDAY_NAMES) as EverydayName[];

function forbidden(anomaly: Anomaly, isolation: IsolationLevel, engine: SpokenEngine | 'unknown'): Forbidden {
  const weaker = ISOLATION_LEVELS.filter((level) => !isAtLeast(level, isolation));
  const letThroughBy =
    engine === 'unknown'
      ? weaker
      : weaker.filter((level) => verdictOn(anomaly, ENGINES[engine][level]) !== 'forbidden');
  return { anomaly, phenomena: phenomenaOf(anomaly), letThroughBy };
}

const WRITING: Readonly<Record<IsolationLevel, string>> = {
  'read committed':
    'who writes a row that another is writing waits, and goes on from what that one left; only a deadlock runs the body again.',
  'repeatable read':
    'who writes a row that another has written since this transaction began to read is refused (40001), and the body runs again, after those that queue for the row.',
  serializable:
    'who wrote what another read, or read what another wrote, may be refused (40001), at any statement or at COMMIT, and the body runs again, after those that queue for the rows.',
};

const DEFERRED =
  'it waits once for a moment that nobody can spoil, and is never refused; all statements see that moment.';

function contention(isolation: IsolationLevel, { readOnly = false, deferrable = false }: TransactionOptions): string {
  if (!readOnly) return WRITING[isolation];
  return deferrable && isolation === 'serializable' ? DEFERRED : READING[isolation];
}

const READING: Readonly<Record<IsolationLevel, string>> = {
  'read committed': 'it waits for nobody; each statement sees what was committed when it began.',
  'repeatable read': 'it waits for nobody and is never refused; all statements see one moment.',
  serializable: 'it waits for nobody; it may be refused (40001), and run again, for what it saw of two writers.',
};

const ADVICE =
  'where the decision fits into one statement, as in where(…).decrement(…), a conditional update at read committed does 2 to 6 times as many a second on a hot row as locking it first.';

function inWords(facts: Omit<Explanation, 'toString'>, declared: IsolationLevel | undefined): string {
  const { isolation, forbids, letsThrough, timeouts } = facts;
  const begun = facts.nested === 'savepoint' ? 'stays behind a savepoint of it' : 'joins it';
  const inside = declared === undefined ? 'at its isolation' : `if it is at ${isolation} or stronger`;
  const mode = [facts.readOnly ? 'read only' : 'read and write', ...(facts.deferrable ? ['deferrable'] : [])];
  return [
    `${facts.name === undefined ? 'The operation' : `"${facts.name}"`} runs at ${isolation} on ${facts.engine === 'unknown' ? 'an unknown engine' : facts.engine}, ${mode.join(', ')}.`,
    `Why: ${why(facts)}`,
    ...forbids.map(lineOf),
    `Still possible: ${letsThrough ? letsThrough.join(', ') || 'nothing' : 'not known'}.`,
    `Source: ${facts.source}.`,
    `Inside another transaction: ${begun}, ${inside}.`,
    `Retries: at most ${facts.attempts} attempts, none begun after ${facts.retryBudgetMs} ms.`,
    `Timeouts: a statement ${bound(timeouts.statementMs)}, between statements ${bound(timeouts.idleMs)}, a wait for a lock ${bound(timeouts.lockMs)}.`,
    'Round trips: none for BEGIN, which leaves with the first statement; one for COMMIT; none at all without a statement.',
    `Under contention: ${facts.underContention}`,
    ...(facts.advice === undefined ? [] : [`Advice: ${facts.advice}`]),
  ].join('\n');
}

function why({ chosenBy, isolation, forbids }: Omit<Explanation, 'toString'>): string {
  if (chosenBy === 'isolation') return 'the level is declared.';
  if (chosenBy === 'connection') return 'nothing is declared, so it is the isolation of the connection.';
  const saves = forbids.some(
    ({ anomaly, letThroughBy }) => phenomenaOf(anomaly).includes('P4') && letThroughBy.length > 0,
  );
  const besides = " A record's save() loses no update at any level; updateAll and SQL would.";
  return `it is the weakest level that forbids what must not happen.${saves && isolation === 'repeatable read' ? besides : ''}`;
}

function lineOf({ anomaly, phenomena, letThroughBy }: Forbidden): string {
  const meaning = phenomena.map((phenomenon) => `${phenomenon}: ${PHENOMENA[phenomenon].means}`).join('; ');
  const through = letThroughBy.length > 0 ? `let through by ${letThroughBy.join(' and ')}` : 'let through by no level';
  return `  ${anomaly} (${meaning}), ${through}`;
}

function bound(ms: number | undefined): string {
  return ms === undefined ? 'no bound of its own' : ms === 0 ? 'no bound' : `${ms} ms`;
}
