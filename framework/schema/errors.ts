import { BellwetherError } from '../core/errors';

/** What the decorators of the models say does not fit together. */
export class InvalidModelsError extends BellwetherError {
  override readonly code = 'E_INVALID_MODELS';
  override readonly recovery = 'fix-the-code';

  constructor(problems: readonly string[]) {
    const count = problems.length === 1 ? 'One declaration' : `${problems.length} declarations`;
    super({
      what: `${count} of the models cannot be:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
      remedy: 'Correct the decorators named above.',
      details: { problems },
    });
  }
}

/** The database holds a value that its column's type in the model cannot express. */
export class UnreadableValueError extends BellwetherError {
  override readonly code = 'E_UNREADABLE_VALUE';
  override readonly recovery = 'fix-the-setup';

  constructor(type: string, cause: unknown) {
    super({
      what: `A ${type} value in the database is one that the model's type cannot hold.`,
      remedy: 'Correct the value, or declare the column with a type that holds it.',
      details: { type },
      cause,
    });
  }
}
