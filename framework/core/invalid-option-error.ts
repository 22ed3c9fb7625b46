import { BellwetherError } from './errors';

/** An option has a value that cannot work. */
export class InvalidOptionError extends BellwetherError {
  override readonly code = 'E_INVALID_OPTION';
  override readonly recovery = 'fix-the-code';

  constructor(option: string, expected: string, given: unknown) {
    super({
      what: `The option ${option} is ${expected}, not ${String(given)}.`,
      remedy: `Give ${option} such a value, or leave it out for its default.`,
      details: { option, expected },
    });
  }
}
