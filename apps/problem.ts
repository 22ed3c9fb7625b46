import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import { BellwetherError, InvalidOperandError, RecordNotFoundError, StatementError, ValidationError } from 'bellwether';
import type { Recovery } from 'bellwether';

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
}

/** The request itself is out of form. */
export class InvalidRequestError extends BellwetherError {
  override readonly code = 'E_INVALID_REQUEST';
  override readonly recovery = 'fix-the-input';

  constructor(what: string, remedy: string) {
    super({ what, remedy });
  }
}

const STATUS: Readonly<Partial<Record<Recovery, readonly [status: number, title: string]>>> = {
  'fix-the-input': [422, 'The request was refused'],
  reload: [409, 'Somebody else was faster'],
  'retry-transaction': [503, 'Try again'],
  'try-later': [503, 'Try again later'],
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
  const errors = error instanceof ValidationError ? byAttribute(error) : undefined;
  return { status, title, ...wordsFor(error), code: error.code, ...(errors && { errors }) };
}

/** The framework's own errors advise programmers; whoever sent the request is told something else. */
function wordsFor(error: BellwetherError): Pick<Problem, 'detail' | 'remedy'> {
  const detail = error.message.split('\n')[0]!;
  if (error instanceof ValidationError) {
    const sentences = error.problems.map(({ attribute, message }) => `The ${attribute} ${message}`);
    return { detail: `${sentences.join('; ')}.`, remedy: 'Correct it and send it again.' };
  }
  if (error instanceof RecordNotFoundError) return { detail, remedy: 'Choose one that there is.' };
  if (error instanceof InvalidOperandError || error instanceof StatementError) {
    return { detail: 'A value is out of range, or of the wrong kind.', remedy: 'Correct it and send it again.' };
  }
  return { detail, remedy: error.remedy };
}

function statusOf(error: BellwetherError, conflicts: Conflicts): readonly [number, string] {
  if (error instanceof RecordNotFoundError) return [404, 'Not found'];
  if (error instanceof InvalidRequestError) return [400, 'The request is out of form'];
  if (conflicts.has(error.code)) return [409, 'Not as things stand'];
  return STATUS[error.recovery] ?? [500, ''];
}

/** Errors of express's own parsers carry a status and say whether their message may be shown. */
function parserProblem(error: unknown): Problem | undefined {
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

function byAttribute({ problems }: ValidationError): Record<string, string[]> {
  const names = [...new Set(problems.map(({ attribute }) => attribute))];
  return Object.fromEntries(
    names.map((name) => [name, problems.filter((p) => p.attribute === name).map((p) => p.message)]),
  );
}

export function sendProblem(response: Response, problem: Problem): void {
  if (problem.status === 503) response.set('Retry-After', '1');
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

/** Refuses writes that a page of another site sends in the name of whoever looks at it. Programs say no origin. */
export const sameSiteOnly: RequestHandler = (request, response, next) => {
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  if (isRead || !isForeign(request)) return next();
  sendProblem(response, {
    status: 403,
    title: 'Not from there',
    detail: 'The request comes from a page of another site.',
    remedy: 'Use the page that this server serves.',
    code: 'E_FOREIGN_ORIGIN',
  });
};

function isForeign(request: Request): boolean {
  const site = request.get('sec-fetch-site'); // browsers send it to this machine and over TLS
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  const origin = request.get('origin');
  return origin !== undefined && origin !== `${request.protocol}://${request.get('host')}`;
}
