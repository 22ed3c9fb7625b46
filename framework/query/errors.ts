import { BellwetherError } from '../core/errors';

/** No record has the key, or answers to the conditions. */
export class RecordNotFoundError extends BellwetherError {
  override readonly code = 'E_RECORD_NOT_FOUND';
  override readonly recovery = 'fix-the-input';

  constructor(model: string, by: string) {
    super({
      what: `There is no ${model} with the given ${by}.`,
      remedy: `Check the ${by}, or use findBy(…) or first(), which answer undefined.`,
      details: { model, by },
    });
  }
}

/** A query names something that its model does not have, or asks for what cannot be. */
export class InvalidQueryError extends BellwetherError {
  override readonly code = 'E_INVALID_QUERY';
  override readonly recovery = 'fix-the-code';
}

/** A validation or a callback reads by SQL that does not tell which tables to hold still. */
export class ReadNotHeldError extends BellwetherError {
  override readonly code = 'E_READ_NOT_HELD';
  override readonly recovery = 'fix-the-code';

  constructor(table: string, isolation: string) {
    super({
      what: `A validation or callback of "${table}" reads by SQL text at ${isolation}: which tables cannot be known, so what it reads cannot be held until the commit.`,
      remedy:
        'Read with the query interface or kysely, run the transaction serializable, or lock by hand and read inside unsafeReads(…).',
      details: { table, isolation },
    });
  }
}

/** A value in a condition is not one that its column can hold. */
export class InvalidOperandError extends BellwetherError {
  override readonly code = 'E_INVALID_OPERAND';
  override readonly recovery = 'fix-the-input';

  constructor(model: string, attribute: string, refusal: string) {
    super({
      what: `In a condition, ${model}.${attribute} ${refusal}.`,
      remedy: `Convert the value before the query, and refuse input that cannot be converted.`,
      details: { model, attribute },
    });
  }
}

/** What was given to `page({ after })` is not the `next` of a page of the same query. */
export class InvalidCursorError extends BellwetherError {
  override readonly code = 'E_INVALID_CURSOR';
  override readonly recovery = 'fix-the-input';

  constructor(model: string) {
    super({
      what: `What the page of ${model} is to come after is not where a page in this order has ended.`,
      remedy: 'Give the `next` of the page before, unchanged, with the same order; or begin at the first page.',
      details: { model },
    });
  }
}

/** An update or a delete without a condition would touch every row. */
export class UnboundedWriteError extends BellwetherError {
  override readonly code = 'E_UNBOUNDED_WRITE';
  override readonly recovery = 'fix-the-code';

  constructor(model: string, method: string) {
    super({
      what: `${model}: ${method} has no condition and would touch every row.`,
      remedy: 'Add where(…), or everyRow() if every row is meant.',
      details: { model, method },
    });
  }
}
