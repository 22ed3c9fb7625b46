import type { Statement } from '../database/statement';

/** From here on in the transaction, how long a lock is waited for, in milliseconds; undefined for the session's bound. */
export function lockTimeout(timeoutMs: number | undefined): Statement {
  const value = timeoutMs === undefined ? 'to default' : `= ${timeoutMs}`;
  return { text: `set local lock_timeout ${value}`, writes: false, takesSnapshot: false };
}
