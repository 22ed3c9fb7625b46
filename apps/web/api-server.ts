import type { Express, Request, RequestHandler, Response } from 'express';
import { Router } from 'express';
import { assertIfMatch, etagOf, isFresh, PreconditionFailedError, StaleRecordError } from 'bellwether';
import type { Database } from 'bellwether';
import type { AnyRoute, Api, Call } from './api';
import { apiPage } from './api-page';
import { checked } from './checked';
import { answerOnce, fingerprintOf } from './idempotency';
import type { Answer } from './idempotency';
import { describeApi } from './openapi';
import type { Around, Pages } from './pages';
import { visitOf } from './pages';
import { problemHandler, sendProblem } from './problem';
import type { Conflicts } from './problem';
import { InvalidRequestError, NotSignedInError, PreconditionRequiredError } from './refusals';
import { addSessionRoutes } from './session-api';
import type { Accounts } from './sign-in';
import type { User } from './visit';

interface Setting<U extends User> {
  /** Name of the one that holds the session. */
  readonly cookie: string;
  readonly db: Database;
  readonly pages: Pages<U>;
  readonly accounts: Accounts<U> | undefined;
  readonly conflicts: Conflicts;
  readonly around: Around<U>;
}

/** Sent again later, it is accepted. */
const OWN_CONFLICTS = ['E_REQUEST_UNDER_WAY'];

/** Serves the table below `/api`, its description at `/api/openapi.json`, and a page of it at `/api`. */
export function serveApi<U extends User>(app: Express, api: Api<U>, setting: Setting<U>): void {
  const { pages, accounts } = setting;
  if (accounts) addSessionRoutes(api, accounts);
  const description = describeApi(api, setting.cookie);
  pages.get('/api', () => Promise.resolve(apiPage(description)));
  const router = Router();
  router.get('/openapi.json', (_request, response) => void response.json(description));
  for (const route of api.routes) {
    router[route.method](route.path.replace(/\{(\w+)\}/g, ':$1'), handlerOf(route, setting));
  }
  // The page itself is at `/`, and comes later.
  router.use((request, response, next) => {
    if (request.path === '/' && request.method === 'GET') return next('router');
    sendProblem(response, {
      status: 404,
      title: 'Not found',
      detail: 'There is nothing at this address, or not for this method.',
      remedy: 'See /api for the addresses.',
      code: 'E_NOT_FOUND',
    });
  });
  app.use('/api', router);
  app.use('/api', problemHandler(new Set([...setting.conflicts, ...OWN_CONFLICTS])));
}

function handlerOf<U extends User>(route: AnyRoute<U>, { db, around }: Setting<U>): RequestHandler {
  return async (request, response) => {
    const visit = visitOf<U>(response);
    if (route.who === 'signed in' && visit.user === undefined) throw new NotSignedInError();
    if (route.ifMatch && request.get('if-match') === undefined) throw new PreconditionRequiredError();
    const call = callOf(route, request, response) as Call<U, never, never, never>;
    const answer = async (): Promise<Answer> => {
      const body = await route.handle(call).catch((error: unknown) => {
        throw route.ifMatch ? asPrecondition(error) : error;
      });
      return { status: route.answer.status ?? 200, body: body === undefined ? null : body };
    };
    const { status, body } = await around(visit, () => {
      const key = request.get('idempotency-key');
      return route.idempotent === undefined || key === undefined
        ? answer()
        : repeatable(db, { route, request, response, key }, answer);
    });
    await visit.keep();
    response.status(status).set('Cache-Control', 'private, no-cache');
    if (response.locals.isFresh === true) response.status(304).end();
    else if (status === 204) response.end();
    else response.json(body);
  };
}

/** Somebody was faster between the look at If-Match and the save: to the client that is the same. */
function asPrecondition(error: unknown): unknown {
  if (!(error instanceof StaleRecordError) || error.code !== 'E_STALE_RECORD') return error;
  return new PreconditionFailedError(String(error.details.model), error.details.key);
}

interface Repeatable<U extends User> {
  readonly route: AnyRoute<U>;
  readonly request: Request;
  readonly response: Response;
  readonly key: string;
}

async function repeatable<U extends User>(
  db: Database,
  { route, request, response, key }: Repeatable<U>,
  run: () => Promise<Answer>,
): Promise<Answer> {
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new InvalidRequestError('The Idempotency-Key is out of form.', 'Send 1 to 255 visible ASCII characters.');
  }
  const owner = String(visitOf<U>(response).user?.id ?? '');
  const fingerprint = fingerprintOf(request.method, request.originalUrl, request.body ?? null);
  const isolation = route.idempotent!; // asked before
  const { isRepeated, ...answer } = await answerOnce(db, { owner, key, fingerprint, isolation }, run);
  if (isRepeated) response.set('Idempotent-Replayed', 'true');
  return answer;
}

function callOf<U extends User>(route: AnyRoute<U>, request: Request, response: Response) {
  const visit = visitOf<U>(response);
  return {
    body: route.body && checked(route.body, visit.fields),
    query: route.query && checked(route.query, visit.query),
    params: request.params,
    user: visit.user,
    visit,
    id: (name?: string) => visit.id(name),
    tag: (record) => {
      response.set('ETag', etagOf(record));
      response.locals.isFresh = request.method === 'GET' && isFresh(record, request.get('if-none-match'));
    },
    assertIfMatch: (record) => assertIfMatch(record, request.get('if-match')),
  } satisfies Omit<Call<U, 'anyone', unknown, unknown>, 'params'> & { params: unknown };
}
