import { isConnectionLoss } from '../database/sqlstate';
import type { Statement, StatementResult } from '../database/statement';
import type { TransactionIds } from '../database/transaction-ids';

const XID: Statement = {
  name: 'bw_xid',
  text: 'select pg_current_xact_id_if_assigned()::text',
  valuesAs: 'text',
  writes: false,
};

/**
 * The id that the server gives a transaction when it first writes: 64 bits as text; undefined when it could not be
 * learnt before the connection was lost, null when the server had given none yet, because nothing was written.
 */
export type TransactionId = string | null | undefined;

/** How the id of one transaction is learnt: from a row that it has written, or by asking along with a write. */
export class TransactionNumber {
  readonly #run: (statement: Statement) => Promise<StatementResult>;
  readonly #ids: TransactionIds | undefined;
  #asked: Promise<TransactionId> | undefined;
  #mustAskAgain = false;

  constructor(run: (statement: Statement) => Promise<StatementResult>, ids: TransactionIds | undefined) {
    this.#run = run;
    this.#ids = ids;
  }

  /** Whether the `xmin` of a row tells it. */
  get isToldByRows(): boolean {
    return this.#ids !== undefined;
  }

  /** Settled once the writes along with which it was asked for are answered. Never rejects. */
  get known(): Promise<TransactionId> {
    return this.#asked ?? Promise.resolve(undefined);
  }

  /** Where no row was written there is no id yet, unless a trigger has written others. */
  learn(xmin: unknown): void {
    if (xmin === undefined) return this.ask();
    if (this.#asked !== undefined && !this.#mustAskAgain) return;
    this.#mustAskAgain = false;
    this.#asked = Promise.resolve(this.#ids!.full(xmin as string));
  }

  ask(): void {
    if (this.#asked !== undefined && !this.#mustAskAgain) return;
    this.#mustAskAgain = false;
    this.#asked = this.#run(XID).then(
      ({ rows }) => {
        const id = rows[0]![0] as string | null;
        this.#mustAskAgain = id === null; // the write before it found no row to change
        return id;
      },
      (error: unknown) => {
        this.#mustAskAgain = true;
        return isConnectionLoss(error) ? undefined : null; // refused because the write before it failed
      },
    );
  }
}
