import type { Clock } from './clock';
import { isoTime } from './clock';
import type { HourView } from './views';

const HOUR_MS = 3_600_000;
const HOURS = 24;

export type Outcome = 'rung' | 'failed' | 'refused';

/** Counts of the last 24 hours, each hour on its own. Takes no more room than that. */
export class HourlyCounts {
  readonly #clock: Clock;
  /** By the number of the hour since 1970. */
  readonly #hours = new Map<number, Record<Outcome, number>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  count(outcome: Outcome, atMs = this.#clock.now()): void {
    const hour = Math.floor(atMs / HOUR_MS);
    if (hour <= this.#hourNow() - HOURS) return;
    const counts = this.#hours.get(hour) ?? { rung: 0, failed: 0, refused: 0 };
    counts[outcome]++;
    this.#hours.set(hour, counts);
    for (const old of this.#hours.keys()) if (old <= this.#hourNow() - HOURS) this.#hours.delete(old);
  }

  /** Oldest first, the hour that runs last. */
  view(): HourView[] {
    const first = this.#hourNow() - HOURS + 1;
    return Array.from({ length: HOURS }, (_, index) => ({
      hour: isoTime((first + index) * HOUR_MS),
      ...(this.#hours.get(first + index) ?? { rung: 0, failed: 0, refused: 0 }),
    }));
  }

  #hourNow(): number {
    return Math.floor(this.#clock.now() / HOUR_MS);
  }
}
