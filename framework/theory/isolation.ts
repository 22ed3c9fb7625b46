import type { Anomaly, EVERYDAY_NAMES, Phenomenon } from './anomalies';
import { ANOMALIES } from './anomalies';
import type { LevelFacts, SpokenEngine } from './engines';
import { ENGINES, verdictOn } from './engines';

/** Weakest first: the order is what {@link isAtLeast} and {@link weakestLevelForbidding} rely on. */
export const ISOLATION_LEVELS = ['read committed', 'repeatable read', 'serializable'] as const;

/** Isolation levels as SQL spells them. `read uncommitted` is absent: PostgreSQL runs it as `read committed`. */
export type IsolationLevel = (typeof ISOLATION_LEVELS)[number];

/** The levels that are at least as strong as `L`. */
export type AtLeast<L extends IsolationLevel> = L extends 'read committed'
  ? IsolationLevel
  : L extends 'repeatable read'
    ? 'repeatable read' | 'serializable'
    : 'serializable';

/** What each level forbids on PostgreSQL, in both spellings. */
export const FORBIDDEN: Readonly<Record<IsolationLevel, readonly Anomaly[]>> = {
  'read committed': forbiddenBy(ENGINES.PostgreSQL['read committed']),
  'repeatable read': forbiddenBy(ENGINES.PostgreSQL['repeatable read']),
  serializable: forbiddenBy(ENGINES.PostgreSQL.serializable),
};

function forbiddenBy(level: LevelFacts): readonly Anomaly[] {
  return ANOMALIES.filter((anomaly) => verdictOn(anomaly, level) === 'forbidden');
}

/**
 * The cheapest level of `engine` under which none of `anomalies` can occur. Always exists: serializable forbids
 * all. It is the answer for an engine that nobody knows.
 */
export function weakestLevelForbidding(
  anomalies: Iterable<Anomaly>,
  engine: SpokenEngine | 'unknown' = 'PostgreSQL',
): IsolationLevel {
  if (engine === 'unknown') return 'serializable';
  const wanted = [...anomalies];
  const suffices = (level: IsolationLevel) =>
    wanted.every((anomaly) => verdictOn(anomaly, ENGINES[engine][level]) === 'forbidden');
  return ISOLATION_LEVELS.find(suffices) ?? 'serializable';
}

export function isAtLeast(level: IsolationLevel, wanted: IsolationLevel): boolean {
  return ISOLATION_LEVELS.indexOf(level) >= ISOLATION_LEVELS.indexOf(wanted);
}

type PhenomenaOf<A extends Anomaly> = A extends Phenomenon
  ? A
  : A extends keyof typeof EVERYDAY_NAMES
    ? (typeof EVERYDAY_NAMES)[A]['phenomena'][number]
    : never;
type ForbiddenAt<L extends IsolationLevel> = (typeof ENGINES)['PostgreSQL'][L]['forbids'][number];

/** {@link weakestLevelForbidding} for the compiler, on PostgreSQL. */
export type WeakestForbidding<A extends Anomaly> = [PhenomenaOf<A>] extends [ForbiddenAt<'read committed'>]
  ? 'read committed'
  : [PhenomenaOf<A>] extends [ForbiddenAt<'repeatable read'>]
    ? 'repeatable read'
    : 'serializable';
