import { BellBotError } from '../errors';

/** The request itself is out of form. */
export class InvalidRequestError extends BellBotError {
  override readonly code = 'E_INVALID_REQUEST';
  override readonly recovery = 'fix-the-input';

  constructor(what: string, remedy = 'Correct the request.') {
    super({ what, remedy });
  }
}

export class UnreadableBodyError extends BellBotError {
  override readonly code = 'E_UNREADABLE_BODY';
  override readonly recovery = 'fix-the-input';

  constructor() {
    super({
      what: 'The body is neither JSON nor a form.',
      remedy: 'Send it as application/json or application/x-www-form-urlencoded, not compressed.',
    });
  }
}

/** The key is missing or wrong. Says the same in all cases. */
export class UnauthorizedError extends BellBotError {
  override readonly code = 'E_UNAUTHORIZED';
  override readonly recovery = 'fix-the-input';

  constructor() {
    super({
      what: 'The key is missing or wrong.',
      remedy: 'Send it as a bearer token, or as the field "key" or "token" of the body.',
    });
  }
}

export class ForeignOriginError extends BellBotError {
  override readonly code = 'E_FOREIGN_ORIGIN';
  override readonly recovery = 'fix-the-input';

  constructor() {
    super({
      what: 'BellBot has no key, and the request comes from a page of another site, or by another name than localhost.',
      remedy: 'Set a key, or use the page that this server serves at localhost.',
    });
  }
}

export class NotFoundError extends BellBotError {
  override readonly code = 'E_NOT_FOUND';
  override readonly recovery = 'fix-the-input';

  constructor(what = 'There is nothing at this address.') {
    super({ what, remedy: 'GET /bells tells which bells there are; the documentation tells the other addresses.' });
  }
}

export class MethodNotAllowedError extends BellBotError {
  override readonly code = 'E_METHOD_NOT_ALLOWED';
  override readonly recovery = 'fix-the-input';

  constructor(allowed: string) {
    super({ what: `This address takes ${allowed} only.`, remedy: `Send it as ${allowed}.` });
  }
}

export class TooManyStreamsError extends BellBotError {
  override readonly code = 'E_TOO_MANY_STREAMS';
  override readonly recovery = 'try-later';
  readonly retryAfterSeconds = 5;

  constructor(limit: number) {
    super({ what: `${limit} listen already, and no more may.`, remedy: 'Close a page that shows the bell.' });
  }
}
