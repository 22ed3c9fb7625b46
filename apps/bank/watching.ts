import express from 'express';
import type { Express } from 'express';
import type { Database } from 'bellwether';
import { inProject } from '../project';
import { addHealth } from '../web/health';
import { LiveHub } from '../web/live';
import { Pages } from '../web/pages';
import { addTransactions } from '../web/transactions-page';
import { addLive } from '../web/live-route';
import { recognize } from '../web/recognize';
import { MIGRATIONS } from './database';

/** What the bank has in common with the other applications, though nobody signs in: `/health` and `/transactions`. */
export function addWatching(app: Express, db: Database, closing: AbortSignal): void {
  const hub = new LiveHub(db, closing);
  const site = {
    title: 'Bellwether Bank',
    stylesheet: '/bank.css',
    nav: () => [{ href: '/', label: 'Overview' }],
    links: [{ href: '/health', label: 'Health' }],
  };
  const pages = new Pages({ site, conflicts: new Set(), around: (_visit, work) => work(), hub });
  app.use('/web', express.static(inProject('apps', 'web', 'public'), { maxAge: 0 }));
  addHealth(app, { db, name: 'bank', migrations: MIGRATIONS });
  app.use(recognize(undefined, hub));
  addLive(app, {}, hub);
  addTransactions(pages, { db, closing, hub });
  app.use(pages.router);
}
