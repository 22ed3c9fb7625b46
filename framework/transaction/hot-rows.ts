import { createHash } from 'node:crypto';
import type { Statement } from '../database/connection';
import { DeadlockError, SerializationFailureError } from '../database/errors';
import { isPostgresError } from '../database/sqlstate';
import { PrecautionNeededError } from './errors';
import { GUARDS_TABLE } from './guards';

/** How long after a conflict, or a wait, its rows are queued for from the start, in milliseconds. */
const HOT_MS = 5_000;
/** Most entries remembered. */
const MOST_ENTRIES = 1_000;
/** Most queues that one failure leads to, or a row; who collides over more rows queues for their tables. */
const MOST_QUEUES_LEARNT = 16;
/** From this attempt on, whoever fails without a row to blame queues for whole tables. */
const TABLES_FROM_ATTEMPT = 3;

/** A statement that PostgreSQL refused. */
export interface Refusal {
  readonly statement: Statement;
  /** The driver's. */
  readonly error: unknown;
}

const NONE: readonly string[] = [];

/** What is to be known of an attempt that must be run again. */
export interface FailedAttempt {
  readonly attempt: number;
  /** In the order in which they were sent. */
  readonly statements: readonly Statement[];
  /** Undefined when COMMIT was refused. */
  readonly refusal: Refusal | undefined;
}

/**
 * Which rows transactions have lately failed for. A transaction that begins at one of them queues for it first, so
 * that a hot row is handed on from one to the next, instead of all but one failing for it.
 *
 * The names of queues are those of rows (`accounts/1`), of tables, or the text and values of statements in SQL.
 * In courtesy only: no promise rests on it.
 */
export class HotRows {
  /** By what a transaction begins with. */
  readonly #entries = new Map<string, { readonly queues: readonly string[]; until: number }>();

  /** The queues for a transaction that begins with `statement`. Costs nothing while there is no conflict. */
  queuesFor(statement: Statement): readonly string[] {
    if (this.#entries.size === 0) return NONE;
    const now = performance.now();
    const queues = new Set<string>();
    for (const name of namesOf(statement)) {
      const entry = this.#entries.get(name);
      if (entry && entry.until > now) entry.queues.forEach((queue) => queues.add(queue));
      else if (entry) this.#entries.delete(name);
    }
    return [...queues];
  }

  /** Learns from a failure. @returns the queues for the next attempt; none where nobody was in the way */
  learn(error: unknown, failed: FailedAttempt): readonly string[] {
    if (!isCollision(error, failed)) return NONE;
    const queues = queuesAfter(failed);
    for (const name of queues) this.#keep(name, [name]);
    for (const name of namesOf(failed.statements[0])) this.#keep(name, queues);
    return queues;
  }

  /** Says that a transaction that begins with `statement` had to wait in these. */
  renew(statement: Statement, queues: readonly string[]): void {
    const until = performance.now() + HOT_MS;
    for (const name of [...namesOf(statement), ...queues]) {
      const entry = this.#entries.get(name);
      if (entry) entry.until = until;
    }
  }

  /** Adds to what is known: of transactions that cross, those that begin at one row need the queue for the other too. */
  #keep(name: string, queues: readonly string[]): void {
    const now = performance.now();
    const known = this.#entries.get(name);
    const all =
      known && known.until > now ? [...new Set([...queues, ...known.queues])].slice(0, MOST_QUEUES_LEARNT) : queues;
    this.#entries.delete(name); // the map is in the order of insertion: the oldest comes first
    if (this.#entries.size >= MOST_ENTRIES) this.#entries.delete(this.#entries.keys().next().value!);
    this.#entries.set(name, { queues: all, until: now + HOT_MS });
  }
}

/** The table in which a row was changed by another who had not to wait. */
export function tableInTheWay(error: unknown, { refusal }: FailedAttempt): string | undefined {
  const isRowChanged = error instanceof SerializationFailureError && refusal && blamesItsRow(refusal.error);
  const table = isRowChanged ? refusal.statement.about?.table : undefined;
  return table === GUARDS_TABLE ? undefined : table; // whoever takes a guard queues for it
}

function isCollision(error: unknown, { refusal }: FailedAttempt): boolean {
  if (error instanceof SerializationFailureError || error instanceof DeadlockError) return true;
  return error instanceof PrecautionNeededError && refusal !== undefined && blamesItsRow(refusal.error);
}

function queuesAfter({ attempt, statements, refusal }: FailedAttempt): readonly string[] {
  if (refusal && blamesItsRow(refusal.error)) return namesOf(refusal.statement);
  const names = new Set(statements.flatMap(namesOf));
  if (attempt < TABLES_FROM_ATTEMPT && names.size <= MOST_QUEUES_LEARNT) return [...names];
  // Rows that are read together, as by a scan of a small table, collide without one to blame.
  return [...new Set(statements.map(({ about, text }) => about?.table ?? text))].slice(0, MOST_QUEUES_LEARNT);
}

/**
 * Whether the refused statement's own row was changed by another, or is locked by one who will. Otherwise transactions are in each other's way by
 * all that they read and wrote (src/backend/storage/lmgr/predicate.c, and deadlocks), and the statement is chance.
 */
function blamesItsRow(error: unknown): boolean {
  return isPostgresError(error) && (error.code === '55P03' || (error.code === '40001' && error.file !== 'predicate.c'));
}

function namesOf(statement: Statement | undefined): readonly string[] {
  if (!statement) return [];
  const { about, text, values = [] } = statement;
  if (!about) return [`${text} ${values.map(String).join()}`];
  const keys = Array.isArray(about.key) ? about.key : [about.key];
  return keys.map((key) => `${about.table}/${String(key)}`);
}

const keys = new Map<string, bigint>();

/** The number of an advisory lock for each queue, ascending: all take them in this order. */
export function lockKeys(queues: readonly string[]): bigint[] {
  if (keys.size > MOST_ENTRIES) keys.clear();
  return queues.map(lockKey).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

function lockKey(queue: string): bigint {
  let key = keys.get(queue);
  if (key === undefined) {
    key = createHash('sha1').update(`bellwether ${queue}`).digest().readBigInt64BE();
    keys.set(queue, key);
  }
  return key;
}
