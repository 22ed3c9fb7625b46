import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import { fieldsOf } from './body';
import { ForeignOriginError, UnauthorizedError } from './errors';

/**
 * Guards what needs the key, as a bearer token or, in bodies, as field `key` or `token`. Comparing takes the same time
 * whatever is wrong: digests are compared, and always as many.
 */
export class KeyGuard {
  readonly #salt = randomBytes(32);
  readonly #digest: Buffer;

  constructor(key: string) {
    this.#digest = this.#digestOf(key);
  }

  readonly handler: RequestHandler = (request, _response, next) => {
    const { key, token } = fieldsOf(request);
    const isRight = [bearerOf(request), key, token].map((candidate) => this.#isKey(candidate)).includes(true);
    next(isRight ? undefined : new UnauthorizedError());
  };

  #isKey(candidate: unknown): boolean {
    const isText = typeof candidate === 'string';
    return timingSafeEqual(this.#digestOf(isText ? candidate : ''), this.#digest) && isText;
  }

  #digestOf(text: string): Buffer {
    return createHmac('sha256', this.#salt).update(text).digest();
  }
}

const bearerOf = (request: Request) => /^Bearer +(.+)$/i.exec(request.get('authorization') ?? '')?.[1];

const LOCAL_NAME = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;

/**
 * For a server without a key, which only this machine reaches: refuses what pages of other sites send in the name of
 * whoever looks at them, and names that somebody else points at this machine (DNS rebinding).
 */
export const localOnly: RequestHandler = (request, _response, next) => {
  const isLocalName = LOCAL_NAME.test(request.get('host') ?? '');
  next(isLocalName && !isForeign(request) ? undefined : new ForeignOriginError());
};

function isForeign(request: Request): boolean {
  if (request.method === 'GET' || request.method === 'HEAD') return false;
  const site = request.get('sec-fetch-site');
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  const origin = request.get('origin');
  return origin !== undefined && origin !== `${request.protocol}://${request.get('host')}`;
}
