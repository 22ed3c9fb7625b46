import { unlessAborted } from '../database/abort';
import type { Signals } from '../database/abort';

/** How long a retry waits for those before it, in milliseconds, before it goes ahead beside them. */
const PATIENCE_MS = 1_000;

/**
 * Turns among the retries of one process, by the names of queues: for behind a pooler, where the server cannot keep
 * a queue. First attempts are not held up. In courtesy only: no promise rests on it, and patience ends, so that a
 * long transaction holds up nobody for long.
 */
export class LocalTurns {
  readonly #last = new Map<string, Promise<void>>();

  /** Waits for those that stand in any of the same queues by now. */
  async inTurn<T>(queues: readonly string[], signals: Signals, body: () => Promise<T>): Promise<T> {
    const before = queues.flatMap((queue) => this.#last.get(queue) ?? []);
    let done!: () => void;
    const mine = new Promise<void>((resolve) => (done = resolve));
    for (const queue of queues) this.#last.set(queue, mine);
    try {
      await unlessAborted(signals, withPatience(Promise.all(before)));
      return await body();
    } finally {
      done();
      for (const queue of queues) if (this.#last.get(queue) === mine) this.#last.delete(queue);
    }
  }
}

async function withPatience(before: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const enough = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS);
  });
  try {
    await Promise.race([before, enough]);
  } finally {
    clearTimeout(timer);
  }
}
