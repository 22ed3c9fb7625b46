import type { Anomaly, Phenomenon } from './anomalies';
import { PHENOMENA, phenomenaOf } from './anomalies';

/**
 * What the isolation levels of database engines forbid: data only, no I/O, one citation a row. A test plays
 * Hermitage's schedules against the server that is connected, for each cell of its rows.
 *
 * The same label means different things: PostgreSQL's "repeatable read" is snapshot isolation, MySQL's loses
 * updates, and Oracle's "serializable" lets write skew through.
 */
export interface LevelFacts {
  /** What the level is in the words of the literature. */
  readonly actually: string;
  readonly isDefault?: true;
  readonly forbids: readonly Phenomenon[];
  /** Forbidden in some cases only. */
  readonly partly?: readonly Phenomenon[];
  /** For rows that are not complete: no source says whether these can happen. */
  readonly unknown?: readonly Phenomenon[];
  readonly source: string;
}

const hermitage = (file: string) => `Hermitage (github.com/ept/hermitage), ${file}`;

const MONOTONIC_ATOMIC_VIEW = ['G0', 'G1a', 'G1b', 'G1c', 'OTV'] as const;
const SNAPSHOT = [...MONOTONIC_ATOMIC_VIEW, 'PMP', 'P4', 'G-single'] as const;
const ALL = [...SNAPSHOT, 'G2-item', 'G2'] as const;
const ALL_BUT_P4 = ALL.filter((phenomenon) => phenomenon !== 'P4');

const readUncommitted = (source: string) => ({ actually: 'read uncommitted', forbids: ['G0'], source }) as const;
const atomicView = (source: string) =>
  ({ actually: 'monotonic atomic view', forbids: MONOTONIC_ATOMIC_VIEW, source }) as const;
const snapshot = (source: string) => ({ actually: 'snapshot isolation', forbids: SNAPSHOT, source }) as const;
const serializable = (source: string) => ({ actually: 'serializable', forbids: ALL, source }) as const;

const DEFAULT = { isDefault: true } as const;

/** Weakest level first, as in each engine's own spelling. */
export const ENGINES = {
  PostgreSQL: {
    'read committed': { ...atomicView(`${hermitage('postgres.md')}; PostgreSQL manual, section 13.2.1`), ...DEFAULT },
    'repeatable read': snapshot(`${hermitage('postgres.md')}; PostgreSQL manual, section 13.2.2`),
    serializable: serializable(
      'Ports & Grittner, "Serializable Snapshot Isolation in PostgreSQL" (VLDB 2012); ' + hermitage('postgres.md'),
    ),
  },
  CockroachDB: {
    'read committed': atomicView(hermitage('README.md, table')),
    'repeatable read': snapshot(hermitage('README.md, table')),
    serializable: { ...serializable(hermitage('README.md, table')), ...DEFAULT },
  },
  YugabyteDB: {
    'read committed': { ...atomicView(hermitage('README.md, table')), ...DEFAULT },
    'repeatable read': snapshot(hermitage('README.md, table')),
    serializable: serializable(hermitage('README.md, table')),
  },
  'MySQL/InnoDB': {
    'read uncommitted': readUncommitted(hermitage('mysql.md')),
    'read committed': atomicView(hermitage('mysql.md')),
    // Both only as long as the transaction writes nothing.
    'repeatable read': { ...atomicView(hermitage('mysql.md')), partly: ['PMP', 'G-single'], ...DEFAULT },
    serializable: serializable(hermitage('mysql.md')),
  },
  'MariaDB/InnoDB': {
    'repeatable read, innodb_snapshot_isolation=OFF': {
      actually: 'not well defined',
      forbids: [],
      unknown: ALL_BUT_P4,
      source: 'jira.mariadb.org, MDEV-35124: no detection of write-write conflicts; the default before 11.6.2',
    },
    'repeatable read, innodb_snapshot_isolation=ON': {
      actually: 'meant as snapshot isolation',
      ...DEFAULT,
      forbids: [],
      partly: ['P4'],
      unknown: ALL_BUT_P4,
      source: 'jira.mariadb.org, MDEV-35124; MDEV-39263: updates are still lost, about one in 150,000',
    },
  },
  Oracle: {
    'read committed': { ...atomicView(hermitage('oracle.md')), ...DEFAULT },
    serializable: { ...snapshot(hermitage('oracle.md')), partly: ['G2'] },
  },
  'SQL Server': {
    'read uncommitted': readUncommitted(hermitage('sqlserver.md')),
    'read committed': { ...atomicView(hermitage('sqlserver.md')), ...DEFAULT },
    'read committed snapshot': atomicView(hermitage('sqlserver.md')),
    'repeatable read': {
      actually: 'repeatable read',
      forbids: [...MONOTONIC_ATOMIC_VIEW, 'P4', 'G2-item'],
      partly: ['G-single'],
      source: hermitage('sqlserver.md'),
    },
    snapshot: snapshot(hermitage('sqlserver.md')),
    serializable: serializable(hermitage('sqlserver.md')),
  },
  'FoundationDB SQL Layer': {
    serializable: { ...serializable(hermitage('README.md, table')), ...DEFAULT },
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, LevelFacts>>>>;

export type Engine = keyof typeof ENGINES;

/** The engines that speak PostgreSQL's protocol, and whose levels have its names. */
export type SpokenEngine = 'PostgreSQL' | 'CockroachDB' | 'YugabyteDB';

export type Verdict = 'forbidden' | 'partly' | 'possible' | 'unknown';

export function verdictOn(anomaly: Anomaly, { forbids, partly = [], unknown = [] }: LevelFacts): Verdict {
  const phenomena = phenomenaOf(anomaly);
  const are = (list: readonly Phenomenon[]) => (phenomenon: Phenomenon) => list.includes(phenomenon);
  if (phenomena.every(are(forbids))) return 'forbidden';
  if (phenomena.some(are(unknown))) return 'unknown';
  return phenomena.some(are([...forbids, ...partly])) ? 'partly' : 'possible';
}

/**
 * Which engine a server is, by its own answer to `version()`. Those that only speak the protocol name themselves
 * there, first, in the middle or at the end.
 */
export function engineCalling(version: string): SpokenEngine | 'unknown' {
  if (version.startsWith('CockroachDB')) return 'CockroachDB';
  if (/^PostgreSQL [\d.]+-YB-/.test(version)) return 'YugabyteDB';
  return /^PostgreSQL \d.*, compiled by .*, \d+-bit$/.test(version) ? 'PostgreSQL' : 'unknown';
}

const SIGNS: Readonly<Record<Verdict, string>> = { forbidden: '✓', partly: 'some', possible: '—', unknown: '?' };

/** The table as Markdown, a line a level; of one engine, or of all. */
export function isolationTable(engines: readonly Engine[] = Object.keys(ENGINES) as Engine[]): string {
  const phenomena = Object.keys(PHENOMENA) as Phenomenon[];
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const head = ['engine', 'level', 'actually', ...phenomena];
  const rows = engines.flatMap((engine) =>
    Object.entries<LevelFacts>(ENGINES[engine]).map(([level, facts]) => [
      engine,
      facts.isDefault ? `${level} (default)` : level,
      facts.actually,
      ...phenomena.map((phenomenon) => SIGNS[verdictOn(phenomenon, facts)]),
    ]),
  );
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
