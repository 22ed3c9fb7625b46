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

/** What it is asked on. */
interface Runner {
  run(statement: Statement): Promise<StatementResult>;
}

/** How the id of one transaction is learnt: from a row that it has written, or by asking along with a write. */
export class TransactionNumber {
  readonly #session: Runner;
  readonly #ids: TransactionIds | undefined;
  #id: TransactionId;
  #asking: Promise<void> | undefined;
  #mustAskAgain = false;

  constructor(session: Runner, ids: TransactionIds | undefined) {
    this.#session = session;
    this.#ids = ids;
  }

  /** Whether the `xmin` of a row tells it. */
  get isToldByRows(): boolean {
    return this.#ids !== undefined;
  }

  /** As far as it is known; to be read when nobody is {@link asking}. */
  get id(): TransactionId {
    return this.#id;
  }

  /** Settled once it is answered; undefined where there is nothing to wait for. Never rejects. */
  get asking(): Promise<void> | undefined {
    return this.#asking;
  }

  /** By the `xmin` of a row that the transaction has written itself. */
  learn(xmin: string): void {
    if (typeof this.#id !== 'string') this.#id = this.#ids!.full(xmin);
  }

  /** To be called behind each write whose answer does not tell, in its flight; sends nothing when the id is known. */
  ask(): void {
    if (typeof this.#id === 'string') return;
    if (this.#asking) {
      this.#mustAskAgain = true; // the answer under way is too early to know of this write
      return;
    }
    this.#id = undefined;
    this.#asking = this.#ask();
  }

  async #ask(): Promise<void> {
    do {
      this.#mustAskAgain = false;
      const id = await this.#session.run(XID).then(
        ({ rows }) => rows[0]![0] as string | null,
        // Refused because the write before it failed, or it cannot be learnt any more.
        (error: unknown) => (isConnectionLoss(error) ? undefined : null),
      );
      if (typeof this.#id !== 'string') this.#id = id; // a row may have told it meanwhile
    } while (this.#id === null && this.#mustAskAgain);
    this.#asking = undefined;
  }
}
