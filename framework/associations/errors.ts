import { BellwetherError } from '../core/errors';

export class AssociationNotLoadedError extends BellwetherError {
  override readonly code = 'E_ASSOCIATION_NOT_LOADED';
  override readonly recovery = 'fix-the-code';

  constructor(model: string, association: string) {
    super({
      what: `${model}.${association} is not loaded.`,
      remedy: `Add .include('${association}') to the query, or await ${association}.load().`,
      details: { model, association },
    });
  }
}

/** A record cannot go while others that refer to it are there. */
export class DependentRecordsError extends BellwetherError {
  override readonly code = 'E_DEPENDENT_RECORDS';
  override readonly recovery = 'fix-the-input';

  constructor(model: string, association: string, cause?: unknown) {
    super({
      what: `${model} cannot be destroyed while it has ${association}.`,
      remedy: `Destroy or move its ${association} first, or declare another dependent for them.`,
      details: { model, association },
      ...(cause !== undefined && { cause }),
    });
  }
}

/** The row names a model that the association does not list. */
export class UnknownParentTypeError extends BellwetherError {
  override readonly code = 'E_UNKNOWN_PARENT_TYPE';
  override readonly recovery = 'fix-the-code';

  constructor(model: string, association: string, known: readonly string[]) {
    super({
      what: `A row of ${model} refers by ${association} to a model that is none of ${known.join(', ')}.`,
      remedy: 'List the model in the association, or correct the row.',
      details: { model, association, known },
    });
  }
}

/** What was assigned to an association is no record of the model at its other end. */
export class WrongRecordError extends BellwetherError {
  override readonly code = 'E_WRONG_RECORD';
  override readonly recovery = 'fix-the-input';

  constructor(model: string, association: string, expected: string) {
    super({
      what: `${model}.${association} was given something that is no ${expected}.`,
      remedy: `Give it a record of ${expected}, or its key.`,
      details: { model, association, expected },
    });
  }
}
