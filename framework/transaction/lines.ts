import { AbortedError } from '../database/errors';
import { onAbort } from '../database/abort';
import type { Signals } from '../database/abort';
import type { Connection } from '../database/connection';

/** So many in a line are served on one session before others get their turn: processes at its rows, callers at the pool. */
const SERVED_AT_A_STRETCH = 8;

export interface Patience {
  /** How long the line may stand still, in milliseconds. */
  readonly stillMs: number;
  /** How long the wait may last in all, in milliseconds. */
  readonly totalMs: number;
}

/** A session with what was sent last on it, by the one who hands it on: COMMIT, which may not be answered yet. */
export interface HandedOn {
  readonly connection: Connection;
  readonly lastAnswer: Promise<unknown>;
}

/** Undefined after one whose session broke: the next brings one of its own. */
type Served = HandedOn | undefined;

/**
 * Transactions of this process that stand in the same queues for hot rows. One is served at a time, and hands its
 * session on behind its COMMIT: the next one's BEGIN and first statement leave in the same flight, nobody waits on a
 * session of the pool, and the server has nobody to wake.
 *
 * In courtesy only: no promise rests on it, and patience ends.
 */
export class Line {
  readonly #waiting = new Set<(served: Served) => void>();
  readonly #onEmpty: () => void;
  #movedAt = performance.now();
  #served = 0;

  constructor(onEmpty: () => void) {
    this.#onEmpty = onEmpty;
  }

  get isAwaited(): boolean {
    return this.#waiting.size > 0;
  }

  /** Whether the one who is served now is to let other processes go first. */
  get isAtStretchEnd(): boolean {
    return this.#served % SERVED_AT_A_STRETCH === 0;
  }

  /** Whether the next one will be, so that the session may go to somebody else as well. */
  get isNextAtStretchEnd(): boolean {
    return (this.#served + 1) % SERVED_AT_A_STRETCH === 0;
  }

  /** Whoever is served is done. @returns whether there was a next one; if not, the line is gone */
  serveNext(served: Served): boolean {
    const [serve] = this.#waiting;
    if (!serve) {
      this.#onEmpty();
      return false;
    }
    this.#served += 1;
    this.#movedAt = performance.now();
    serve(served);
    return true;
  }

  /** @returns undefined when patience has ended, so that one goes ahead beside the line. @throws AbortedError */
  wait({ stillMs, totalMs }: Patience, signals: Signals): Promise<{ readonly served?: Served } | undefined> {
    const beganAt = performance.now();
    return new Promise((resolve, reject) => {
      const serve = (served: Served) => {
        leave();
        resolve({ served });
      };
      const look = () => {
        const leftMs = Math.min(this.#movedAt + stillMs, beganAt + totalMs) - performance.now();
        if (leftMs > 0) return void (timer = setTimeout(look, leftMs));
        leave();
        resolve(undefined);
      };
      const leave = () => {
        clearTimeout(timer);
        takeOff();
        this.#waiting.delete(serve);
      };
      this.#waiting.add(serve);
      let timer = setTimeout(look, Math.min(stillMs, totalMs));
      const takeOff = onAbort(signals, (reason) => {
        leave();
        reject(new AbortedError(reason));
      });
    });
  }
}

/** One line for each set of queues; it is there while somebody is served. */
export class Lines {
  readonly #lines = new Map<string, Line>();

  /** @returns the line, in which one is served at once if it is new */
  at(queues: readonly string[]): { readonly line: Line; readonly isNew: boolean } {
    const name = JSON.stringify([...queues].sort());
    const known = this.#lines.get(name);
    if (known) return { line: known, isNew: false };
    const line = new Line(() => this.#lines.delete(name));
    this.#lines.set(name, line);
    return { line, isNew: true };
  }
}
