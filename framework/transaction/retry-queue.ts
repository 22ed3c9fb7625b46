/** How long a retry waits for those before it, in milliseconds, before it goes ahead beside them. */
const PATIENCE_MS = 1_000;

/**
 * Has the retries of one process take turns: those that have failed for one another once would fail for one
 * another again. First attempts are not held up. A queue in courtesy only: no promise rests on it, and patience
 * ends, so that a long transaction holds up nobody for long.
 */
export class RetryQueue {
  #last: Promise<void> = Promise.resolve();

  async inTurn<T>(body: () => Promise<T>): Promise<T> {
    const before = this.#last;
    let done!: () => void;
    this.#last = new Promise((resolve) => (done = resolve));
    try {
      await withPatience(before);
      return await body();
    } finally {
      done();
    }
  }
}

async function withPatience(before: Promise<void>): Promise<void> {
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
