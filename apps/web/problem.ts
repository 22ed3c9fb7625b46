import type { ErrorRequestHandler, Response } from 'express';
import {
  BellwetherError,
  InvalidOperandError,
  RecordNotFoundError,
  StaleRecordError,
  StatementError,
  ValidationError,
} from 'bellwether';
import type { Recovery } from 'bellwether';
import { InvalidFieldsError } from './refusals';

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
  /** What is wrong with each attribute of a record that was refused. */
  readonly errors?: Readonly<Record<string, readonly string[]>>;
  /** When to try again, in seconds. */
  readonly retryAfterS?: number;
}

const STATUS: Readonly<Partial<Record<Recovery, readonly [status: number, title: string]>>> = {
  'fix-the-input': [422, 'The request was refused'],
  reload: [409, 'Somebody else was faster'],
  'retry-transaction': [503, 'Try again'],
  'try-later': [503, 'Try again later'],
};

/** By code, where the recovery does not tell. */
const STATUS_OF_CODE: Readonly<Record<string, readonly [status: number, title: string]>> = {
  E_RECORD_NOT_FOUND: [404, 'Not found'],
  E_INVALID_REQUEST: [400, 'The request is out of form'],
  E_MALFORMED_HEADER: [400, 'The request is out of form'],
  E_INVALID_CURSOR: [400, 'There is no such page'],
  E_NOT_SIGNED_IN: [401, 'Sign in first'],
  E_FORBIDDEN: [403, 'Not yours to do'],
  E_PRECONDITION_FAILED: [412, 'Somebody else was faster'],
  E_PRECONDITION_REQUIRED: [428, 'The request must say what it is about'],
  E_TOO_MANY_REQUESTS: [429, 'Too often'],
};

/** Refusals that are nobody's mistake: another state of affairs, and the same request is accepted. */
export type Conflicts = ReadonlySet<string>;

/** Says of an error what a stranger may know; of what is no answer to the request, nothing. */
export function problemOf(error: unknown, conflicts: Conflicts = new Set()): Problem {
  const ofParser = parserProblem(error);
  if (ofParser) return ofParser;
  const [status, title] = error instanceof BellwetherError ? statusOf(error, conflicts) : [500, ''];
  if (!(error instanceof BellwetherError) || status === 500) {
    return {
      status: 500,
      title: 'Something is wrong here',
      detail: 'The request could not be served; nothing is wrong with it.',
      remedy: 'Tell whoever runs this server; its log says more.',
      code: 'E_INTERNAL',
    };
  }
  const errors = errorsOf(error);
  const { retryAfterS } = error.details;
  return {
    status,
    title,
    ...wordsFor(error),
    code: error.code,
    ...(errors && { errors }),
    ...(typeof retryAfterS === 'number' && { retryAfterS }),
  };
}

/** The framework's own errors advise programmers; whoever sent the request is told something else. */
function wordsFor(error: BellwetherError): Pick<Problem, 'detail' | 'remedy'> {
  const detail = error.message.split('\n')[0]!;
  if (error instanceof ValidationError) {
    const sentences = error.problems.map(({ attribute, message }) => `The ${attribute} ${message}`);
    return { detail: `${sentences.join('; ')}.`, remedy: 'Correct it and send it again.' };
  }
  if (error instanceof RecordNotFoundError) return { detail, remedy: 'Choose one that there is.' };
  if (error instanceof StaleRecordError) {
    return { detail: 'Somebody else has changed it since it was read.', remedy: 'Read it again, and decide again.' };
  }
  if (error instanceof InvalidOperandError || error instanceof StatementError) {
    return { detail: 'A value is out of range, or of the wrong kind.', remedy: 'Correct it and send it again.' };
  }
  return { detail, remedy: error.remedy };
}

function statusOf(error: BellwetherError, conflicts: Conflicts): readonly [number, string] {
  if (conflicts.has(error.code)) return [409, 'Not as things stand'];
  return STATUS_OF_CODE[error.code] ?? STATUS[error.recovery] ?? [500, ''];
}

/** csrf-sync's word for a form without its token. */
const FORGED = 'EBADCSRFTOKEN';
const FORGED_PROBLEM: Problem = {
  status: 403,
  title: 'The page is out of date',
  detail: 'The form does not carry the token of this session.',
  remedy: 'Load the page again, and repeat what you did.',
  code: 'E_FORGED_REQUEST',
};

/** Errors of express's own parsers carry a status and say whether their message may be shown. */
function parserProblem(error: unknown): Problem | undefined {
  if ((error as { code?: unknown } | undefined)?.code === FORGED) return FORGED_PROBLEM;
  const { status, expose, type, message } = (error ?? {}) as Partial<Record<string, unknown>>;
  if (!(error instanceof Error) || typeof status !== 'number' || status >= 500 || expose !== true) return undefined;
  return {
    status,
    title: 'The request is out of form',
    detail: type === 'entity.parse.failed' ? 'The body is not JSON.' : `${String(message)}.`,
    remedy: 'Correct the request.',
    code: 'E_INVALID_REQUEST',
  };
}

/** What is wrong with each field of a form or a body, or with each attribute of a record. */
function errorsOf(error: BellwetherError): Problem['errors'] {
  if (error instanceof ValidationError) return byAttribute(error);
  return error instanceof InvalidFieldsError ? error.errors : undefined;
}

function byAttribute({ problems }: ValidationError): Record<string, string[]> {
  const names = [...new Set(problems.map(({ attribute }) => attribute))];
  return Object.fromEntries(
    names.map((name) => [name, problems.filter((p) => p.attribute === name).map((p) => p.message)]),
  );
}

/** The header `Retry-After`, where trying again helps. */
export function sayWhen(response: Response, { status, retryAfterS = status === 503 ? 1 : undefined }: Problem): void {
  if (retryAfterS !== undefined) response.set('Retry-After', String(retryAfterS));
}

export function sendProblem(response: Response, problem: Problem): void {
  sayWhen(response, problem);
  response.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
}

/** The last handler of an API. What is a bug goes to the log, whole. */
export function problemHandler(conflicts: Conflicts): ErrorRequestHandler {
  return (error: unknown, _request, response, next) => {
    if (response.headersSent) return next(error);
    const problem = problemOf(error, conflicts);
    if (problem.status >= 500) logFailure(error);
    sendProblem(response, problem);
  };
}

export function logFailure(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
}
