import { csrfSync } from 'csrf-sync';
import type { Request, RequestHandler } from 'express';
import helmet from 'helmet';
import { sendProblem } from './problem';

/** Nothing but the site's own scripts and styles, none of them inline; no other site may frame it. */
export const securityHeaders: RequestHandler = helmet({
  contentSecurityPolicy: { directives: { upgradeInsecureRequests: null, frameAncestors: ["'none'"] } },
  referrerPolicy: { policy: 'same-origin' }, // with none at all, browsers hide the origin of the page's own forms
  hsts: false,
});

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

export const CSRF_FIELD = '_csrf';
export const CSRF_HEADER = 'X-CSRF-Token';

const isApi = ({ originalUrl }: Request): boolean => /^\/api(\/|$)/.test(originalUrl);

/** A token in the session, which every form carries, and every write through the API with a session of somebody's. */
const synchronizer = csrfSync({
  getTokenFromRequest: (request) => {
    const field = (request.body as Readonly<Record<string, unknown>> | undefined)?.[CSRF_FIELD];
    return request.get(CSRF_HEADER) ?? (typeof field === 'string' ? field : undefined);
  },
  // A program that is not signed in has no rights that somebody could borrow.
  skipCsrfProtection: (request) => isApi(request) && request.session.userId === undefined,
});

export const forgeryProtection: RequestHandler = synchronizer.csrfSynchronisedProtection;
export const csrfTokenOf = (request: Request): string => synchronizer.generateToken(request);
