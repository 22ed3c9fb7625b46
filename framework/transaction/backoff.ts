/**
 * The pause before attempt `attempt + 1`, in milliseconds: full jitter over an exponential bound, which
 * spreads competitors best.
 *
 * @param attempt the attempt that failed, counted from 1
 * @param random between 0 and 1; injected by tests
 * @see Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015
 */
export function pauseAfter(attempt: number, random: () => number = Math.random): number {
  return random() * Math.min(500, 4 * 2 ** Math.min(attempt, 10));
}
