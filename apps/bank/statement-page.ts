import type { Account } from '../../models/bank/account';
import type { Currency } from '../../models/bank/currency';
import type { Customer } from '../../models/bank/customer';
import { html } from '../web/html';
import type { Html } from '../web/html';
import { frame, problemIn } from './frame';
import type { Refusal } from './frame';
import { formatAmount } from './money';
import type { Statement, StatementLine } from './reading';

export interface StatementPage {
  readonly customer: Customer;
  readonly statement: Statement;
  readonly notice?: string | undefined;
  readonly refusal?: Refusal | undefined;
}

export function statementPage({ statement, customer, notice, refusal }: StatementPage): string {
  const { account, lines, broughtForward } = statement;
  const { id, currency, closedAt } = account;
  const rows = lines.map((line) => statementRow(line, currency));
  const table = html`<table>
    <thead>
      <tr>
        <th>When (UTC)</th>
        <th>What</th>
        <th class="amount">Amount</th>
        <th class="amount">Balance</th>
      </tr>
    </thead>
    <tbody>
      <tr class="quiet">
        <td></td>
        <td>brought forward</td>
        <td></td>
        ${amountCell(broughtForward, currency)}
      </tr>
      ${rows}
    </tbody>
  </table>`;
  return frame(
    { title: `Account ${id}`, notice },
    html`<section class="statement">
      <p><a href="/">← All accounts</a></p>
      ${heading(account, customer)}
      <div class="scroll">${table}</div>
      ${closedAt === null && closingForm(account, refusal)}
    </section>`,
  );
}

function heading({ id, kind, currency, balance, closedAt, cover }: Account, { name }: Customer): Html {
  const notes = [closedAt !== null && ', closed', cover === 'joint' && ', covered jointly'];
  return html`<div class="intro">
    <div>
      <h1>${name}</h1>
      <p>${kind} account no. ${id}${notes}</p>
    </div>
    <p class="balance">
      <small>Balance</small><strong data-fact="balance">${formatAmount(balance, currency)}</strong> ${currency}
    </p>
  </div>`;
}

function statementRow({ at, kind, memo, other, entry, balance }: StatementLine, currency: Currency): Html {
  const direction = entry.amount < 0n ? 'to' : 'from';
  const isCustomers = other !== undefined && other.customerId !== null;
  const end = isCustomers && html` · ${direction} <a href="/accounts/${other.id}">no. ${other.id}</a>`;
  return html`<tr>
    <td class="when">${at.toISOString().slice(0, 16).replace('T', ' ')}</td>
    <td>${kind}${end}${memo !== null && html`<br /><small>${memo}</small>`}</td>
    ${amountCell(entry.amount, currency)}${amountCell(balance, currency)}
  </tr>`;
}

const amountCell = (value: bigint, currency: Currency) =>
  html`<td class="amount ${value < 0n && 'bad'}">${formatAmount(value, currency)}</td>`;

function closingForm({ id }: Account, refusal: Refusal | undefined): Html {
  return html`<form method="post" action="/closings" class="closing">
    <input type="hidden" name="account" value="${id}" />
    <button type="submit" class="plain">Close this account</button>
    <span class="quiet">Possible at zero only; nothing lands on it afterwards.</span>${problemIn('closing', refusal)}
  </form>`;
}
