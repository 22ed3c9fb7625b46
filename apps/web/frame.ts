import { html } from './html';
import type { Content, Html } from './html';
import type { Problem } from './problem';
import { CSRF_FIELD } from './security';
import type { User, Visit } from './visit';

export interface Page {
  readonly title: string;
  readonly body: Content;
  /** Default 200. */
  readonly status?: number;
  /** Asks for itself again after so many seconds, in browsers without scripts. */
  readonly refreshS?: number;
}

export interface NavLink {
  readonly href: string;
  readonly label: string;
}

/** What the pages of an application have around them. */
export interface Site<U extends User = User> {
  /** As in the title of each page. */
  readonly title: string;
  /** Comes after the one that all applications share. */
  readonly stylesheet: string;
  readonly scripts?: readonly string[];
  readonly icon?: string;
  readonly footer?: string;
  readonly nav?: (visit: Visit<U>) => readonly NavLink[];
  /** What a user is called; undefined where nobody signs in. */
  readonly nameOf?: ((user: U) => string) | undefined;
  readonly profilePath?: ((user: U) => string) | undefined;
  readonly registerPath?: string | undefined;
  /** At the foot of each page. */
  readonly links?: readonly NavLink[];
}

/** @param visit undefined when the request failed before it was known whose it is */
export function frame<U extends User>(site: Site<U>, page: Page, visit: Visit<U> | undefined): string {
  const icon = site.icon ?? '/favicon.svg';
  return `<!doctype html>${html`<html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <title>${page.title} · ${site.title}</title>
      <link rel="icon" href="${icon}" type="image/svg+xml" />
      <link rel="stylesheet" href="/web/base.css" />
      <link rel="stylesheet" href="/web/web.css" />
      <link rel="stylesheet" href="${site.stylesheet}" />
      ${page.refreshS !== undefined && html`<noscript><meta http-equiv="refresh" content="${page.refreshS}" /></noscript>`}
      <script src="/web/live.js" defer></script>
      ${(site.scripts ?? []).map((script) => html`<script src="${script}" defer></script>`)}
    </head>
    <body data-live-from="${visit?.liveFrom}">
      <a class="skip" href="#content">Skip to the content</a>
      <header class="top">
        <a class="brand" href="/"><img src="${icon}" alt="" width="28" height="28" />${site.title}</a>
        ${visit && navigation(site, visit)} ${visit && visitorArea(site, visit)}
      </header>
      <main id="content" tabindex="-1">
        ${visit?.takeNotices().map((notice) => html`<p class="message" role="status">${notice}</p>`)} ${page.body}
      </main>
      <footer>
        <p>${site.footer ?? 'A sample application of Bellwether.'}</p>
        <p>${(site.links ?? []).map(({ href, label }) => html`<a href="${href}">${label}</a> `)}</p>
      </footer>
    </body>
  </html>`.toString()}`;
}

function navigation<U extends User>({ nav }: Site<U>, visit: Visit<U>): Content {
  const links = nav?.(visit) ?? [];
  if (links.length === 0) return undefined;
  const current = (href: string) => href === visit.path && html` aria-current="page"`;
  return html`<nav aria-label="Main">
    ${links.map(({ href, label }) => html`<a href="${href}" ${current(href)}>${label}</a>`)}
  </nav>`;
}

function visitorArea<U extends User>({ nameOf, profilePath, registerPath }: Site<U>, visit: Visit<U>): Content {
  if (!nameOf) return undefined;
  const { user } = visit;
  if (!user) {
    return html`<div class="visitor">
      <a href="/sign-in">Sign in</a>${registerPath !== undefined && html`<a href="${registerPath}">Register</a>`}
    </div>`;
  }
  const name = nameOf(user);
  return html`<div class="visitor">
    ${profilePath ? html`<a href="${profilePath(user)}">${name}</a>` : html`<span>${name}</span>`}
    <form method="post" action="/sign-out">
      <input type="hidden" name="${CSRF_FIELD}" value="${visit.csrfToken}" />
      <button type="submit" class="plain small">Sign out</button>
    </form>
  </div>`;
}

/** What went wrong, as a page. */
export function problemPage({ status, title, detail, remedy, code }: Problem): Page {
  const body: Html = html`<section class="problem-page" data-code="${code}">
    <h1>${title}</h1>
    <p>${detail} ${remedy}</p>
    <p><a href="/">← To the start</a></p>
  </section>`;
  return { title, status, body };
}
