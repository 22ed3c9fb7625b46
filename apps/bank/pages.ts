import type { Account } from '../../models/bank/account';
import { CURRENCIES } from '../../models/bank/currency';
import { allHold, findingsList } from '../web/findings';
import type { Finding } from '../web/findings';
import { html } from '../web/html';
import type { Content, Html } from '../web/html';
import { attackPanel } from './attack-panel';
import type { AttackRun } from './attack-runs';
import { frame, problemIn } from './frame';
import type { Refusal } from './frame';
import type { Fields } from '../web/input';
import { formatAmount } from './money';
import type { Overview } from './reading';

export interface OverviewPage {
  readonly overview: Overview;
  readonly findings: readonly Finding[];
  readonly attack: AttackRun | undefined;
  readonly isFollowed?: boolean;
  readonly notice?: string | undefined;
  readonly refusal?: Refusal | undefined;
}

export function overviewPage(page: OverviewPage): string {
  const { notice, attack, overview, findings } = page;
  const isFollowed = page.isFollowed === true && attack?.running !== undefined;
  return frame({ title: 'Overview', notice, isFollowed }, [
    attackSection(page),
    html`<section id="accounts">
      <h2>Accounts</h2>
      <div class="cards">${overview.customers.map(customerCard)}</div>
    </section>`,
    html`<section id="move">
      <h2>Move money, open accounts</h2>
      <div class="cards forms">
        ${transferForm(page)}${cashForm(page)}${savingForm(page)}${shopForm(page)}${accountForm(page)}${customerForm(page)}
      </div>
    </section>`,
    booksSection(findings),
  ]);
}

function attackSection({ attack, refusal }: OverviewPage): Html {
  const isRunning = attack?.running !== undefined;
  return html`<section id="attack" class="attack">
    <div class="intro">
      <div>
        <h1>1,000.00 in the account. Hundreds of transfers of 10.00, all at once.</h1>
        <p>
          Funds for exactly 100. The same attack emptied real exchanges: each request reads the balance, finds it
          sufficient, and pays. Run it against both, on this very database.
        </p>
      </div>
      <form method="post" action="/attacks" class="launch" data-attack>
        <label
          >Transfers
          <select name="transfers">
            ${[100, 200, 400, 1000, 2000, 5000].map((count) => option(count, count, attack?.transfers ?? 400))}
          </select>
        </label>
        <button class="danger" type="submit" ${isRunning && html`disabled`}>Attack</button>
        ${problemIn('attack', refusal)}
      </form>
    </div>
    <div id="panel" data-run="${isRunning && attack.id}">${attackPanel(attack)}</div>
  </section>`;
}

function customerCard({ customer, accounts }: Overview['customers'][number]): Html {
  const open = accounts.filter(({ closedAt }) => closedAt === null);
  const currencies = new Set(open.map(({ currency }) => currency));
  const total = open.reduce((sum, { balance }) => sum + balance, 0n);
  return html`<article class="card" data-customer="${customer.id}">
    <header>
      <h3>${customer.name}</h3>
      ${customer.cover === 'joint' && html`<span class="tag" title="Checking and savings cover each other">joint cover</span>`}
    </header>
    ${accounts.length === 0 && html`<p class="quiet">No account yet.</p>`}
    <ul class="accounts">
      ${accounts.map(accountRow)}
    </ul>
    ${currencies.size === 1 && html`<p class="total"><span>Total</span><b>${formatAmount(total, open[0]!.currency)} ${open[0]!.currency}</b></p>`}
  </article>`;
}

function accountRow(account: Account): Html {
  const { id, kind, balance, currency, closedAt } = account;
  return html`<li class="${closedAt !== null && 'closed'}">
    <a href="/accounts/${id}" data-account="${id}">
      <span class="kind">${kind} <small>no. ${id}${closedAt !== null && ' · closed'}</small></span>
      <span class="amount ${balance < 0n && 'bad'}">${formatAmount(balance, currency)} <small>${currency}</small></span>
    </a>
  </li>`;
}

function customerForm({ refusal }: OverviewPage): Html {
  const fields = fieldsOf('customer', refusal);
  return html`<form class="card" method="post" action="/customers">
    <h3>New customer</h3>
    <label>Name <input name="name" required maxlength="80" autocomplete="off" value="${text(fields.name)}" /></label>
    <label
      >Cover
      <select name="cover">
        ${option('own', 'Each account for itself', fields.cover)}${option('joint', 'Checking and savings jointly', fields.cover)}
      </select></label
    >
    <button type="submit">Become a customer</button>${problemIn('customer', refusal)}
  </form>`;
}

function transferForm({ overview, refusal }: OverviewPage): Html {
  const fields = fieldsOf('transfer', refusal);
  return html`<form class="card" method="post" action="/transfers">
    <h3>Transfer</h3>
    <label>From ${accountSelect('from', overview, fields.from)}</label>
    <label>To ${accountSelect('to', overview, fields.to, 1)}</label>
    ${amountField(fields)}
    <label>Memo <input name="memo" maxlength="140" autocomplete="off" value="${text(fields.memo)}" /></label>
    <button type="submit">Transfer</button>${problemIn('transfer', refusal)}
  </form>`;
}

function cashForm({ overview, refusal }: OverviewPage): Html {
  const fields = fieldsOf('cash', refusal);
  return html`<form class="card" method="post" action="/deposits">
    <h3>Cash desk</h3>
    <label>Account ${accountSelect('account', overview, fields.account)}</label>
    ${amountField(fields)}
    <div class="buttons">
      <button type="submit">Deposit</button>
      <button type="submit" class="plain" formaction="/withdrawals">Withdraw</button>
    </div>
    ${problemIn('cash', refusal)}
  </form>`;
}

function savingForm({ overview, refusal }: OverviewPage): Html {
  const fields = fieldsOf('saving', refusal);
  return html`<form class="card" method="post" action="/savings">
    <h3>Save</h3>
    <label>Customer ${customerSelect(overview, fields.customer)}</label>
    ${amountField(fields)}
    <button type="submit">Checking → savings</button>${problemIn('saving', refusal)}
  </form>`;
}

function shopForm({ overview, refusal }: OverviewPage): Html {
  const fields = fieldsOf('shop', refusal);
  const products = overview.products.map(({ id, name, price, currency, stock }) =>
    option(id, `${name}, ${formatAmount(price, currency)} ${currency} (${stock} left)`, fields.product),
  );
  return html`<form class="card" method="post" action="/purchases">
    <h3>Shop</h3>
    <label
      >Product
      <select name="product">
        ${products}
      </select></label
    >
    <label>Paid by ${accountSelect('account', overview, fields.account)}</label>
    <label
      >Quantity <input name="quantity" type="number" min="1" max="1000" value="${text(fields.quantity) || '1'}"
    /></label>
    <button type="submit">Buy</button>${problemIn('shop', refusal)}
  </form>`;
}

function accountForm({ overview, refusal }: OverviewPage): Html {
  const fields = fieldsOf('account', refusal);
  return html`<form class="card" method="post" action="/accounts">
    <h3>Open account</h3>
    <label>Customer ${customerSelect(overview, fields.customer)}</label>
    <label
      >Kind
      <select name="kind">
        ${option('checking', 'checking', fields.kind)}${option('savings', 'savings', fields.kind)}
      </select></label
    >
    <label
      >Currency
      <select name="currency">
        ${CURRENCIES.map((currency) => option(currency, currency, fields.currency))}
      </select></label
    >
    <button type="submit">Open account</button>${problemIn('account', refusal)}
  </form>`;
}

function booksSection(findings: readonly Finding[]): Html {
  return html`<section id="books">
    <h2>
      The books
      ${allHold(findings) ? html`<span class="stamp good">balance</span>` : html`<span class="stamp bad">do not balance</span>`}
    </h2>
    <p class="quiet">Every rule, checked in SQL on one snapshot, as this page was made.</p>
    ${findingsList(findings)}
  </section>`;
}

const fieldsOf = (form: string, refusal: Refusal | undefined): Fields => (refusal?.form === form ? refusal.fields : {});
const text = (value: unknown): string => (typeof value === 'string' ? value : '');

const amountField = (fields: Fields) =>
  html`<label
    >Amount
    <input
      name="amount"
      required
      inputmode="decimal"
      placeholder="12.34"
      autocomplete="off"
      value="${text(fields.amount)}"
  /></label>`;

function option(value: string | number | bigint, label: Content, chosen: unknown): Html {
  const isChosen = String(value) === String(chosen);
  return html`<option value="${value}" ${isChosen && html`selected`}>${label}</option>`;
}

function customerSelect({ customers }: Overview, chosen: unknown): Html {
  return html`<select name="customer">
    ${customers.map(({ customer }) => option(customer.id, customer.name, chosen))}
  </select>`;
}

/** @param preselected which of the accounts, where none was chosen */
function accountSelect(name: string, { customers }: Overview, chosen: unknown, preselected = 0): Html {
  const open = customers.flatMap(({ customer, accounts }) =>
    accounts.filter(({ closedAt }) => closedAt === null).map((account) => ({ account, owner: customer.name })),
  );
  const selected = chosen ?? open[preselected]?.account.id;
  const options = open.map(({ account: { id, kind, balance, currency }, owner }) =>
    option(id, `${owner}, ${kind} (${formatAmount(balance, currency)} ${currency})`, selected),
  );
  return html`<select name="${name}">
    ${options}
  </select>`;
}
