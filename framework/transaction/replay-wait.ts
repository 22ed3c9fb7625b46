export interface ReplayWait {
  /** Upper bound of the whole wait, in milliseconds. 0 asks once. */
  readonly timeoutMs: number;
  /** Pause between two questions, in milliseconds. Default 10. */
  readonly pollMs?: number;
  /** Monotonic clock, in milliseconds. Default `performance.now`; tests pass their own. */
  readonly now?: () => number;
  readonly pause?: (ms: number) => Promise<void>;
}

/**
 * Asks until there is an answer, or the time is over.
 *
 * @param ask undefined while no replica is far enough
 * @returns the answer, or undefined when `timeoutMs` has passed without one
 */
export async function untilReplayed<T>(
  ask: () => Promise<T | undefined>,
  {
    timeoutMs,
    pollMs = 10,
    now = () => performance.now(),
    pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  }: ReplayWait,
): Promise<T | undefined> {
  const deadline = now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    const leftMs = deadline - now();
    if (answer !== undefined || leftMs <= 0) return answer;
    await pause(Math.min(pollMs, leftMs));
  }
}
