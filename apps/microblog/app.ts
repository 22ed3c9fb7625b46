import type { Express } from 'express';
import type { Database } from 'bellwether';
import { User } from '../../models/microblog/user';
import { inProject } from '../project';
import { allHold, findingsList } from '../web/findings';
import { html } from '../web/html';
import type { Pages } from '../web/pages';
import type { Visit } from '../web/visit';
import { webApp } from '../web/web-app';
import { addAccountPages } from './account-pages';
import { API } from './api';
import { audit } from './audit';
import { MIGRATIONS } from './database';
import { addDrill } from './drill-page';
import { withGuarantees } from './guarantees';
import { addPages } from './pages';
import { profilePath } from './views';

export interface MicroblogOptions {
  /** Whether pages are read from replicas. Default false. */
  readonly isReplicated?: boolean;
}

/**
 * The microblog over HTTP: pages for people, and the same for programs under `/api`.
 *
 * @param closing aborted when the microblog closes
 */
export function microblogApp(
  db: Database,
  closing?: AbortSignal,
  { isReplicated = false }: MicroblogOptions = {},
): Express {
  return webApp<User>({
    ...(isReplicated && { around: withGuarantees(db) }),
    ...{ db, closing, name: 'microblog', title: 'Microblog', migrations: MIGRATIONS, api: API },
    publicFolder: inProject('apps', 'microblog', 'public'),
    stylesheet: '/microblog.css',
    nav: navigation,
    footer: 'A sample application of Bellwether. Everybody may read what is posted here.',
    accounts: {
      find: (id) => User.findBy({ id }),
      findByLogin: (login) => User.findBy(login.includes('@') ? { email: login } : { username: login }),
      rehash: (user, passwordHash) => user.update({ passwordHash }),
      loginLabel: 'E-mail or username',
      nameOf: ({ username }) => `@${username}`,
      profilePath,
      registerPath: '/register',
    },
    conflicts: new Set(['E_DRILL_UNDER_WAY']),
    pages: (pages) => {
      addPages(pages);
      addAccountPages(pages);
      addDrill(pages, db);
      addAudit(pages, db);
    },
  });
}

const navigation = ({ user }: Visit<User>) => [
  { href: '/', label: 'Home' },
  ...(user
    ? [
        { href: '/everybody', label: 'Everybody' },
        { href: '/settings', label: 'Settings' },
      ]
    : []),
  { href: '/drill', label: 'Drill' },
  { href: '/audit', label: 'Audit' },
];

function addAudit(pages: Pages<User>, db: Database): void {
  pages.get('/audit', async () => {
    const findings = await audit(db);
    const verdict = allHold(findings) ? 'Every rule holds.' : 'A rule is broken.';
    const body = html`<h1>Audit</h1>
      <p>Every rule of the microblog, asked of the database in SQL just now, in one snapshot. <b>${verdict}</b></p>
      <section class="card">${findingsList(findings)}</section>`;
    return { title: 'Audit', body };
  });
}
