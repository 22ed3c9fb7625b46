import { existsSync } from 'node:fs';
import { join } from 'node:path';
import express, { Router } from 'express';
import helmet from 'helmet';

/** Beside the sources, or beside what was built of them. */
const PUBLIC = ['../public', '../../public'].map((path) => join(__dirname, path)).find(existsSync);

/**
 * The page on `/` with its scripts, style and drawings. It is the same for everybody and tells nothing of the bells: what it
 * shows it asks of the server, with the key that its user gives it. It loads nothing from elsewhere.
 */
export function bellPage(): Router {
  const page = Router();
  page.use(
    helmet({
      contentSecurityPolicy: {
        useDefaults: false,
        directives: {
          defaultSrc: ["'none'"],
          scriptSrc: ["'self'"],
          styleSrc: ["'self'"],
          imgSrc: ["'self'"],
          connectSrc: ["'self'"],
          baseUri: ["'none'"],
          formAction: ["'none'"],
          frameAncestors: ["'none'"],
          requireTrustedTypesFor: ["'script'"],
        },
      },
      hsts: false, // the server itself speaks plain HTTP; a tunnel or proxy decides for its own name
    }),
  );
  page.use(express.static(PUBLIC ?? join(__dirname, '../public'), { maxAge: 0, redirect: false }));
  return page;
}
