import type { Json } from '../core/json';
import { jsonRefusal, textRefusal } from '../schema/refusals';
import { InvalidChannelError, InvalidNotificationError } from './errors';

/** A channel whose payloads are `P`. */
export class Channel<P> {
  readonly name: string;
  /** Tells channels of different payloads apart, for the compiler alone. */
  declare protected readonly payload: P;

  /** @internal Made by `channel()`. */
  constructor(name: string) {
    this.name = checkedName(name);
  }
}

/**
 * Declares a channel for notifications, and what they carry:
 *
 *     const posted = channel<{ postId: string }>('posted');
 *
 * @param name tells it from others, in all programs that use this database; 1 to 63 bytes
 * @throws InvalidChannelError
 */
export function channel<P>(name: [P] extends [Json<P>] ? string : never): Channel<P> {
  return new Channel<P>(name);
}

/** PostgreSQL's NAMEDATALEN, less the byte that ends it. */
const MOST_NAME_BYTES = 63;
/** NOTIFY_PAYLOAD_MAX_LENGTH of src/backend/commands/async.c, less the byte that ends it. */
const MOST_PAYLOAD_BYTES = 7_999;

/** @throws InvalidChannelError */
export function checkedName(name: string): string {
  const refusal = textRefusal(name);
  if (refusal !== undefined) throw new InvalidChannelError(refusal);
  const bytes = Buffer.byteLength(name);
  if (bytes < 1 || bytes > MOST_NAME_BYTES) throw new InvalidChannelError(`has ${bytes}`);
  return name;
}

/** As it travels: JSON, or nothing at all for undefined. @throws InvalidNotificationError */
export function encoded(name: string, payload: unknown): string {
  if (payload === undefined) return '';
  const refusal = jsonRefusal(payload);
  if (refusal !== undefined) throw new InvalidNotificationError(name, refusal);
  const text = JSON.stringify(payload);
  const bytes = Buffer.byteLength(text);
  if (bytes <= MOST_PAYLOAD_BYTES) return text;
  throw new InvalidNotificationError(name, `has ${bytes} bytes, and PostgreSQL delivers ${MOST_PAYLOAD_BYTES} at most`);
}

/** What {@link encoded} was given; the text itself where somebody else sent what is not JSON, such as a trigger. */
export function decoded(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
