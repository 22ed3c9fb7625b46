import type { Expression } from 'kysely';
import type { ModelSchema } from '../schema/model-schema';
import type { Condition } from './conditions';

export const LOCK_STRENGTHS = ['for update', 'for no key update', 'for share', 'for key share'] as const;
/** Row locks as PostgreSQL spells them, strongest first (manual, section 13.3.2). */
export type LockStrength = (typeof LOCK_STRENGTHS)[number];
/** What to do about rows that somebody else has locked; without it, wait. */
export type LockWait = 'nowait' | 'skip locked';

export type Direction = 'asc' | 'desc';

export interface Ordering {
  readonly property: string;
  readonly direction: Direction;
}

export interface Lock {
  readonly strength: LockStrength;
  readonly wait: LockWait | undefined;
}

/** What a query asks for, as data. Never changed: each refinement makes another. */
export interface SelectPlan {
  readonly schema: ModelSchema;
  readonly condition: Condition | undefined;
  readonly order: readonly Ordering[];
  readonly limit: number | undefined;
  readonly offset: number | undefined;
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
    lock: undefined,
    fragments: [],
    isUnbounded: false,
  };
}
