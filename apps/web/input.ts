import { RecordNotFoundError } from 'bellwether';
import { InvalidRequestError } from './refusals';

/** What came with a request: anything at all. */
export type Fields = Readonly<Record<string, unknown>>;

export function fieldsOf(body: unknown): Fields {
  if (body === undefined || body === null || body === '') return {};
  if (typeof body === 'object' && !Array.isArray(body)) return body as Fields;
  throw new InvalidRequestError('The body is no object.', 'Send an object of named values.');
}

/** A key. One out of form belongs to no record, so the answer is the same. */
export function readId(value: unknown, model: string): bigint {
  const text = typeof value === 'number' ? String(value) : value;
  if (text === undefined || text === '') throw new InvalidRequestError(`No ${model} is named.`, `Choose a ${model}.`);
  if (typeof text !== 'string' || !/^\d{1,18}$/.test(text)) throw new RecordNotFoundError(capitalized(model), 'id');
  return BigInt(text);
}

export function readChoice<T extends string>(value: unknown, choices: readonly T[], name: string): T {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw new InvalidRequestError(`The ${name} is none that there is.`, `Choose one of ${choices.join(', ')}.`);
}

export function readText(value: unknown, name: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string' && !value.includes('\0')) return value.trim();
  throw new InvalidRequestError(`The ${name} is not text.`, `Send the ${name} as text.`);
}

export function readCount(value: unknown, name: string, { most, fallback }: CountRule): number {
  if (value === undefined || value === '') return fallback;
  const text = typeof value === 'number' ? String(value) : value;
  const count = typeof text === 'string' && /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= most) return count;
  throw new InvalidRequestError(`The ${name} is out of range.`, `Send a whole number from 1 to ${most}.`);
}
export interface CountRule {
  readonly most: number;
  readonly fallback: number;
}

const capitalized = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);
