import { BellwetherError } from 'bellwether';

/** The request itself is out of form. */
export class InvalidRequestError extends BellwetherError {
  override readonly code = 'E_INVALID_REQUEST';
  override readonly recovery = 'fix-the-input';

  constructor(what: string, remedy: string) {
    super({ what, remedy });
  }
}

/** Fields of a form or a body are not as they should be. */
export class InvalidFieldsError extends BellwetherError {
  override readonly code = 'E_INVALID_FIELDS';
  override readonly recovery = 'fix-the-input';

  /** @param errors what is wrong with each, as in `must be given` */
  constructor(readonly errors: Readonly<Record<string, readonly string[]>>) {
    const sentences = Object.entries(errors).map(([name, messages]) => `The ${name} ${messages.join(' and ')}`);
    super({ what: `${sentences.join('; ')}.`, remedy: 'Correct it and send it again.' });
  }
}

/** Only who is signed in may do this. */
export class NotSignedInError extends BellwetherError {
  override readonly code = 'E_NOT_SIGNED_IN';
  override readonly recovery = 'fix-the-input';

  constructor(what = 'Only who is signed in may do this.', remedy = 'Sign in first.') {
    super({ what, remedy });
  }
}

/** It is somebody else's. */
export class ForbiddenError extends BellwetherError {
  override readonly code = 'E_FORBIDDEN';
  override readonly recovery = 'fix-the-input';

  constructor(what: string, remedy = 'Change what is your own.') {
    super({ what, remedy });
  }
}

/** An edit does not say which state it is an edit of. */
export class PreconditionRequiredError extends BellwetherError {
  override readonly code = 'E_PRECONDITION_REQUIRED';
  override readonly recovery = 'fix-the-input';

  constructor() {
    super({
      what: 'The request does not say which state it changes.',
      remedy: 'Send the header If-Match with the ETag that reading it gave.',
    });
  }
}
