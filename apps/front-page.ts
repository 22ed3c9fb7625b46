import express from 'express';
import type { Express } from 'express';
import { sql } from 'bellwether';
import type { Database } from 'bellwether';
import type { Sample } from './catalogue';
import { inProject } from './project';
import type { TaskState } from './supervisor';
import { frame } from './web/frame';
import type { Site } from './web/frame';
import { serverVersion } from './web/health';
import { html } from './web/html';
import type { Html } from './web/html';
import { LiveHub, topicFilter } from './web/live';
import { logFailure } from './web/problem';
import { sameSiteOnly, securityHeaders } from './web/security';

export interface FrontPage {
  readonly db: Database;
  readonly closing: AbortSignal;
  readonly samples: readonly Sample[];
  /** Of all processes, now. */
  readonly states: () => readonly TaskState[];
}

interface Health {
  readonly status: string;
  readonly uptimeS?: number;
  readonly pool?: { readonly most: number; readonly open: number; readonly idle: number; readonly waiting: number };
  readonly database?: { readonly name: string; readonly bytes: string; readonly connections: number };
}

const TOPIC = 'applications';
const EVERY_MS = 2_000;
const PATIENCE_MS = 2_000;
const SITE: Site = { title: 'Bellwether', stylesheet: '/web/front.css', icon: '/web/bell.svg' };

/** What runs, where, and how it is. */
export function frontPage(options: FrontPage): Express {
  const { db, closing } = options;
  const hub = new LiveHub(db, closing);
  const timer = setInterval(() => hub.hears(TOPIC) && hub.publishHere(TOPIC), EVERY_MS).unref();
  closing.addEventListener('abort', () => clearInterval(timer), { once: true });
  const app = express();
  app.disable('x-powered-by').use(securityHeaders, sameSiteOnly);
  app.use('/web', express.static(inProject('apps', 'web', 'public'), { maxAge: 0 }));
  app.get('/live', (request, response) => hub.stream(request, response, topicFilter(new Set([TOPIC]))));
  app.get('/state', async (_request, response) => void response.type('html').send((await stateOf(options)).toString()));
  app.get('/', async (_request, response) => {
    const body = html`<h1>Rules that hold under concurrency</h1>
      <p class="lead">
        Sample applications of Bellwether, each with a database of its own on one PostgreSQL server. In each, the same
        operation can be run the way other frameworks do it.
      </p>
      <div data-live="${TOPIC}" data-src="/state">${await stateOf(options)}</div>`;
    response.type('html').send(frame(SITE, { title: 'All applications', body, refreshS: 5 }, undefined));
  });
  return app;
}

async function stateOf({ db, samples, states }: FrontPage): Promise<Html> {
  const now = states();
  const stateOfName = new Map(now.map((state) => [state.name, state]));
  const healths = new Map(await Promise.all(now.map(async ({ name, url }) => [name, await healthOf(url)] as const)));
  const cards = samples.map((sample) => {
    const parts = sample.programs.flatMap(({ name }) => stateOfName.get(name) ?? []);
    return sampleCard(sample, parts, healths);
  });
  const bell = stateOfName.get('bell');
  return html`<div class="cards">
      ${cards}
      ${
        bell &&
        sampleCard(
          { name: 'bell', title: 'BellBot', about: 'A call bell that is struck at every sale.', programs: [] },
          [bell],
          healths,
        )
      }
    </div>
    <h2>The database</h2>
    ${await databaseFacts(db)}`;
}

function sampleCard(
  { title, about }: Sample,
  parts: readonly TaskState[],
  healths: ReadonlyMap<string, Health | undefined>,
): Html {
  const [main] = parts;
  const health = main && healths.get(main.name);
  const link = main?.url === undefined ? title : html`<a href="${main.url}">${title}</a>`;
  return html`<article class="card" data-app="${main?.name}">
    <header>
      <h3>${link}</h3>
      ${main && stamp(main, health)}
    </header>
    <p>${about}</p>
    <dl class="facts">
      ${
        health?.database &&
        html`${fact('Database', `${health.database.name}, ${size(Number(health.database.bytes))}`)}
        ${fact('Connections', health.database.connections)}`
      }
      ${health?.pool && fact('Pool', `${health.pool.open - health.pool.idle} of ${health.pool.most} in use`)}
      ${health?.uptimeS !== undefined && fact('Up', `${health.uptimeS} s`)}
      ${parts.slice(1).map((part) => fact(part.name, part.state))}
      ${parts.map(({ name, restarts, lastEnd }) => restarts > 0 && fact(`${name} started again`, `${restarts}× (${lastEnd})`))}
    </dl>
  </article>`;
}

function stamp({ state }: TaskState, health: Health | undefined): Html {
  if (state !== 'running') return html`<span class="stamp busy">${state}</span>`;
  const isWell = health?.status === 'ok';
  return html`<span class="stamp ${isWell ? 'good' : 'bad'}"
    >${isWell ? 'well' : (health?.status ?? 'no answer')}</span
  >`;
}

const fact = (name: string, value: string | number): Html =>
  html`<div>
    <dt>${name}</dt>
    <dd>${value}</dd>
  </div>`;

async function healthOf(url: string | undefined): Promise<Health | undefined> {
  if (url === undefined) return undefined;
  try {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(PATIENCE_MS) });
    const { status = response.ok ? 'ok' : 'not well', ...rest } = (await response.json()) as Partial<Health>;
    return { status, ...rest };
  } catch {
    return undefined; // shown as: no answer
  }
}

interface ServerFacts {
  readonly connections: number;
  readonly most: string;
  readonly bytes: string;
}

async function databaseFacts(db: Database): Promise<Html> {
  try {
    const { rows } = await db.use({ signal: AbortSignal.timeout(PATIENCE_MS) }, () =>
      sql<ServerFacts>`
        select (select count(*)::int from pg_stat_activity where backend_type = 'client backend') as connections,
          current_setting('max_connections') as most,
          (select sum(pg_database_size(oid))::text from pg_database where has_database_privilege(oid, 'connect')) as bytes
      `.execute(db.kysely()),
    );
    const { connections, most, bytes } = rows[0]!; // one row, always
    const isEmbedded = !process.env.DATABASE_URL;
    return html`<dl class="facts card">
      ${fact('Server', `PostgreSQL ${serverVersion(db)}${isEmbedded ? ', embedded' : ''}`)} ${fact('Address', db.url)}
      ${fact('Connections', `${connections} of ${most}`)} ${fact('Size of all databases', size(Number(bytes)))}
    </dl>`;
  } catch (error) {
    logFailure(error);
    return html`<p class="message problem" role="alert">The database does not answer.</p>`;
  }
}

const size = (bytes: number): string => `${(bytes / 1_048_576).toFixed(1)} MiB`;
