import type { RingRequest } from '../bell/bell-service';
import { RefusedError } from '../bell/errors';
import type { RingKind } from '../bell/ring';
import type { Accepted } from '../bell/ring-store';
import type { BellsView } from '../bell/views';
import { plainText } from './body';
import type { Fields } from './body';

/** What Slack's outgoing webhook sends, of which the bell needs this. */
export interface SlackMessage {
  readonly user: string;
  readonly text: string;
  /** Empty when the channel sends every message. */
  readonly triggerWord: string;
  /** The same for each delivery of one message. */
  readonly deliveryKey: string | undefined;
}

const MAX_NAME = 80;
const MAX_TEXT = 200;

/** @returns undefined when the body is not Slack's */
export function slackMessageOf(fields: Fields): SlackMessage | undefined {
  if (
    !Object.hasOwn(fields, 'trigger_word') &&
    !(Object.hasOwn(fields, 'user_name') && Object.hasOwn(fields, 'text'))
  ) {
    return undefined;
  }
  const text = (name: string) => (typeof fields[name] === 'string' ? plainText(fields[name]) : '');
  const [team, channel, timestamp] = [text('team_id'), text('channel_id'), text('timestamp')];
  return {
    user: shortened(text('user_name') || 'somebody', MAX_NAME),
    text: shortened(text('text'), MAX_TEXT),
    triggerWord: text('trigger_word'),
    deliveryKey: timestamp && channel ? shortened(`slack:${team}:${channel}:${timestamp}`, MAX_TEXT) : undefined,
  };
}

/** Messages of Slack's own bot don't ring, or its answers would. @returns undefined when the message isn't for the bell */
export function slackRingOf(message: SlackMessage, kind: RingKind, bell: string | undefined): RingRequest | undefined {
  const { user, text, triggerWord, deliveryKey } = message;
  const isForBell = triggerWord !== '' && text.toLowerCase().startsWith(triggerWord.toLowerCase());
  if (!isForBell || user === 'slackbot') return undefined;
  return { kind, bell, by: user, why: text, idempotencyKey: deliveryKey };
}

/** What Slack shows. */
export function slackAnswer({ user }: SlackMessage, { ring, replayed }: Accepted, { board, bells }: BellsView): string {
  if (replayed) return `${escaped(user)}, this message was heard before.`;
  const what = ring.kind === 'ring' ? 'the bell rings' : 'the arm sweeps';
  if (board.status !== 'ready') return `${escaped(user)}, ${what} when the board is connected again.`;
  const waiting = bells.find(({ id }) => id === ring.bell)?.queued ?? 0;
  return `${escaped(user)}, ${what}${waiting === 0 ? '.' : `; ${waiting} in the queue.`}`;
}

/** Slack shows the answer of a request that went well only, so a refusal is told as one. @returns undefined for others */
export function slackRefusal({ user }: SlackMessage, error: unknown): string | undefined {
  return error instanceof RefusedError ? `${escaped(user)}, no: ${error.what} ${error.remedy}` : undefined;
}

/** @see Slack's "Formatting text": these three characters begin links and mentions */
const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const shortened = (text: string, length: number) => (text.length <= length ? text : `${text.slice(0, length - 1)}…`);
