/**
 * What PostgreSQL's isolation levels forbid: data only, no I/O, one citation a line.
 *
 * Sources: Adya, "Weak Consistency" (PhD thesis, MIT, 1999), for the G-names; Berenson et al.,
 * "A Critique of ANSI SQL Isolation Levels" (SIGMOD 1995), for P4; Kleppmann's Hermitage, postgres.md, for
 * what the server was seen to do. PostgreSQL's "repeatable read" is snapshot isolation, so it does not
 * forbid write skew.
 */
export const ANOMALIES = [
  'dirty write',
  'dirty read',
  'non-repeatable read',
  'lost update',
  'read skew',
  'phantom',
  'write skew',
] as const;
export type Anomaly = (typeof ANOMALIES)[number];

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

const READ_COMMITTED = ['dirty write', 'dirty read'] as const;
const SNAPSHOT = [...READ_COMMITTED, 'non-repeatable read', 'lost update', 'read skew', 'phantom'] as const;

export const FORBIDDEN: Readonly<Record<IsolationLevel, readonly Anomaly[]>> = {
  'read committed': READ_COMMITTED, // Hermitage: "monotonic atomic view"; G0, G1a, G1b, G1c, OTV
  'repeatable read': SNAPSHOT, // Hermitage: "snapshot isolation"; adds PMP, P4, G-single
  serializable: ANOMALIES, // Ports & Grittner, "Serializable Snapshot Isolation in PostgreSQL", VLDB 2012
};

/** The cheapest level under which none of `anomalies` can occur. Always exists: serializable forbids all. */
export function weakestLevelForbidding(anomalies: Iterable<Anomaly>): IsolationLevel {
  const wanted = [...anomalies];
  return ISOLATION_LEVELS.find((level) => wanted.every((a) => FORBIDDEN[level].includes(a))) ?? 'serializable';
}

export function isAtLeast(level: IsolationLevel, wanted: IsolationLevel): boolean {
  return ISOLATION_LEVELS.indexOf(level) >= ISOLATION_LEVELS.indexOf(wanted);
}
