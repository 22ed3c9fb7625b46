import { BellwetherError, RecordNotFoundError } from 'bellwether';
import type { Database } from 'bellwether';
import { logFailure } from '../web/problem';
import { answered, clearDrill, fire, judge, NO_TALLY, prepareDrill } from './drill';
import type { Tally, Variant, Verdict } from './drill';

/** One attack on both variants, one after the other, as far as it has come. */
export interface AttackRun {
  readonly id: number;
  readonly transfers: number;
  /** Undefined when it is over. */
  readonly running: Variant | undefined;
  /** Why it could not be carried through. */
  readonly error: string | undefined;
  readonly variants: Readonly<Record<Variant, Side>>;
}

export interface Side {
  readonly tally: Tally;
  readonly elapsedMs: number;
  readonly verdict: Verdict | undefined;
}

type Listener = (run: AttackRun) => void;

export class AttackUnderWayError extends BellwetherError {
  override readonly code = 'E_ATTACK_UNDER_WAY';
  override readonly recovery = 'try-later';

  constructor() {
    super({ what: 'An attack is under way already.', remedy: 'Wait for its verdict, then attack again.' });
  }
}

export class AttackAbandonedError extends BellwetherError {
  override readonly code = 'E_ATTACK_ABANDONED';
  override readonly recovery = 'try-later';

  constructor() {
    super({ what: 'The bank closed before the attack was over.', remedy: 'Attack again when it is open.' });
  }
}

const REPORT_EVERY_MS = 80;
// Several times as many as the pool has connections, so that all of these are always busy; and not so many that the
// page itself, which waits in the same queue, stands still.
const AT_ONCE = 100;
const REMEMBERED = 20;
const UNTOUCHED: Side = { tally: NO_TALLY, elapsedMs: 0, verdict: undefined };

/** The attacks that were started from the page: one at a time, followed by anybody. */
export class AttackRuns {
  readonly #db: Database;
  readonly #signal: AbortSignal;
  readonly #runs = new Map<number, AttackRun>();
  readonly #listeners = new Map<number, Set<Listener>>();
  #lastId = 0;

  /** @param signal abandons the attack that is under way, when it is aborted */
  constructor(db: Database, signal: AbortSignal) {
    this.#db = db;
    this.#signal = signal;
  }

  get latest(): AttackRun | undefined {
    return this.#runs.get(this.#lastId);
  }

  /** @throws RecordNotFoundError */
  find(id: number): AttackRun {
    const run = this.#runs.get(id);
    if (!run) throw new RecordNotFoundError('Attack', 'id');
    return run;
  }

  /** @throws AttackUnderWayError */
  start(transfers: number): AttackRun {
    if (this.latest?.running !== undefined) throw new AttackUnderWayError();
    const id = ++this.#lastId;
    this.#runs.delete(id - REMEMBERED);
    const variants = { unsafe: UNTOUCHED, declared: UNTOUCHED };
    const run: AttackRun = { id, transfers, running: 'unsafe', error: undefined, variants };
    this.#runs.set(id, run);
    void this.#carryOut(id, transfers);
    return run;
  }

  /** @returns a function that takes the listener off again */
  follow(id: number, listener: Listener): () => void {
    const listeners = this.#listeners.get(id) ?? new Set();
    this.#listeners.set(id, listeners.add(listener));
    return () => void listeners.delete(listener);
  }

  async #carryOut(id: number, transfers: number): Promise<void> {
    try {
      for (const variant of ['unsafe', 'declared'] as const) {
        this.#change(id, { running: variant });
        await this.#db.use(() => this.#attack(id, variant, transfers));
      }
      this.#change(id, { running: undefined });
    } catch (error) {
      if (!(error instanceof BellwetherError)) logFailure(error);
      const message =
        error instanceof BellwetherError ? error.message.split('\n')[0]! : 'It failed; the log says more.';
      this.#change(id, { running: undefined, error: message });
    }
    this.#listeners.delete(id);
  }

  async #attack(id: number, variant: Variant, transfers: number): Promise<void> {
    const drill = await prepareDrill();
    const begunAt = performance.now();
    let reportedAt = 0;
    const onProgress = (soFar: Tally) => {
      const now = performance.now();
      if (now - reportedAt < REPORT_EVERY_MS && answered(soFar) < transfers) return;
      reportedAt = now;
      this.#changeSide(id, variant, { tally: soFar, elapsedMs: now - begunAt, verdict: undefined });
    };
    const tally = await fire(drill, variant, transfers, { atOnce: AT_ONCE, signal: this.#signal, onProgress });
    if (this.#signal.aborted) throw new AttackAbandonedError();
    const elapsedMs = performance.now() - begunAt;
    const verdict = await judge(this.#db, drill, { variant, transfers, tally, elapsedMs });
    await clearDrill(drill);
    this.#changeSide(id, variant, { tally, elapsedMs, verdict });
  }

  #changeSide(id: number, variant: Variant, side: Side): void {
    const { variants } = this.find(id);
    this.#change(id, { variants: { ...variants, [variant]: side } });
  }

  #change(id: number, change: Partial<AttackRun>): void {
    const run = { ...this.find(id), ...change };
    this.#runs.set(id, run);
    for (const listener of this.#listeners.get(id) ?? []) listener(run);
  }
}
