import { Query } from 'pg';
import type { Statement, StatementResult } from './statement';
import { typed } from './values';

/** Of the driver's messages, what is read here. */
interface FieldMessage {
  readonly name: string;
  readonly dataTypeID: number;
}
type Cells = (string | null)[];

const NO_FIELDS: readonly FieldMessage[] = [];
const NOTHING: StatementResult = { rows: [], fields: NO_FIELDS, command: '', rowCount: 0 };

export type OnAnswer = (error: Error | null, result: StatementResult) => void;

/** A BEGIN that goes ahead of a statement. */
export interface Beginning {
  /** Under which it was prepared on this session. */
  readonly name: string;
  isBegun: boolean;
  readonly onRefused: (reason: Error) => void;
}

/** Of the driver's own half of the protocol, what is used here; its types leave it out. */
interface Wire {
  bind(message: { portal: string; statement: string; values: readonly unknown[] }): void;
  execute(message: { portal: string }): void;
}
const driversOwn = Query.prototype as unknown as { prepare(wire: Wire): void };

const withoutDescribe = new WeakMap<Wire, Wire>();

/** The same, but it does not ask what the columns are. */
function knowingColumns(wire: Wire): Wire {
  const known = withoutDescribe.get(wire);
  if (known) return known;
  const quiet = Object.create(wire, { describe: { value: () => undefined } }) as Wire;
  withoutDescribe.set(wire, quiet);
  return quiet;
}

/**
 * One statement and its answer, for the driver to send and to fill: it calls the `handle…` methods as messages
 * arrive, as it does for pg-cursor. The driver's own way makes an object with a key for each column of each
 * answer and a copy of each row; here the texts of the cells are kept as they came.
 */
export class Answer extends Query {
  declare name: string | undefined;
  declare callback: OnAnswer;
  readonly #isTyped: boolean;
  #fields = NO_FIELDS;
  #rows: Cells[] = [];
  #result = NOTHING;
  readonly #beginning: Beginning | undefined;

  /** With a BEGIN ahead of it, the statement must have a name: only the extended protocol puts two under one Sync. */
  constructor({ text, values, valuesAs }: Statement, name: string | undefined, callback: OnAnswer, begin?: Beginning) {
    super(text, values);
    this.name = name;
    this.callback = callback;
    this.#beginning = begin;
    this.#isTyped = valuesAs !== 'text';
  }

  /**
   * The server answers at a Sync: two statements under one are one packet less to send there and to wake up for here.
   * If BEGIN is refused, it skips the other. Whoever takes the texts of the cells knows the columns: nobody asks for them.
   */
  prepare(wire: Wire): void {
    if (this.#beginning) {
      wire.bind({ portal: '', statement: this.#beginning.name, values: [] });
      wire.execute({ portal: '' });
    }
    driversOwn.prepare.call(this, this.#isTyped ? wire : knowingColumns(wire));
  }

  handleRowDescription({ fields }: { readonly fields: readonly FieldMessage[] }): void {
    this.#fields = fields;
  }

  handleDataRow({ fields: cells }: { readonly fields: Cells }): void {
    this.#rows.push(cells);
  }

  /** Of several statements in one text, which is possible without values only, the last one's result counts. */
  handleCommandComplete({ text: tag }: { readonly text: string }): void {
    if (this.#beginning && !this.#beginning.isBegun) {
      this.#beginning.isBegun = true;
      return;
    }
    const end = tag.indexOf(' ');
    const command = end < 0 ? tag : tag.slice(0, end);
    const rowCount = end < 0 ? 0 : Number(tag.slice(tag.lastIndexOf(' ') + 1)) || 0; // CREATE TABLE counts nothing
    this.#result = { rows: this.#rows, fields: this.#fields, command, rowCount };
    this.#rows = [];
    this.#fields = NO_FIELDS;
  }

  handleReadyForQuery(): void {
    if (!this.#isTyped) return this.callback(null, this.#result);
    let rows: unknown[][];
    try {
      rows = typed(this.#result.rows as Cells[], this.#result.fields as readonly FieldMessage[]);
    } catch (error) {
      return this.callback(error as Error, NOTHING); // a text that its type's parser does not understand
    }
    this.callback(null, { ...this.#result, rows });
  }
}
