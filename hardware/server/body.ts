import type { Request, RequestHandler } from 'express';
import express from 'express';
import { InvalidRequestError, UnreadableBodyError } from './errors';

export type Fields = Readonly<Record<string, unknown>>;

const LIMIT = '16kb';
const MAX_FIELDS = 100;

/** JSON and forms; any other kind of body is refused, not overlooked. */
export const readBody: readonly RequestHandler[] = [
  express.json({ limit: LIMIT, inflate: false }),
  express.urlencoded({ limit: LIMIT, inflate: false, extended: false, parameterLimit: MAX_FIELDS }),
  (request, _response, next) =>
    next(request.body === undefined && hasBody(request) ? new UnreadableBodyError() : undefined),
];

function hasBody({ headers }: Request): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** @throws InvalidRequestError when the body is a list */
export function fieldsOf({ body }: Request): Fields {
  if (body === undefined) return {};
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Fields;
  throw new InvalidRequestError('The body is not an object.', 'Send an object, such as {"by": "Ann"}.');
}

/** A field's text: spaces and line breaks made single spaces. @throws InvalidRequestError unless it is short text */
export function textOf(fields: Fields, name: string, maxLength: number): string | undefined {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw new InvalidRequestError(`The field "${name}" is not text.`);
  if (value.length > maxLength) {
    throw new InvalidRequestError(`The field "${name}" is longer than ${maxLength} characters.`);
  }
  return plainText(value) || undefined;
}

/** Without control characters, which would garble logs and terminals. */
export const plainText = (text: string): string => text.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
