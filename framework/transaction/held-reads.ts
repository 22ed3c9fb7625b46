import type { Statement, StatementResult } from '../database/connection';
import { LockNotAvailableError } from '../database/errors';
import type { Decision } from './context';
import { runInScope } from './context';
import { currentSessionIfAny } from './current';
import { lockTables } from './lock-tables';
import { Topic } from './notes';
import type { OpenTransaction } from './open-transaction';
import type { Scope } from './scope';
import type { Session } from './session';

// What a validation or a callback reads stays true until the commit. Serializable sees to that by itself, unless weaker
// ones whose rules read commit meanwhile (see weaker-commits.ts). Under the weaker levels its reads lock: rows that are
// asked for by key and are there, and else the whole table against writes, since rows that are not there cannot be
// locked. See docs/decisions/0008-reads-that-hold.md.

/** Runs a validation or a callback, its reads held; or, with no decision, what goes on inside of one. */
export function runDeciding<T>(decision: Decision | undefined, body: () => T): T {
  const session = currentSessionIfAny();
  const scope = session?.scope;
  if (!scope || scope.transaction.options.readOnly === true || session?.decision === UNSAFE) return body();
  return needsLocks(scope.transaction) ? runInScope(scope, body, decision) : noticeReads(scope.transaction, body);
}

function needsLocks({ isolation, options, precautions }: OpenTransaction): boolean {
  return (isolation !== 'serializable' || precautions.holdsReads) && options.readOnly !== true;
}

/** Whether it has sent anything is near enough: what it has written says no more than that there was a rule. */
function noticeReads<T>(transaction: OpenTransaction, body: () => T): T {
  const before = transaction.statements;
  const notice = () => {
    if (transaction.statements > before) transaction.ruleReads.areReliedOn = true;
  };
  const result = body();
  if (result instanceof Promise) result.then(notice, notice);
  else notice();
  return result;
}

/** Whether a read whose tables cannot be told, and so not locked, may stand: by the snapshot alone. */
export function reliesOnSnapshot({ transaction }: Scope): boolean {
  if (transaction.isolation !== 'serializable') return false;
  transaction.ruleReads.areReliedOn = true;
  return true;
}

/** Reads that hold nothing, whatever is around them. A decision, so that what is inside of them takes over from it. */
const UNSAFE: Decision = Object.freeze({ table: '', mayWrite: false });

/**
 * Runs `body` with reads that hold nothing: what they find may be false by the time of the commit. For reads in
 * validations and callbacks of transactions below `serializable` on which nothing depends, or that are locked by hand.
 */
export function unsafeReads<T>(body: () => T): T {
  const scope = currentSessionIfAny()?.scope;
  return scope ? runInScope(scope, body, UNSAFE) : body();
}

/** What the reads of the running code have to be held for, by locks of theirs. */
export function decisionToHold(session: Session): Decision | undefined {
  const { decision } = session;
  return decision === UNSAFE ? undefined : decision;
}

const HELD_TABLES = new Topic<true>();

/** Whether nobody else can write to any of the tables until the transaction ends. */
export function areHeld({ transaction, notes }: Scope, tables: readonly string[]): boolean {
  const isHeld = (table: string) => transaction.precautions.hasTable(table) || notes.find(HELD_TABLES, table) === true;
  if (!tables.every(isHeld)) return false;
  noteHeld(transaction);
  return true;
}

/**
 * Runs a read with tables locked before it that are not all held, in one flight.
 *
 * Where the snapshot is older than the lock would be, and where a wait for it could close a circle, the transaction is
 * run again, with the lock taken before anything else.
 */
export async function readHolding(
  session: Session,
  scope: Scope,
  tables: readonly string[],
  ...read: readonly Statement[]
): Promise<StatementResult> {
  const { transaction } = scope;
  const missing = tables.filter((table) => !areHeld(scope, [table]));
  if (transaction.isolation !== 'read committed' && transaction.hasSnapshot)
    transaction.runAgainWith({ tables: missing });
  const nowait = transaction.holdsLocks;
  noteHeld(transaction);
  try {
    const results = await session.executeTogether([lockTables(missing, { nowait }), ...read], scope);
    for (const table of missing) scope.notes.add(HELD_TABLES, table, true);
    transaction.taken.add({ tables: missing });
    return results.at(-1)!;
  } catch (error) {
    if (nowait && error instanceof LockNotAvailableError) transaction.runAgainWith({ tables: missing });
    throw error;
  }
}

/** A serializable one that holds what it reads has no need of anything else. */
function noteHeld(transaction: OpenTransaction): void {
  if (transaction.isolation !== 'serializable') transaction.ruleReads.areReliedOn = true;
}

const SHARED_ROWS = new Topic<true>();
/** Tables whose rows were written by transactions that had read them shared. */
const writtenAfterReading = new WeakMap<object, Set<string>>();

/**
 * How rows that are read are locked. Shared, unless the reader may be about to write them: two who share a row and
 * then both write it would wait in a circle.
 */
export function rowStrength({ transaction, notes }: Scope, decision: Decision, table: string) {
  noteHeld(transaction);
  const isWritten = writtenAfterReading.get(transaction.owner)?.has(table) ?? false;
  if (decision.mayWrite || decision.table === table || isWritten) return 'for no key update';
  notes.add(SHARED_ROWS, table, true);
  return 'for share';
}

/** Learns from a write to a table whose rows the same transaction has read shared: the next will not share them. */
export function noteWrite(scope: Scope | undefined, table: string): void {
  if (!scope || !needsLocks(scope.transaction) || scope.notes.find(SHARED_ROWS, table) === undefined) return;
  const { owner } = scope.transaction;
  const tables = writtenAfterReading.get(owner);
  if (tables) tables.add(table);
  else writtenAfterReading.set(owner, new Set([table]));
}
