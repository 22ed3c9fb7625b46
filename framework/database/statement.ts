import type { IsolationLevel } from '../theory/isolation';

export interface Statement {
  readonly text: string;
  readonly values?: readonly unknown[];
  /** Name for a prepared statement. One name always stands for one text. */
  readonly name?: string | undefined;
  /** Whether it may change the database. Decides what a lost connection means. Default true: the careful answer. */
  readonly writes?: boolean;
  /** Whether it takes locks that last as long as the transaction although it writes nothing. Default false. */
  readonly locks?: boolean;
  /** Where no transaction is around it, the isolation to run at. Default: the connection's. */
  readonly isolation?: IsolationLevel;
  /** Whether it looks at the data, which fixes what a transaction at the stronger levels sees. Default true. */
  readonly takesSnapshot?: boolean;
  /** `text` leaves values as PostgreSQL prints them, for a hydrator; `typed` converts by type. Default `typed`. */
  readonly valuesAs?: 'text' | 'typed';
  /** Where `xmin` stands in each row that it gives back: of rows that it has written itself. */
  readonly xminAt?: number;
  /** The rows that it names by primary key. Transactions that collide over them queue for them. */
  readonly about?: RowNames | undefined;
}

export interface RowNames {
  readonly table: string;
  /** A key, or a list of keys. */
  readonly key: unknown;
}

export interface StatementResult {
  readonly rows: unknown[][];
  readonly fields: readonly { readonly name: string }[];
  /** The command tag's first word: INSERT, COMMIT, ROLLBACK … */
  readonly command: string;
  readonly rowCount: number;
}
