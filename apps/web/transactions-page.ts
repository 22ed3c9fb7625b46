import type { Database } from 'bellwether';
import { time } from './forms';
import { html } from './html';
import type { Html } from './html';
import type { LiveHub } from './live';
import type { Pages } from './pages';
import { TransactionLog } from './transaction-log';
import type { TransactionEntry } from './transaction-log';
import type { User } from './visit';

export const TRANSACTIONS_TOPIC = 'transactions';
const PAUSE_MS = 500;
const SHOWN = 100;

/** `/transactions`: what this process does in its database, as it happens. */
export function addTransactions<U extends User>(
  pages: Pages<U>,
  { db, closing, hub }: { readonly db: Database; readonly closing: AbortSignal; readonly hub: LiveHub },
): void {
  const log = new TransactionLog(db, closing, teller(hub));
  pages.get('/transactions', () =>
    Promise.resolve({
      title: 'Transactions',
      refreshS: 2,
      body: html`<h1>Transactions</h1>
        <p class="quiet">
          The last ${SHOWN} of this process, with what PostgreSQL asked to be run again. Single statements are
          transactions too, but too many to list.
        </p>
        <div data-live="${TRANSACTIONS_TOPIC}" data-src="/transactions/list">${transactionTables(log)}</div>`,
    }),
  );
  pages.fragment('/transactions/list', () => Promise.resolve(transactionTables(log)));
}

/** Tells those who look, at most twice a second. */
function teller(hub: LiveHub): () => void {
  let isTold = false;
  return () => {
    if (isTold || !hub.hears(TRANSACTIONS_TOPIC)) return;
    isTold = true;
    setTimeout(() => {
      isTold = false;
      hub.publishHere(TRANSACTIONS_TOPIC);
    }, PAUSE_MS).unref();
  };
}

export function transactionTables({ counts, latest }: TransactionLog): Html {
  if (counts.size === 0) return html`<p class="quiet">None yet.</p>`;
  const byName = [...counts].sort(([one], [other]) => (one < other ? -1 : 1));
  const rows = byName.map(([name, { committed, rolledBack, retries, totalMs, longestMs }]) => {
    const mean = totalMs / Math.max(1, committed + rolledBack);
    return html`<tr>
      <th scope="row">${name || html`<i>without a name</i>`}</th>
      <td class="amount">${committed}</td>
      <td class="amount">${rolledBack}</td>
      <td class="amount">${retries}</td>
      <td class="amount">${ms(mean)}</td>
      <td class="amount">${ms(longestMs)}</td>
    </tr>`;
  });
  return html`<div class="scroll" tabindex="0" role="region" aria-label="By operation">
      <table>
        <thead>
          <tr>
            <th scope="col">Operation</th>
            <th scope="col" class="amount">Committed</th>
            <th scope="col" class="amount">Rolled back</th>
            <th scope="col" class="amount">Run again</th>
            <th scope="col" class="amount">Mean</th>
            <th scope="col" class="amount">Longest</th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>
    <h2>The latest</h2>
    <div class="scroll" tabindex="0" role="region" aria-label="The latest transactions">
      <table>
        <thead>
          <tr>
            <th scope="col">Begun</th>
            <th scope="col">Operation</th>
            <th scope="col">Isolation</th>
            <th scope="col">Outcome</th>
            <th scope="col" class="amount">Attempts</th>
            <th scope="col" class="amount">Took</th>
            <th scope="col" class="amount">Waited</th>
          </tr>
        </thead>
        <tbody>
          ${latest.slice(0, SHOWN).map(entryRow)}
        </tbody>
      </table>
    </div>`;
}

function entryRow({
  name,
  isolation,
  begunAt,
  outcome,
  attempts,
  error,
  durationMs,
  waitedMs,
}: TransactionEntry): Html {
  const tone = outcome === 'committed' ? 'good' : outcome === 'rolled back' ? 'bad' : 'busy';
  return html`<tr>
    <td class="when">${time(begunAt)}</td>
    <td>${name}</td>
    <td>${isolation}</td>
    <td><span class="stamp ${tone}">${outcome}</span> ${error !== undefined && html`<small>${error}</small>`}</td>
    <td class="amount">${attempts}</td>
    <td class="amount">${ms(durationMs)}</td>
    <td class="amount">${waitedMs > 0 && ms(waitedMs)}</td>
  </tr>`;
}

const ms = (duration: number): string => `${duration < 10 ? duration.toFixed(1) : Math.round(duration)} ms`;
