import { html } from '../web/html';
import type { Content, Html } from '../web/html';
import type { AttackRun, Side } from './attack-runs';
import { AMOUNT, answered, COVERED, failures, FUNDS, NO_TALLY } from './drill';
import type { Variant } from './drill';
import { formatAmount } from './money';

// The attack, drawn: once for the page and for each step that the page is told of.

const TITLES: Readonly<Record<Variant, readonly [title: string, explanation: string]>> = {
  unsafe: ['Ordinary ORM', 'Read the balance, decide, write the new one. In a transaction, read committed.'],
  declared: ['Declared operation', 'The same transfer; the rule stands on the operation, and the framework keeps it.'],
};

const euros = (amount: bigint) => formatAmount(amount, 'EUR');
const NOTHING: Side = { tally: NO_TALLY, elapsedMs: 0, verdict: undefined };

export function attackPanel(run: AttackRun | undefined): Html {
  const sides = (['unsafe', 'declared'] as const).map(
    (variant) => [variant, run?.variants[variant] ?? NOTHING] as const,
  );
  const most = sides.reduce((largest, [, { tally }]) => Math.max(largest, tally.paid), COVERED * 2);
  return html`
    ${run?.error !== undefined && html`<p class="message problem" role="alert">${run.error}</p>`}
    <div class="duel">${sides.map(([variant, side]) => sideCard(variant, side, { run, most }))}</div>
  `;
}

interface Context {
  readonly run: AttackRun | undefined;
  /** The transfers that the money bar has room for. */
  readonly most: number;
}

function sideCard(variant: Variant, side: Side, { run, most }: Context): Html {
  const [title, explanation] = TITLES[variant];
  const { tally, verdict } = side;
  const paidOut = BigInt(tally.paid) * AMOUNT;
  const isTooMuch = paidOut > FUNDS;
  return html`
    <article class="side ${variant}" data-variant="${variant}" data-done="${verdict ? 'yes' : 'no'}">
      <header>
        <h3>${title}</h3>
        ${stamp(variant, side, run)}
      </header>
      <p class="explanation">${explanation}</p>
      <p class="figure">
        <span class="label">Paid out</span>
        <strong class="${isTooMuch ? 'bad' : ''}" data-fact="paid-out">${euros(paidOut)}</strong> EUR
        <span class="of"
          >${isTooMuch ? html`<b class="bad">${euros(paidOut - FUNDS)} more than there was</b>` : `of ${euros(FUNDS)} in the account`}</span
        >
      </p>
      ${moneyBar(tally.paid, most)}
      <p class="figure small">
        <span class="label">Answers</span> <span>${answered(tally)} of ${run?.transfers ?? 0}</span>
      </p>
      ${answerBar(side, run?.transfers ?? 0)}
      <dl class="facts">
        ${fact('Paid', tally.paid, 'paid')} ${fact('Refused: insufficient funds', tally.refused, 'refused')}
        ${fact('Database errors', describeFailures(tally.failed), 'errors')}
        ${fact('Time', side.elapsedMs === 0 ? '–' : `${(side.elapsedMs / 1000).toFixed(1)} s`, 'time')}
        ${verdict && fact('Left on the account', `${euros(verdict.fromBalance)} EUR`, 'left')}
        ${verdict && fact('Money lost', `${euros(verdict.lost)} EUR`, 'lost', verdict.lost !== 0n)}
      </dl>
      ${verdict && broken(side)}
    </article>
  `;
}

function stamp(variant: Variant, { verdict }: Side, run: AttackRun | undefined): Html {
  if (verdict) {
    return verdict.booksBalance
      ? html`<span class="stamp good" data-fact="verdict">Books balance</span>`
      : html`<span class="stamp bad" data-fact="verdict">Books do not balance</span>`;
  }
  if (run?.running === variant) return html`<span class="stamp busy">Under attack…</span>`;
  return html`<span class="stamp">${run?.running === undefined ? 'Ready' : 'Next'}</span>`;
}

/** What was paid, against what was there: all beyond the mark is money that nobody had. */
function moneyBar(paid: number, most: number): Html {
  const percent = (transfers: number) => ((100 * transfers) / most).toFixed(2);
  const covered = Math.min(paid, COVERED);
  const label = `${paid} transfers paid; the funds cover ${COVERED}`;
  return html`
    <svg class="bar money" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="${label}">
      <rect class="track" width="100" height="10"></rect>
      <rect class="covered" width="${percent(covered)}" height="10"></rect>
      <rect class="beyond" x="${percent(covered)}" width="${percent(paid - covered)}" height="10"></rect>
      <rect class="mark" x="${percent(COVERED)}" width="0.5" height="10"></rect>
    </svg>
  `;
}

function answerBar({ tally }: Side, transfers: number): Html {
  const percent = (count: number) => (transfers === 0 ? 0 : (100 * count) / transfers).toFixed(2);
  const parts = [
    ['paid', tally.paid],
    ['refused', tally.refused],
    ['failed', failures(tally)],
  ] as const;
  let before = 0;
  const rects = parts.map(([name, count]) => {
    const rect = html`<rect class="${name}" x="${percent(before)}" width="${percent(count)}" height="10"></rect>`;
    before += count;
    return rect;
  });
  const label = parts.map(([name, count]) => `${count} ${name}`).join(', ');
  return html`
    <svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="${label}">
      <rect class="track" width="100" height="10"></rect>
      ${rects}
    </svg>
  `;
}

function broken({ verdict }: Side): Content {
  const breaches = verdict?.findings.filter(({ violations }) => violations > 0) ?? [];
  if (breaches.length === 0) return html`<p class="finding good">Every rule of the audit holds.</p>`;
  return html`<ul class="findings">
    ${breaches.map(({ rule, detail }) => html`<li><b>Broken:</b> ${rule}<br /><small>${detail}</small></li>`)}
  </ul>`;
}

function fact(label: string, value: Content, name: string, isBad = false): Html {
  return html`<div>
    <dt>${label}</dt>
    <dd data-fact="${name}" class="${isBad && 'bad'}">${value}</dd>
  </div>`;
}

function describeFailures(failed: Readonly<Record<string, number>>): string {
  const all = Object.entries(failed);
  return all.length === 0 ? '0' : all.map(([code, times]) => `${times} ${code}`).join(', ');
}
