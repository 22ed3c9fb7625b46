/**
 * Notices a server that has gone silent: no answer for `boundMs` while statements are under way. Statements are
 * answered one after the other, so each answer starts the time anew, however many wait behind it.
 *
 * One timer for all statements of a session, armed at most once a bound.
 */
export class SilenceWatch {
  #boundMs: number;
  readonly #onSilence: () => void;
  #underWay = 0;
  #heardAt = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param boundMs in milliseconds; 0 for no bound */
  constructor(boundMs: number, onSilence: () => void) {
    this.#boundMs = boundMs;
    this.#onSilence = onSilence;
  }

  /** From the next statement on. */
  changeBound(boundMs: number): void {
    if (boundMs === this.#boundMs) return;
    this.#boundMs = boundMs;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  sent(): void {
    if (this.#underWay === 0) this.#heardAt = performance.now();
    this.#underWay += 1;
    if (this.#timer === undefined) this.#arm(this.#boundMs);
  }

  /**
   * @param underWay how many statements are still without an answer
   * @returns how long the server was at this one, in milliseconds
   */
  heard(underWay: number): number {
    const before = this.#heardAt;
    this.#underWay = underWay;
    this.#heardAt = performance.now();
    return this.#heardAt - before;
  }

  #arm(afterMs: number): void {
    if (this.#boundMs === 0) return;
    this.#timer = setTimeout(() => this.#look(), Math.min(afterMs, LONGEST_TIMER_MS)).unref();
  }

  #look(): void {
    this.#timer = undefined;
    if (this.#underWay === 0) return;
    const leftMs = this.#heardAt + this.#boundMs - performance.now();
    if (leftMs <= 0) this.#onSilence();
    else this.#arm(leftMs);
  }
}

/** Node's timers take no more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
