import type { ErrorRequestHandler, Response } from 'express';
import type { Ring } from '../bell/ring';
import { BellBotError } from '../errors';
import { InvalidRequestError, UnreadableBodyError } from './errors';

/** What went wrong with a request, as `application/problem+json` says it (RFC 9457). */
export interface Problem {
  readonly status: number;
  readonly title: string;
  /** What happened, in a sentence. */
  readonly detail: string;
  /** What to do now. */
  readonly remedy: string;
  /** Stable, for programs. */
  readonly code: string;
  /** The ring that was accepted and failed. */
  readonly ring?: Ring;
}

const STATUS: Readonly<Record<string, readonly [status: number, title: string]>> = {
  E_INVALID_REQUEST: [400, 'The request is out of form'],
  E_UNAUTHORIZED: [401, 'Not without the key'],
  E_FOREIGN_ORIGIN: [403, 'Not from there'],
  E_UNKNOWN_BELL: [404, 'Not found'],
  E_NOT_FOUND: [404, 'Not found'],
  E_METHOD_NOT_ALLOWED: [405, 'Not so'],
  E_BODY_TOO_LARGE: [413, 'Too large'],
  E_UNREADABLE_BODY: [415, 'Unknown kind of body'],
  E_KEY_REUSED: [422, 'The idempotency key is used'],
  E_QUEUE_FULL: [429, 'Too many rings'],
  E_BOARD_LOST: [503, 'No board'],
  E_STOPPING: [503, 'Stopping'],
  E_STORE: [503, 'Not kept'],
  E_TOO_MANY_STREAMS: [503, 'Too many listeners'],
};

const INTERNAL: Problem = {
  status: 500,
  title: 'Something is wrong here',
  detail: 'The request could not be served; nothing is wrong with it.',
  remedy: 'Tell whoever runs this server; its log says more.',
  code: 'E_INTERNAL',
};

/** Says of an error what a stranger may know; of a bug, nothing. */
export function problemOf(error: unknown): Problem {
  if (error instanceof BellBotError) {
    const known = STATUS[error.code];
    if (!known) return INTERNAL;
    const [status, title] = known;
    return { status, title, detail: error.what, remedy: error.remedy, code: error.code };
  }
  return parserProblem(error) ?? INTERNAL;
}

/** Errors of express's own parsers carry a status. Their messages may quote the body, so none is shown. */
function parserProblem(error: unknown): Problem | undefined {
  const { status } = (error ?? {}) as { readonly status?: unknown };
  if (!(error instanceof Error) || typeof status !== 'number' || status < 400 || status >= 500) return undefined;
  if (status === 415) return problemOf(new UnreadableBodyError());
  if (status !== 413) return problemOf(new InvalidRequestError('The request could not be read.'));
  return {
    status,
    title: 'Too large',
    detail: 'The body is too large.',
    remedy: 'Send less: a ring takes a few words.',
    code: 'E_BODY_TOO_LARGE',
  };
}

export function sendProblem(response: Response, problem: Problem, retryAfterSeconds?: number): void {
  if (problem.status === 401) response.set('WWW-Authenticate', 'Bearer realm="bellbot"');
  if (retryAfterSeconds !== undefined) response.set('Retry-After', String(retryAfterSeconds));
  response.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
}

/** The last handler. What is a bug goes to the log, whole. */
export function problemHandler(onBug: (error: unknown) => void): ErrorRequestHandler {
  return (error: unknown, _request, response, next) => {
    const problem = problemOf(error);
    if (problem.status === 500) onBug(error);
    if (response.headersSent) return next(error);
    const { retryAfterSeconds } = (error ?? {}) as { readonly retryAfterSeconds?: unknown };
    sendProblem(response, problem, typeof retryAfterSeconds === 'number' ? retryAfterSeconds : undefined);
  };
}
