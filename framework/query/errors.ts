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
