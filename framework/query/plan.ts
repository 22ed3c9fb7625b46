import type { Expression } from 'kysely';
import type { ModelSchema } from '../schema/model-schema';
import { checkTimeoutMs } from '../transaction/lock-wait';
import type { Condition } from './conditions';
import { InvalidQueryError } from './errors';
import type { Ordering } from './ordering';
import type { PerOwner } from './per-owner';

const WAITS: readonly unknown[] = ['nowait', 'skip locked'];
export const LOCK_STRENGTHS = ['for update', 'for no key update', 'for share', 'for key share'] as const;
/** Row locks as PostgreSQL spells them, strongest first (manual, section 13.3.2). */
export type LockStrength = (typeof LOCK_STRENGTHS)[number];
/** What to do about rows that somebody else has locked; without it, wait. `timeoutMs` bounds the wait for each. */
export type LockWait = 'nowait' | 'skip locked' | { readonly timeoutMs: number };

export interface Lock {
  readonly strength: LockStrength;
  readonly wait: LockWait | undefined;
}

/** @throws InvalidQueryError or InvalidOptionError, also for callers without the types */
export function lockOf(strength: LockStrength, wait: LockWait | undefined): Lock {
  const isBound = typeof wait === 'object' && wait !== null;
  if (isBound) checkTimeoutMs(wait.timeoutMs);
  const isKnown = LOCK_STRENGTHS.includes(strength) && (isBound || wait === undefined || WAITS.includes(wait));
  if (isKnown) return { strength, wait };
  throw new InvalidQueryError({
    what: `"${String(strength)}${typeof wait === 'string' ? ` ${wait as string}` : ''}" is no lock.`,
    remedy: `Use one of ${LOCK_STRENGTHS.join(', ')}, and nowait, skip locked or { timeoutMs } after it.`,
  });
}

/** The lock as it ends a statement; how long to wait is none of the statement's. */
export function lockClause({ strength, wait }: Lock): string {
  return typeof wait === 'string' ? `${strength} ${wait}` : strength;
}

/** What a query asks for, as data. Never changed: each refinement makes another. */
export interface SelectPlan {
  readonly schema: ModelSchema;
  readonly condition: Condition | undefined;
  readonly order: readonly Ordering[];
  readonly limit: number | undefined;
  readonly offset: number | undefined;
  /** Whose limit and offset these are; undefined for those of the query as a whole. */
  readonly perOwner: PerOwner | undefined;
  readonly lock: Lock | undefined;
  /** Conditions written in SQL. With any, the statement is compiled anew each time. */
  readonly fragments: readonly Expression<unknown>[];
  /** Whether a write through this query may touch every row. */
  readonly isUnbounded: boolean;
}

export function planFor(schema: ModelSchema): SelectPlan {
  return {
    schema,
    condition: undefined,
    order: [],
    limit: undefined,
    offset: undefined,
    perOwner: undefined,
    lock: undefined,
    fragments: [],
    isUnbounded: false,
  };
}
