/**
 * What can go wrong between concurrent transactions: data only, no I/O, one citation a line.
 *
 * The ten phenomena are those that Hermitage tests, weakest level that forbids them first. Everyday names stand
 * for one or several of them.
 */

const ADYA = 'Adya, "Weak Consistency" (PhD thesis, MIT, 1999)';
const BERENSON = 'Berenson et al., "A Critique of ANSI SQL Isolation Levels" (SIGMOD 1995)';
const BAILIS = 'Bailis et al., "Highly Available Transactions: Virtues and Limitations" (VLDB 2014)';
const HERMITAGE = 'Kleppmann, "Hermitage: Testing the I in ACID" (2014)';

export interface PhenomenonFacts {
  readonly name: string;
  /** What one sees of it, in one line. T1 and T2 are concurrent transactions. */
  readonly means: string;
  readonly source: string;
}

export const PHENOMENA = {
  G0: {
    name: 'write cycle',
    means: 'T1 and T2 write the same rows, and each has the last word on some of them',
    source: `${ADYA}, section 3.1`,
  },
  G1a: {
    name: 'aborted read',
    means: 'T1 reads what T2 wrote, and T2 is rolled back',
    source: `${ADYA}, section 3.1`,
  },
  G1b: {
    name: 'intermediate read',
    means: 'T1 reads what T2 wrote and then overwrote itself',
    source: `${ADYA}, section 3.1`,
  },
  G1c: {
    name: 'circular information flow',
    means: 'T1 reads what T2 wrote, and T2 what T1 wrote',
    source: `${ADYA}, section 3.1`,
  },
  OTV: {
    name: 'observed transaction vanishes',
    means: 'T1 sees one write of T2 and then, on another row, a state from before T2',
    source: BAILIS,
  },
  PMP: {
    name: 'predicate-many-preceders',
    means: 'T1 reads by a condition twice, and rows that T2 wrote meanwhile match the second time',
    source: BAILIS,
  },
  P4: {
    name: 'lost update',
    means: 'T1 overwrites a row with what it made of a state from before T2 wrote it',
    source: `${BERENSON}, section 4.1`,
  },
  'G-single': {
    name: 'single anti-dependency cycle',
    means: 'T1 sees some rows from before T2 and others from after it',
    source: `${ADYA}, section 4.2`,
  },
  'G2-item': {
    name: 'item anti-dependency cycle',
    means: 'T1 and T2 each write what rests on a row that the other one changes',
    source: `${ADYA}, section 3.2`,
  },
  G2: {
    name: 'anti-dependency cycle',
    means: 'T1 and T2 each write what rests on a condition whose rows the other one changes',
    source: `${ADYA}, section 3.2`,
  },
} as const satisfies Readonly<Record<string, PhenomenonFacts>>;
export type Phenomenon = keyof typeof PHENOMENA;

export interface EverydayFacts {
  readonly phenomena: readonly Phenomenon[];
  readonly source: string;
}

/** A level forbids what has an everyday name when it forbids all the phenomena that the name stands for. */
export const EVERYDAY_NAMES = {
  'dirty write': { phenomena: ['G0'], source: `${BERENSON}, P0` },
  'dirty read': { phenomena: ['G1a', 'G1b', 'G1c'], source: `${BERENSON}, P1; told apart by ${ADYA}` },
  'aborted read': { phenomena: ['G1a'], source: ADYA },
  'intermediate read': { phenomena: ['G1b'], source: ADYA },
  'non-repeatable read': { phenomena: ['G-single'], source: `${BERENSON}, A2: G-single on one row` },
  'lost update': { phenomena: ['P4'], source: `${BERENSON}, P4` },
  'read skew': { phenomena: ['G-single'], source: `${BERENSON}, A5A` },
  phantom: { phenomena: ['PMP'], source: `${BERENSON}, A3; ${HERMITAGE}` },
  'write skew': { phenomena: ['G2-item', 'G2'], source: `${BERENSON}, A5B; by a condition: ${HERMITAGE}` },
} as const satisfies Readonly<Record<string, EverydayFacts>>;
export type EverydayName = keyof typeof EVERYDAY_NAMES;

/** Either spelling: as the literature counts them, or as they are spoken of. */
export type Anomaly = EverydayName | Phenomenon;

export const ANOMALIES = [...Object.keys(EVERYDAY_NAMES), ...Object.keys(PHENOMENA)] as readonly Anomaly[];

export function phenomenaOf(anomaly: Anomaly): readonly Phenomenon[] {
  return anomaly in EVERYDAY_NAMES ? EVERYDAY_NAMES[anomaly as EverydayName].phenomena : [anomaly as Phenomenon];
}
