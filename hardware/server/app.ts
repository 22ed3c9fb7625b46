import express from 'express';
import type { Express, RequestHandler, Response } from 'express';
import helmet from 'helmet';
import type { BellService } from '../bell/bell-service';
import type { Ring, RingKind } from '../bell/ring';
import { isFinished } from '../bell/ring';
import type { LogView, StatisticsView } from '../bell/views';
import { bellPage } from '../page/page';
import { fieldsOf, readBody } from './body';
import { InvalidRequestError, MethodNotAllowedError, NotFoundError } from './errors';
import { EventStream } from './event-stream';
import { KeyGuard, localOnly } from './keys';
import { metricsOf } from './metrics';
import { problemHandler, sendProblem } from './problem';
import { bellOf, preferredWaitOf, ringRequestOf } from './ring-request';
import { slackAnswer, slackMessageOf, slackRefusal, slackRingOf } from './slack';
import type { SlackMessage } from './slack';

export interface AppOptions {
  readonly service: BellService;
  /** Without it, only this machine may reach the server. */
  readonly key?: string | undefined;
  /** Hears of errors that are no answer to a request. */
  readonly onBug: (error: unknown) => void;
}

export interface App {
  readonly handler: Express;
  /** Ends the streams of events. */
  close(): void;
}

const DEFAULT_LOG = 100;
const MAX_LOG = 1000;

/** BellBot over HTTP. */
export function bellBotApp({ service, key, onBug }: AppOptions): App {
  const app = express();
  const stream = new EventStream(service);
  const guard = key === undefined ? localOnly : new KeyGuard(key).handler;
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(helmet({ contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } }, hsts: false }));
  app.get('/health', health(service));
  addCommands(app, service, guard);
  addReads(app, service, guard, stream);
  app.use(bellPage());
  app.use((_request, _response, next) => next(new NotFoundError()));
  app.use(problemHandler(onBug));
  return { handler: app, close: () => stream.close() };
}

/** Open to all, without details: whether a ring would be rung now. */
function health(service: BellService): RequestHandler {
  return (_request, response) => {
    const isReady = service.view().board.status === 'ready';
    response
      .set('Cache-Control', 'no-store')
      .status(isReady ? 200 : 503)
      .json({ status: isReady ? 'ok' : 'unavailable' });
  };
}

function addCommands(app: Express, service: BellService, guard: RequestHandler): void {
  const commands: readonly (readonly [RingKind, readonly string[]])[] = [
    ['ring', ['/ring', '/bells/:id/ring']],
    ['sweep', ['/sweep', '/bells/:id/sweep']],
  ];
  for (const [kind, [path, pathOfBell]] of commands) {
    for (const address of [path!, pathOfBell!]) {
      app.post(address, ...readBody, guard, command(service, kind));
      app.all(address, only('POST'));
    }
  }
}

function addReads(app: Express, service: BellService, guard: RequestHandler, stream: EventStream): void {
  const metrics = metricsOf(service);
  const reads: Readonly<Record<string, RequestHandler>> = {
    '/bells': (_request, response) => void response.json(service.view()),
    '/rings/:id': async ({ params: { id } }, response) => {
      const ring = typeof id === 'string' ? await service.find(id) : undefined;
      if (!ring) throw new NotFoundError('There is no such ring, or it is long ago.');
      response.json({ ring });
    },
    '/log': async ({ query }, response) => {
      response.json({ rings: await service.latest(limitOf(query.limit)) } satisfies LogView);
    },
    '/statistics': (_request, response) => void response.json({ hours: service.hours() } satisfies StatisticsView),
    '/metrics': async (_request, response) => void response.type(metrics.contentType).send(await metrics.metrics()),
    '/events': (request, response) => stream.connect(request, response),
  };
  const noStore: RequestHandler = (_request, response, next) =>
    void (response.set('Cache-Control', 'no-store'), next());
  for (const [address, read] of Object.entries(reads)) {
    app.get(address, guard, noStore, read);
    app.all(address, only('GET'));
  }
}

function only(method: string): RequestHandler {
  return (_request, response, next) => {
    response.set('Allow', method);
    next(new MethodNotAllowedError(method));
  };
}

function limitOf(value: unknown): number {
  if (value === undefined) return DEFAULT_LOG;
  const limit = typeof value === 'string' && /^\d{1,6}$/.test(value) ? Number(value) : 0;
  if (limit >= 1 && limit <= MAX_LOG) return limit;
  throw new InvalidRequestError(`The limit is no whole number from 1 to ${MAX_LOG}.`);
}

function command(service: BellService, kind: RingKind): RequestHandler {
  return async (request, response) => {
    const message = slackMessageOf(fieldsOf(request));
    if (message) return answerSlack(service, message, response, slackRingOf(message, kind, bellOf(request)));
    const accepted = await service.request(ringRequestOf(request, kind));
    const wait = preferredWaitOf(request);
    response.set('Cache-Control', 'no-store').location(`/rings/${accepted.ring.id}`);
    if (wait === undefined) return sendRing(response, 202, accepted.ring, accepted.replayed);
    const left = new AbortController();
    response.once('close', () => left.abort());
    const ring = await service.outcome(accepted.ring, wait * 1000, left.signal);
    response.set('Preference-Applied', `wait=${wait}`);
    if (ring.status === 'failed') return sendFailure(response, ring);
    sendRing(response, isFinished(ring) ? 200 : 202, ring, accepted.replayed);
  };
}

function sendRing(response: Response, status: number, ring: Ring, replayed: boolean): void {
  response.status(status).json({ ring, ...(replayed && { replayed }) });
}

function sendFailure(response: Response, ring: Ring): void {
  sendProblem(response, {
    status: 503,
    title: 'The ring failed',
    detail: ring.error ?? 'Nobody knows why.',
    remedy: 'Ring again with another idempotency key, unless the bell may have been struck.',
    code: 'E_RING_FAILED',
    ring,
  });
}

async function answerSlack(
  service: BellService,
  message: SlackMessage,
  response: Response,
  request: ReturnType<typeof slackRingOf>,
): Promise<void> {
  if (!request) return void response.json({});
  try {
    response.json({ text: slackAnswer(message, await service.request(request), service.view()) });
  } catch (error) {
    const text = slackRefusal(message, error);
    if (text === undefined) throw error;
    response.json({ text });
  }
}
