import express, { Router } from 'express';
import type { RequestHandler } from 'express';
import { RecordNotFoundError } from 'bellwether';
import type { Database } from 'bellwether';
import { Account } from '../../models/bank/account';
import { Customer } from '../../models/bank/customer';
import { Product } from '../../models/bank/product';
import { problemHandler, sendProblem } from '../web/problem';
import { attackPanel } from './attack-panel';
import type { AttackRuns } from './attack-runs';
import { audit } from './audit';
import { fieldsOf, readCount, readId } from '../web/input';
import type { Fields } from '../web/input';
import * as reading from './reading';
import * as requests from './requests';
import type { Request } from './requests';
import * as views from './views';

/** Refusals for which the state of the accounts is the reason, not the request. */
export const CONFLICTS: ReadonlySet<string> = new Set([
  'E_INSUFFICIENT_FUNDS',
  'E_ACCOUNT_CLOSED',
  'E_ACCOUNT_NOT_EMPTY',
  'E_OUT_OF_STOCK',
  'E_MISSING_ACCOUNT',
  'E_ATTACK_UNDER_WAY',
]);

export const MOST_TRANSFERS = 5000;
export const transfersOf = (value: unknown): number =>
  readCount(value, 'number of transfers', { most: MOST_TRANSFERS, fallback: 400 });
const MOST_LINES = 10_000;

export function bankApi(db: Database, attacks: AttackRuns): Router {
  const api = Router();
  api.use(express.json({ limit: '20kb', strict: false }));
  addWrites(api);
  addReads(api, db);
  addAttacks(api, attacks);
  api.use((_request, response) => {
    sendProblem(response, {
      status: 404,
      title: 'Not found',
      detail: 'There is nothing at this address, or not for this method.',
      remedy: 'See docs/bank.md for the addresses.',
      code: 'E_NOT_FOUND',
    });
  });
  api.use(problemHandler(CONFLICTS));
  return api;
}

function addWrites(api: Router): void {
  /** What the path names goes before what the body names. */
  const on = (run: Request, names: Readonly<Record<string, string>> = {}): RequestHandler => {
    return async (request, response) => {
      const named = Object.entries(names).map(([parameter, field]) => [field, request.params[parameter]]);
      const { made } = await run({ ...fieldsOf(request.body), ...(Object.fromEntries(named) as Fields) });
      response.status(201).json(made);
    };
  };
  api.post('/customers', on(requests.openCustomer));
  api.post('/customers/:id/accounts', on(requests.openAccount, { id: 'customer' }));
  api.post('/customers/:id/savings', on(requests.save, { id: 'customer' }));
  api.post('/accounts/:id/deposits', on(requests.deposit, { id: 'account' }));
  api.post('/accounts/:id/withdrawals', on(requests.withdraw, { id: 'account' }));
  api.post('/accounts/:id/closing', on(requests.closeAccount, { id: 'account' }));
  api.post('/transfers', on(requests.transfer));
  api.post('/products/:id/purchases', on(requests.buy, { id: 'product' }));
}

function addReads(api: Router, db: Database): void {
  api.get('/customers', async (_request, response) => {
    response.json((await Customer.where({ isDrill: false }).order('id')).map(views.customer));
  });
  api.get('/customers/:id/accounts', async (request, response) => {
    const customerId = readId(request.params.id, 'customer');
    await Customer.find(customerId);
    response.json((await Account.where({ customerId }).order('id')).map(views.account));
  });
  api.get('/customers/:id/total', async (request, response) => {
    const customerId = readId(request.params.id, 'customer');
    const account = await Account.findBy({ customerId, closedAt: null });
    if (!account) throw new RecordNotFoundError('Account', 'customer');
    response.json(views.totals(await reading.totalBalance(customerId), account.currency));
  });
  api.get('/accounts/:id/statement', async (request, response) => {
    const accountId = readId(request.params.id, 'account');
    const latest = readCount(request.query.latest, 'number of lines', { most: MOST_LINES, fallback: 100 });
    response.json(views.statement(await reading.statement(accountId, latest)));
  });
  api.get('/products', async (_request, response) => {
    response.json((await Product.order('id')).map(views.product));
  });
  api.get('/audit', async (_request, response) => {
    response.json(views.verdictOnBooks(await audit(db)));
  });
}

function addAttacks(api: Router, attacks: AttackRuns): void {
  const idOf = (value: unknown) => Number(readId(value, 'attack'));
  api.post('/attacks', (request, response) => {
    const run = attacks.start(transfersOf(fieldsOf(request.body).transfers));
    response.status(202).location(`/api/attacks/${run.id}`).json(views.attack(run));
  });
  api.get('/attacks/:id', (request, response) => {
    response.json(views.attack(attacks.find(idOf(request.params.id))));
  });
  /** Server-sent events: the panel of the page as it changes, until the attack is over. */
  api.get('/attacks/:id/events', (request, response) => {
    const run = attacks.find(idOf(request.params.id));
    response.type('text/event-stream').set('Cache-Control', 'no-store').flushHeaders();
    const send = (state: typeof run) => {
      const isOver = state.running === undefined;
      const panel = JSON.stringify(attackPanel(state).toString());
      response.write(`event: ${isOver ? 'over' : 'panel'}\ndata: ${panel}\n\n`);
      if (isOver) response.end();
    };
    if (run.running !== undefined) response.on('close', attacks.follow(run.id, send));
    send(run);
  });
}
