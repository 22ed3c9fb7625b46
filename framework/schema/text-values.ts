import { Big } from 'big.js';
import * as postgresArray from 'postgres-array';
import parsePostgresDate from 'postgres-date';
import { UnreadableValueError } from './errors';

/** Takes the text of one value, as PostgreSQL prints it, to its JavaScript form. */
export type TextParser = (text: string) => unknown;

/**
 * `timestamptz` as PostgreSQL prints it under `DateStyle = ISO` and `TimeZone = UTC`, the settings of our
 * sessions; other zones are read too, more slowly. Microseconds are cut off: a JavaScript Date has none.
 * `infinity` becomes the last moment that a Date can hold.
 */
export function parseTimestamptz(text: string): Date {
  const end = text.length - 3;
  const isPlain = end >= 19 && end <= 26 && text[4] === '-' && text.endsWith('+00');
  if (!isPlain) return parseUnusualTimestamptz(text);
  // By position, since a regular expression takes three times as long.
  const year = pair(text, 0) * 100 + pair(text, 2);
  const milliseconds = digit(text, 20, end) * 100 + digit(text, 21, end) * 10 + digit(text, 22, end);
  const [month, day, hour, minute, second] = [
    pair(text, 5) - 1,
    pair(text, 8),
    pair(text, 11),
    pair(text, 14),
    pair(text, 17),
  ];
  const at = new Date(Date.UTC(year, month, day, hour, minute, second, milliseconds));
  if (year < 100) at.setUTCFullYear(year); // Date.UTC takes 0 to 99 for 1900 to 1999
  return at;
}

/** The number that two digits write. */
function pair(text: string, at: number): number {
  return digit(text, at, text.length) * 10 + digit(text, at + 1, text.length);
}

/** The digit at a place; 0 from `end` on. */
function digit(text: string, at: number, end: number): number {
  return at < end ? text.charCodeAt(at) - 48 : 0;
}

const FOREVER = 8.64e15; // ECMAScript: the last moment of a Date, in milliseconds; the first one is its negative

/** What PostgreSQL reads as that moment: it writes years before 1 as BC, and knows no sign before a year. */
export function timestamptzText(at: Date): string {
  const time = at.getTime();
  if (Math.abs(time) === FOREVER) return time > 0 ? 'infinity' : '-infinity';
  const year = at.getUTCFullYear();
  if (year >= 1 && year <= 9999) return at.toISOString();
  const rest = at.toISOString().replace(/^[+-]?\d+/, '');
  return year > 0 ? `${year}${rest}` : `${String(1 - year).padStart(4, '0')}${rest} BC`;
}

function parseUnusualTimestamptz(text: string): Date {
  const parsed = parsePostgresDate(text);
  if (parsed instanceof Date) return parsed;
  return new Date(parsed === -Infinity ? -FOREVER : FOREVER);
}

export function parseBytea(text: string): Buffer {
  return Buffer.from(text.slice(2), 'hex'); // '\x…', the output format since PostgreSQL 9.0
}

export function parseBoolean(text: string): boolean {
  return text === 't';
}

/** @throws UnreadableValueError for `NaN` and the infinities, which `numeric` has and decimals do not */
export function parseNumeric(text: string): Big {
  try {
    return new Big(text);
  } catch (error) {
    throw new UnreadableValueError('numeric', error);
  }
}

export function parseJson(text: string): unknown {
  return JSON.parse(text) as unknown;
}

export function parseArray(text: string, element: TextParser): unknown[] {
  return postgresArray.parse(text, element);
}

export const asIs: TextParser = (text) => text;
