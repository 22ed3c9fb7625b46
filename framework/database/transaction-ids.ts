/**
 * Takes PostgreSQL's 32-bit transaction numbers, as rows carry them in `xmin`, to the 64-bit ones that are never given
 * out again. Right as long as less than 2^31 transactions lie between one that was seen here and the next.
 *
 * @see PostgreSQL manual, section 66.1, "Transactions and Identifiers"
 */
export class TransactionIds {
  #latest: bigint;

  /** @param latest a 64-bit number of about now */
  constructor(latest: bigint) {
    this.#latest = latest;
  }

  full(xmin: string): string {
    const full = this.#latest + BigInt.asIntN(32, BigInt(xmin) - this.#latest);
    if (full > this.#latest) this.#latest = full;
    return String(full);
  }
}
