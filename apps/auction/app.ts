import type { Express } from 'express';
import type { Database } from 'bellwether';
import { User } from '../../models/auction/user';
import { inProject } from '../project';
import { webApp } from '../web/web-app';
import { API } from './api';
import { MIGRATIONS } from './database';
import { addDrill } from './drill-page';
import { CONFLICTS } from './errors';
import { addPages } from './pages';

/**
 * The auction over HTTP: pages for people, and the same for programs under `/api`.
 *
 * @param closing aborted when the auction closes
 */
export function auctionApp(db: Database, closing?: AbortSignal): Express {
  return webApp<User>({
    db,
    closing,
    name: 'auction',
    title: 'Auction',
    publicFolder: inProject('apps', 'auction', 'public'),
    stylesheet: '/auction.css',
    migrations: MIGRATIONS,
    nav: ({ user }) => [
      { href: '/', label: 'Browse' },
      ...(user
        ? [
            { href: '/sell', label: 'Sell' },
            { href: '/me', label: 'About me' },
          ]
        : []),
      { href: '/drill', label: 'Drill' },
      { href: '/audit', label: 'Audit' },
    ],
    footer: 'A sample application of Bellwether, after RUBiS. The money is not real; the concurrency is.',
    accounts: {
      find: (id) => User.findBy({ id }),
      findByLogin: (login) => User.findBy({ email: login }),
      loginLabel: 'E-mail',
      nameOf: ({ nickname }) => nickname,
      profilePath: () => '/me',
      registerPath: '/register',
      rehash: ({ id }, passwordHash) => User.where({ id }).updateAll({ passwordHash }),
    },
    conflicts: CONFLICTS,
    api: API,
    pages: (pages) => {
      addPages(pages);
      addDrill(pages, db);
    },
  });
}
