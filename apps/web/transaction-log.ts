import { BellwetherError } from 'bellwether';
import type { Database, IsolationLevel } from 'bellwether';

const KEPT = 300;

/** One transaction, with all its attempts. */
export interface TransactionEntry {
  /** Empty for one without a name. */
  readonly name: string;
  readonly isolation: IsolationLevel;
  readonly begunAt: Date;
  outcome: 'under way' | 'waits to run again' | 'committed' | 'rolled back' | 'unknown';
  attempts: number;
  /** Code of the error that ended it, or that ended the attempt before. */
  error: string | undefined;
  /** Of the last attempt. */
  durationMs: number;
  /** Pauses before further attempts, in sum. */
  waitedMs: number;
}

/** What became of all transactions of one name. */
export interface OperationCount {
  committed: number;
  rolledBack: number;
  retries: number;
  totalMs: number;
  longestMs: number;
}

/** The last few hundred transactions of this process, and counts by operation since it began. */
export class TransactionLog {
  readonly #entries = new Map<number, TransactionEntry>();
  readonly counts = new Map<string, OperationCount>();

  /** @param onChange called at every change, so it should be quick */
  constructor(db: Database, closing: AbortSignal, onChange: () => void) {
    const offs = [
      db.on('transaction:begin', ({ transactionId, name = '', isolation, attempt }) => {
        const known = this.#entries.get(transactionId);
        if (known) Object.assign(known, { outcome: 'under way', attempts: attempt });
        else this.#add(transactionId, newEntry(name, isolation));
        onChange();
      }),
      db.on('transaction:retry', ({ transactionId, pauseMs }) => {
        const known = this.#entries.get(transactionId);
        if (!known) return; // a single statement, or one that has been forgotten
        known.outcome = 'waits to run again';
        known.waitedMs += pauseMs;
        this.#count(known.name).retries++;
        onChange();
      }),
      db.on('transaction:end', ({ transactionId, outcome, durationMs, error }) => {
        const known = this.#entries.get(transactionId);
        if (!known) return;
        Object.assign(known, { outcome, durationMs, error: codeOf(error) });
        if (!isToBeRetried(error)) this.#end(known);
        onChange();
      }),
    ];
    closing.addEventListener('abort', () => offs.forEach((off) => off()), { once: true });
  }

  /** Newest first. */
  get latest(): readonly TransactionEntry[] {
    return [...this.#entries.values()].reverse();
  }

  #add(id: number, entry: TransactionEntry): void {
    this.#entries.set(id, entry);
    if (this.#entries.size <= KEPT) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }

  #end({ name, outcome, durationMs }: TransactionEntry): void {
    const count = this.#count(name);
    if (outcome === 'committed') count.committed++;
    else count.rolledBack++;
    count.totalMs += durationMs;
    count.longestMs = Math.max(count.longestMs, durationMs);
  }

  #count(name: string): OperationCount {
    let count = this.counts.get(name);
    if (!count) this.counts.set(name, (count = { committed: 0, rolledBack: 0, retries: 0, totalMs: 0, longestMs: 0 }));
    return count;
  }
}

const newEntry = (name: string, isolation: IsolationLevel): TransactionEntry => ({
  name,
  isolation,
  begunAt: new Date(),
  outcome: 'under way',
  attempts: 1,
  error: undefined,
  durationMs: 0,
  waitedMs: 0,
});

const isToBeRetried = (error: unknown): boolean =>
  error instanceof BellwetherError && error.recovery === 'retry-transaction';

function codeOf(error: unknown): string | undefined {
  if (error === undefined) return undefined;
  return error instanceof BellwetherError ? error.code : error instanceof Error ? error.name : 'an error';
}
