import express, { Router } from 'express';
import type { Express, RequestHandler, Response } from 'express';
import type { Database } from 'bellwether';
import { Customer } from '../../models/bank/customer';
import { logFailure, problemOf } from '../web/problem';
import type { Problem } from '../web/problem';
import { sameSiteOnly, securityHeaders } from '../web/security';
import { inProject } from '../project';
import { bankApi, CONFLICTS, transfersOf } from './api';
import { AttackRuns } from './attack-runs';
import { audit } from './audit';
import { fieldsOf, readId } from '../web/input';
import { problemPage } from './frame';
import type { Refusal } from './frame';
import { overviewPage } from './pages';
import type { OverviewPage } from './pages';
import { overview, statement } from './reading';
import * as requests from './requests';
import { statementPage } from './statement-page';
import type { Request } from './requests';
import { addWatching } from './watching';

const LATEST_LINES = 200;

/**
 * The bank over HTTP: a page for people, and the same for programs under `/api`.
 *
 * @param signal aborted when the bank closes: work that would take long is then abandoned
 */
export function bankApp(db: Database, signal: AbortSignal = new AbortController().signal): Express {
  const app = express();
  const attacks = new AttackRuns(db, signal);
  app.disable('x-powered-by');
  app.use(securityHeaders);
  app.use(sameSiteOnly);
  app.use((_request, _response, next) => db.use(next));
  addWatching(app, db, signal);
  app.use(express.static(inProject('apps', 'bank', 'public'), { maxAge: 0 }));
  app.use('/api', bankApi(db, attacks));
  app.use(new Pages(db, attacks).router());
  return app;
}

/** The page without scripts: forms that post, and answers that lead back. */
class Pages {
  readonly #db: Database;
  readonly #attacks: AttackRuns;

  constructor(db: Database, attacks: AttackRuns) {
    this.#db = db;
    this.#attacks = attacks;
  }

  router(): Router {
    const pages = Router();
    pages.use(express.urlencoded({ extended: false, limit: '20kb' }));
    pages.get('/', async (request, response) => {
      const { notice, follow } = request.query;
      response.send(await this.#overview({ notice: noticeOf(notice), isFollowed: follow === 'attack' }));
    });
    pages.get('/accounts/:id', async (request, response) => {
      response.send(await this.#statement(readId(request.params.id, 'account'), noticeOf(request.query.notice)));
    });
    this.#addForms(pages);
    pages.use((_request, response) => {
      sendPage(response, NOT_FOUND, problemPage(NOT_FOUND));
    });
    pages.use(((error: unknown, _request, response, next) => {
      if (response.headersSent) return next(error);
      const problem = knownProblem(error);
      sendPage(response, problem, problemPage(problem));
    }) satisfies express.ErrorRequestHandler);
    return pages;
  }

  #addForms(pages: Router): void {
    pages.post('/customers', this.#form('customer', requests.openCustomer, '#accounts'));
    pages.post('/accounts', this.#form('account', requests.openAccount, '#accounts'));
    pages.post('/transfers', this.#form('transfer', requests.transfer, '#accounts'));
    pages.post('/deposits', this.#form('cash', requests.deposit, '#accounts'));
    pages.post('/withdrawals', this.#form('cash', requests.withdraw, '#accounts'));
    pages.post('/savings', this.#form('saving', requests.save, '#accounts'));
    pages.post('/purchases', this.#form('shop', requests.buy, '#accounts'));
    pages.post('/closings', this.#closing());
    pages.post('/attacks', async (request, response) => {
      const fields = fieldsOf(request.body);
      try {
        this.#attacks.start(transfersOf(fields.transfers));
        response.redirect(303, '/?follow=attack');
      } catch (error) {
        await this.#refuse(response, { form: 'attack', problem: knownProblem(error), fields });
      }
    });
  }

  /** Runs the request; then leads to the overview, so that a reload does not send the form again. */
  #form(form: string, run: Request, anchor: string): RequestHandler {
    return async (request, response) => {
      const fields = fieldsOf(request.body);
      try {
        const { notice } = await run(fields);
        response.redirect(303, `/?notice=${encodeURIComponent(notice)}${anchor}`);
      } catch (error) {
        await this.#refuse(response, { form, problem: knownProblem(error), fields });
      }
    };
  }

  #closing(): RequestHandler {
    return async (request, response) => {
      const fields = fieldsOf(request.body);
      const accountId = readId(fields.account, 'account');
      try {
        const { notice } = await requests.closeAccount(fields);
        response.redirect(303, `/accounts/${accountId}?notice=${encodeURIComponent(notice)}`);
      } catch (error) {
        const problem = knownProblem(error);
        if (problem.status === 404) throw error;
        sendPage(response, problem, await this.#statement(accountId, undefined, { form: 'closing', problem, fields }));
      }
    };
  }

  async #refuse(response: Response, refusal: Refusal): Promise<void> {
    sendPage(response, refusal.problem, await this.#overview({ refusal }));
  }

  async #overview(how: Pick<OverviewPage, 'notice' | 'refusal' | 'isFollowed'>): Promise<string> {
    const [all, findings] = [await overview(), await audit(this.#db)];
    return overviewPage({ overview: all, findings, attack: this.#attacks.latest, ...how });
  }

  async #statement(accountId: bigint, notice?: string, refusal?: Refusal): Promise<string> {
    const lines = await statement(accountId, LATEST_LINES);
    const customer = await Customer.find(lines.account.customerId!); // statements are of customers' accounts only
    return statementPage({ statement: lines, customer, notice, refusal });
  }
}

const NOT_FOUND: Problem = {
  status: 404,
  title: 'Not found',
  detail: 'There is no such page.',
  remedy: 'The overview leads to all there are.',
  code: 'E_NOT_FOUND',
};

function knownProblem(error: unknown): Problem {
  const problem = problemOf(error, CONFLICTS);
  if (problem.status >= 500) logFailure(error);
  return problem;
}

function sendPage(response: Response, { status }: Problem, page: string): void {
  response.status(status).type('html').send(page);
}

const noticeOf = (value: unknown): string | undefined => (typeof value === 'string' ? value.slice(0, 200) : undefined);
