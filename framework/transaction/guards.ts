import { createHash } from 'node:crypto';
import { isPostgresError } from '../database/sqlstate';
import type { Statement } from '../database/statement';

/** The table of guards; see docs/decisions/0007-guards.md. */
export const GUARDS_TABLE = 'bellwether_guards';
/** How many guards there are. Keys that share one wait for one another, which costs time and nothing else. */
export const GUARDS = 4096;

/** Which guard watches over `key`, a canonical text, among those of `namespace`. */
export function guardOf(namespace: string, key: string): number {
  const digest = createHash('sha1').update(`${namespace}\0${key}`).digest();
  return digest.readUInt32BE() % GUARDS;
}

/**
 * Takes guards until the transaction ends, in ascending order: one statement, one row for each.
 *
 * @param nowait is refused (55P03) where one of them is taken, instead of waiting for it
 */
export function takeGuards(guards: Iterable<number>, { nowait = false } = {}): Statement {
  const buckets = [...guards].sort((a, b) => a - b);
  return { ...(nowait ? TAKE_NOWAIT : TAKE), values: [buckets], about: { table: GUARDS_TABLE, key: buckets } };
}

/** Whether guards that were only tried for were not free. */
export function wereTaken({ name }: Statement, error: unknown): boolean {
  return name === TAKE_NOWAIT.name && isPostgresError(error) && error.code === '55P03';
}

const taking = (wait: string) => `with taken as (
  select bucket from ${GUARDS_TABLE} where bucket = any($1::int[]) order by bucket for no key update${wait}
) update ${GUARDS_TABLE} g set turn = turn + 1 from taken where g.bucket = taken.bucket`;

const TAKE: Statement = { name: 'bw_guards', text: taking('') };
const TAKE_NOWAIT: Statement = { name: 'bw_guards_nowait', text: taking(' nowait') };
