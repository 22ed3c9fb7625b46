import express from 'express';
import type { ErrorRequestHandler, Express, RequestHandler } from 'express';
import session from 'express-session';
import type { Database } from 'bellwether';
import { inProject } from '../project';
import type { Api } from './api';
import { serveApi } from './api-server';
import type { NavLink, Site } from './frame';
import { addHealth } from './health';
import { LiveHub } from './live';
import { addLive } from './live-route';
import { Pages } from './pages';
import type { Around } from './pages';
import type { Conflicts, Problem } from './problem';
import { recognize } from './recognize';
import { forgeryProtection, sameSiteOnly, securityHeaders } from './security';
import { SESSION_MS, SessionStore, sessionSecret } from './session-store';
import { addSignIn } from './sign-in';
import type { Accounts } from './sign-in';
import { startSweeping } from './sweep';
import { addTransactions } from './transactions-page';
import type { User, Visit } from './visit';

export interface WebApp<U extends User> extends Omit<Site<U>, 'nameOf' | 'profilePath' | 'registerPath'> {
  readonly db: Database;
  /** Aborted when the application closes: streams end. */
  readonly closing?: AbortSignal | undefined;
  /** Of the application, in the cookie and in `/health`. */
  readonly name: string;
  /** Folder of what is served as it is. */
  readonly publicFolder: string;
  /** Folder of the migrations, for `/health`. */
  readonly migrations: string;
  readonly accounts?: Accounts<U>;
  /** Refusals that are answered with 409: another state of affairs, and the same request is accepted. */
  readonly conflicts?: Conflicts;
  readonly api?: Api<U>;
  readonly pages: (pages: Pages<U>, hub: LiveHub) => void;
  /** Which topics the visitor may hear of. Default: all. */
  readonly mayHear?: (topic: string, visit: Visit<U>) => boolean | Promise<boolean>;
  readonly around?: Around<U>;
}

const BODY_LIMIT = '100kb';

/** An application's pages and API over HTTP, with all that they share. Its tables are those of `migrations/web` too. */
export function webApp<U extends User = User>(options: WebApp<U>): Express {
  const { db, closing = new AbortController().signal, accounts, conflicts = new Set<string>(), api } = options;
  const around: Around<U> = options.around ?? ((_visit, work) => work());
  const hub = new LiveHub(db, closing);
  const site: Site<U> = { ...options, ...accounts, links: [...linksOf(options), ...(options.links ?? [])] };
  const pages = new Pages<U>({ site, conflicts, around, hub });
  const app = express();
  app.locals.hub = hub;
  app.disable('x-powered-by').set('trust proxy', 'loopback');
  app.use(securityHeaders, sameSiteOnly);
  app.use('/web', express.static(inProject('apps', 'web', 'public'), { maxAge: 0 }));
  app.use(express.static(options.publicFolder, { maxAge: 0 }));
  app.use((_request, _response, next) => db.use(next));
  addHealth(app, options);
  app.use(sessions(db, options.name), recognize(accounts, hub));
  app.use('/api', express.json({ limit: BODY_LIMIT, strict: false }));
  app.use(express.urlencoded({ extended: false, limit: BODY_LIMIT }), forgeryProtection);
  if (api) serveApi(app, api, { cookie: cookieOf(options.name), db, pages, accounts, conflicts, around });
  addTransactions(pages, { db, closing, hub });
  addLive(app, options, hub);
  if (accounts) addSignIn(pages, accounts);
  options.pages(pages, hub);
  app.use(pages.router);
  app.use((_request, response) => pages.sendProblem(response, NOT_FOUND));
  app.use((async (error: unknown, _request, response, next) => {
    if (response.headersSent) return next(error);
    await pages.refuse(response, error);
  }) satisfies ErrorRequestHandler);
  startSweeping(db, closing);
  return app;
}

const linksOf = <U extends User>({ api }: WebApp<U>): readonly NavLink[] => [
  { href: '/transactions', label: 'Transactions' },
  ...(api ? [{ href: '/api', label: 'API' }] : []),
  { href: '/health', label: 'Health' },
];

/** Begun when something is to be kept; until then there is no cookie. */
function sessions(db: Database, name: string): RequestHandler {
  const store = new SessionStore(db);
  let made: Promise<RequestHandler> | undefined;
  const make = async () =>
    session({
      name: cookieOf(name),
      secret: await db.use(sessionSecret),
      store,
      resave: false,
      saveUninitialized: false,
      unset: 'destroy',
      cookie: { httpOnly: true, sameSite: 'lax', secure: 'auto', maxAge: SESSION_MS, path: '/' },
    });
  return async (request, response, next) => {
    made ??= make();
    made.catch(() => (made = undefined)); // the next request tries again
    (await made)(request, response, next);
  };
}

const cookieOf = (name: string): string => `${name}.sid`;

const NOT_FOUND: Problem = {
  status: 404,
  title: 'Not found',
  detail: 'There is no such page.',
  remedy: 'The start leads to all there are.',
  code: 'E_NOT_FOUND',
};
