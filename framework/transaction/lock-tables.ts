import { quotedName } from '../database/quoted-name';
import type { Statement } from '../database/statement';

/**
 * Keeps all others from writing to tables: every write takes a lock of its own that this one waits for, and keeps out.
 * It conflicts with itself too, so that of those who hold it none can wait for another's write.
 */
export function lockTables(tables: Iterable<string>, { nowait = false } = {}): Statement {
  const names = [...tables].sort().map(quotedName).join(', ');
  const text = `lock table ${names} in share row exclusive mode${nowait ? ' nowait' : ''}`;
  return { text, writes: false, locks: true, takesSnapshot: false };
}

/**
 * Takes beforehand the lock that every write takes. So those who keep writers out are waited for while nothing else is
 * locked, and not with rows in hand that they are about to want.
 */
export function joinWriters(tables: Iterable<string>): Statement {
  const names = [...tables].sort().map(quotedName).join(', ');
  return { text: `lock table ${names} in row exclusive mode`, writes: false, locks: true, takesSnapshot: false };
}
