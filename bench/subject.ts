import { ACCOUNTS, PRODUCTS } from './schema';

/** One implementation of the scenarios, written as its users would write it. */
export interface Subject {
  findProduct(id: number): Promise<unknown>;
  listProducts(): Promise<readonly unknown[]>;
  authorsWithBooks(): Promise<readonly unknown[]>;
  insertEntry(accountId: number, amount: number): Promise<unknown>;
  /** Reads an account, adds one to its visits, and saves it. */
  visit(accountId: number): Promise<unknown>;
  /** Reads both rows for update, moves the money, writes both: in one transaction. */
  transfer(from: number, to: number, amount: number): Promise<unknown>;
  /** An answer as plain values in the order of the columns, to compare it with the others'. Not timed. */
  plain(answer: unknown): unknown;
  close(): Promise<void>;
}

export interface Scenario {
  readonly name: string;
  /** How many run at once. */
  readonly callers: number;
  /** What a batch adds to, for the check at the end. */
  readonly counts?: 'inserts' | 'saves';
  /** Whether all give the same answer to the same call. */
  readonly isComparable: boolean;
  run(subject: Subject, index: number): Promise<unknown>;
}

const spread = (index: number, among: number) => 1 + ((index * 7919) % among);
/** Two different accounts, lower key first in one direction, higher first in the other. */
const pair = (index: number): [from: number, to: number] => {
  const from = spread(index, ACCOUNTS);
  return [from, 1 + (from % ACCOUNTS)];
};

export const SCENARIOS: readonly Scenario[] = [
  { name: 'point read', callers: 1, isComparable: true, run: (s, i) => s.findProduct(spread(i, PRODUCTS)) },
  {
    name: 'point read, 16 callers',
    callers: 16,
    isComparable: true,
    run: (s, i) => s.findProduct(spread(i, PRODUCTS)),
  },
  { name: 'list of 1,000', callers: 1, isComparable: true, run: (s) => s.listProducts() },
  { name: 'include, 50 + 250', callers: 1, isComparable: true, run: (s) => s.authorsWithBooks() },
  {
    name: 'insert one',
    callers: 1,
    isComparable: false,
    counts: 'inserts',
    run: (s, i) => s.insertEntry(spread(i, ACCOUNTS), i),
  },
  {
    name: 'find, change, save',
    callers: 1,
    isComparable: false,
    counts: 'saves',
    run: (s, i) => s.visit(spread(i, ACCOUNTS)),
  },
  { name: 'transfer', callers: 1, isComparable: false, run: (s, i) => s.transfer(...pair(i), 1) },
  {
    name: 'transfer, 2 hot accounts, 16 callers',
    callers: 16,
    isComparable: false,
    run: (s, i) => (i % 2 === 0 ? s.transfer(1, 2, 1) : s.transfer(2, 1, 1)),
  },
];

/** @returns milliseconds for `count` runs, by as many callers as the scenario has */
export async function runBatch(subject: Subject, scenario: Scenario, first: number, count: number): Promise<number> {
  let next = 0;
  const caller = async () => {
    while (next < count) await scenario.run(subject, first + next++);
  };
  const begunAt = performance.now();
  await Promise.all(Array.from({ length: Math.min(scenario.callers, count) }, caller));
  return performance.now() - begunAt;
}
