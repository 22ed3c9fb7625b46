import type { StatementResult } from '../database/connection';
import type { Decision } from '../transaction/context';
import { areHeld, readHolding, reliesOnSnapshot, rowStrength } from '../transaction/held-reads';
import type { Session } from '../transaction/session';
import type { Condition } from './conditions';
import { ReadNotHeldError } from './errors';
import type { Lock, LockStrength, SelectPlan } from './plan';
import type { Selection } from './statements';
import { selectStatement } from './statements';
import { tablesRead } from './tables-read';

type Select = (session: Session, plan: SelectPlan, selection: Selection) => Promise<StatementResult>;

/**
 * Runs a select so that what it finds stays true until the commit: by the lock of its rows where they are asked for by
 * key and all are there, else by that of its tables.
 *
 * @param select runs it as it is
 */
export async function selectHolding(
  session: Session,
  decision: Decision,
  plan: SelectPlan,
  selection: Selection,
  select: Select,
): Promise<StatementResult> {
  const scope = session.scope!; // a decision is made inside of one
  const tables = tablesOf(plan);
  if (!tables && !reliesOnSnapshot(scope)) throw new ReadNotHeldError(decision.table, scope.transaction.isolation);
  if (!tables || areHeld(scope, tables)) return select(session, plan, selection);
  const rowsEnough = tables.length > 1 ? undefined : rowsThatHold(plan, selection, decision);
  if (rowsEnough !== undefined) {
    const lock = atLeast(plan.lock, rowStrength(scope, decision, plan.schema.table));
    const result = await select(session, { ...plan, lock }, selection);
    if (result.rows.length >= rowsEnough) return result;
  }
  if (!plan.lock) return readHolding(session, scope, tables, selectStatement(plan, selection));
  await readHolding(session, scope, tables);
  return select(session, plan, selection);
}

/**
 * How many rows must be found for their locks alone to hold what was read; undefined when none would do.
 *
 * That some row answers to conditions is held by any one that does. Not so in the record's own table: two who rely on
 * one another's row and then write their own would wait in a circle.
 */
function rowsThatHold(plan: SelectPlan, { kind }: Selection, decision: Decision): number | undefined {
  const { condition, offset, perOwner, schema } = plan;
  if (offset !== undefined || perOwner !== undefined || condition === undefined) return undefined;
  const keys = keysIn(condition, schema.primaryKey.property);
  if (kind === 'records' || kind === 'attributes') return keys;
  const isAnyEnough = keys !== undefined || schema.table !== decision.table;
  return kind === 'exists' && isAnyEnough ? 1 : undefined;
}

/** How many keys a condition asks for, undefined when it asks by something else. */
function keysIn(condition: Condition, key: string): number | undefined {
  switch (condition.kind) {
    case 'and':
      return condition.parts.map((part) => keysIn(part, key)).find((keys) => keys !== undefined);
    case 'compare':
      if (condition.property !== key) return undefined;
      if (condition.operator === 'in') return (condition.value as readonly unknown[]).length;
      return condition.operator === '=' ? 1 : undefined;
    default:
      return undefined;
  }
}

/** `for key share` lets others change what was read. */
function atLeast(own: Lock | undefined, strength: LockStrength): Lock {
  if (!own) return { strength, wait: undefined };
  return own.strength === 'for key share' ? { ...own, strength } : own;
}

/** Undefined where it is written in SQL, which could read any. */
function tablesOf({ schema, fragments, perOwner }: SelectPlan): string[] | undefined {
  const read = fragments.map((fragment) => tablesRead(fragment.toOperationNode()));
  if (read.includes(undefined)) return undefined;
  const joined = perOwner ? [perOwner.owner.table, ...(perOwner.through ? [perOwner.through.table] : [])] : [];
  return [...new Set([schema.table, ...joined, ...read.flatMap((tables) => [...tables!])])];
}
