import { BellwetherError } from '../core/errors';

/** The name of a channel is not one that PostgreSQL can hold. */
export class InvalidChannelError extends BellwetherError {
  override readonly code = 'E_INVALID_CHANNEL';
  override readonly recovery = 'fix-the-code';

  constructor(found: string) {
    super({
      what: `The name of a channel is a text of 1 to 63 bytes; this one ${found}.`,
      remedy: 'Name a few channels in the code, and say in the payload what it is about.',
    });
  }
}

/** The payload is more than PostgreSQL delivers, or not JSON. */
export class InvalidNotificationError extends BellwetherError {
  override readonly code = 'E_INVALID_NOTIFICATION';
  override readonly recovery = 'fix-the-code';

  constructor(channel: string, found: string) {
    super({
      what: `The payload for the channel "${channel}" ${found}.`,
      remedy: 'Send an id, as JSON, and have the listener read the rest from the database.',
      details: { channel },
    });
  }
}

/** Listening needs a session of the server's for as long as it lasts, which a pooler does not give. */
export class ListenUnavailableError extends BellwetherError {
  override readonly code = 'E_LISTEN_UNAVAILABLE';
  override readonly recovery = 'fix-the-setup';

  constructor() {
    super({
      what: 'A pooler is in between, which lends sessions by transaction: nothing can be listened to through it.',
      remedy: 'Give connect() the address of the server itself to listen at: { listen: { url } }.',
    });
  }
}
