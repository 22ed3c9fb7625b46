import type { Account } from '../../models/bank/account';
import type { Customer } from '../../models/bank/customer';
import type { Movement } from '../../models/bank/movement';
import type { Product } from '../../models/bank/product';
import type { Purchase } from '../../models/bank/purchase';
import type { Currency } from '../../models/bank/currency';
import type { AttackRun } from './attack-runs';
import { allHold } from '../web/findings';
import type { Finding } from '../web/findings';
import { AMOUNT, COVERED, failures, FUNDS } from './drill';
import { plainAmount } from './money';
import type { Statement, Totals } from './reading';

// Records as JSON. Keys and amounts are text: a JSON number cannot hold 64 bits, nor a decimal exactly.

export type Record = Readonly<globalThis.Record<string, unknown>>;

export const customer = ({ id, name, cover }: Customer): Record => ({ id: String(id), name, cover });

export const account = ({ id, customerId, kind, currency, cover, balance, closedAt }: Account): Record => ({
  id: String(id),
  customer: String(customerId),
  kind,
  currency,
  cover,
  balance: plainAmount(balance, currency),
  closedAt,
});

export const movement = ({ id, kind, memo, createdAt }: Movement): Record => ({
  id: String(id),
  kind,
  memo,
  createdAt,
});

export const product = ({ id, name, price, currency, stock }: Product): Record => ({
  id: String(id),
  name,
  price: plainAmount(price, currency),
  currency,
  stock,
});

export const purchase = ({ id, productId, movementId, quantity }: Purchase): Record => ({
  id: String(id),
  product: String(productId),
  movement: String(movementId),
  quantity,
});

export const totals = ({ checking, savings, total }: Totals, currency: Currency): Record => ({
  checking: plainAmount(checking, currency),
  savings: plainAmount(savings, currency),
  total: plainAmount(total, currency),
  currency,
});

export const statement = ({ account: of, broughtForward, lines }: Statement): Record => ({
  account: account(of),
  broughtForward: plainAmount(broughtForward, of.currency),
  lines: lines.map(({ entry, kind, memo, at, other, balance }) => ({
    entry: String(entry.id),
    at,
    kind,
    memo,
    otherAccount: other === undefined ? null : String(other.id),
    amount: plainAmount(entry.amount, of.currency),
    balance: plainAmount(balance, of.currency),
  })),
});

export const verdictOnBooks = (findings: readonly Finding[]): Record => ({ balance: allHold(findings), findings });

export const attack = ({ id, transfers, running, error, variants }: AttackRun): Record => ({
  id,
  transfers,
  amount: plainAmount(AMOUNT, 'EUR'),
  funds: plainAmount(FUNDS, 'EUR'),
  covered: Math.min(COVERED, transfers),
  running: running ?? null,
  error: error ?? null,
  variants: Object.fromEntries(
    Object.entries(variants).map(([name, { tally, verdict, elapsedMs }]) => [
      name,
      {
        paid: tally.paid,
        refused: tally.refused,
        databaseErrors: failures(tally),
        elapsedMs: Math.round(elapsedMs),
        paidOut: plainAmount(BigInt(tally.paid) * AMOUNT, 'EUR'),
        verdict: verdict && {
          isRight: verdict.isRight,
          booksBalance: verdict.booksBalance,
          lost: plainAmount(verdict.lost, 'EUR'),
          left: plainAmount(verdict.fromBalance, 'EUR'),
          findings: verdict.findings.filter(({ violations }) => violations > 0),
        },
      },
    ]),
  ),
});
