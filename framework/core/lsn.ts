/**
 * A position in PostgreSQL's write-ahead log, in bytes from its beginning. Positions of one server and of its replicas
 * compare; after a failover those of the old primary and of the new one do not.
 */
export type Lsn = bigint & { readonly unit: 'log position' };

/** Before everything. */
export const START_OF_LOG = 0n as Lsn;

/** From `16/B374D848`, as PostgreSQL prints a `pg_lsn`; undefined for anything else. */
export function parseLsn(text: string): Lsn | undefined {
  const match = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text);
  return match ? (((BigInt(`0x${match[1]}`) << 32n) + BigInt(`0x${match[2]}`)) as Lsn) : undefined;
}

export function printLsn(position: Lsn): string {
  const half = (bits: bigint) => bits.toString(16).toUpperCase();
  return `${half(position >> 32n)}/${half(position & 0xffff_ffffn)}`;
}

export function laterOf(one: Lsn, other: Lsn): Lsn {
  return one > other ? one : other;
}
