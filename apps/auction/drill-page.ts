import type { Database } from 'bellwether';
import type { User } from '../../models/auction/user';
import { form } from '../web/forms';
import type { Refusal } from '../web/forms';
import type { Page } from '../web/frame';
import { allHold, findingsList } from '../web/findings';
import { html } from '../web/html';
import type { Html } from '../web/html';
import type { Pages } from '../web/pages';
import { InvalidRequestError } from '../web/refusals';
import type { Visit } from '../web/visit';
import { audit } from './audit';
import { drill, VARIANTS } from './drill';
import type { Drill, Outcome } from './drill';

/** The page that shows the difference, and the one that checks the rules. */
export function addDrill(pages: Pages<User>, db: Database): void {
  let running: Promise<Drill> | undefined;
  let latest: Drill | undefined;
  const show = (visit: Visit<User>, refusal?: Refusal) => Promise.resolve(drillPage(latest, visit, refusal));
  pages.get('/drill', (visit) => show(visit));
  pages.form('/drill', {
    again: show,
    run: async () => {
      if (running) throw new InvalidRequestError('A drill is under way.', 'Wait until it is over.');
      running = drill(db);
      try {
        latest = await running;
      } finally {
        running = undefined;
      }
      return '/drill';
    },
  });
  pages.get('/audit', async () => auditPage(await audit(db)));
}

const RULES_APART = 'units sold that were not there';

function drillPage(latest: Drill | undefined, visit: Visit<User>, refusal?: Refusal): Page {
  const body = html`<h1>Drill</h1>
    <p>
      Eight bidders struggle for four lots, take bids back, and buy the last units of a fifth, all at once; then each
      auction is concluded twice. First by the operations as an ordinary ORM would have them, then by those of this
      auction, which declare their rules. SQL counts how often each rule is broken.
    </p>
    ${form({ visit, action: '/drill', refusal, submit: 'Run the drill', style: 'inline' }, [])}
    ${latest && comparison(latest)}`;
  return { title: 'Drill', body };
}

function comparison({ outcomes }: Drill): Html {
  const rules = [...new Set(VARIANTS.flatMap((variant) => Object.keys(outcomes[variant].breaches)))];
  const row = (what: string, of: (outcome: Outcome) => number, isBreach: boolean) =>
    html`<tr>
      <th scope="row">${what}</th>
      ${VARIANTS.map((variant) => {
        const times = of(outcomes[variant]);
        return html`<td class="amount ${isBreach && times > 0 && 'bad'}" data-variant="${variant}">${times}</td>`;
      })}
    </tr>`;
  const failures = ({ failed }: Outcome) => Object.values(failed).reduce((sum, times) => sum + times, 0);
  return html`<div class="scroll card" tabindex="0" role="region" aria-label="The drill’s outcome">
    <table class="drill">
      <thead>
        <tr>
          <th scope="col">What</th>
          ${VARIANTS.map((variant) => html`<th scope="col" class="amount">${variant}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${row('done', ({ done }) => done, false)} ${row('refused with a reason', ({ refused }) => refused, false)}
        ${row('database errors', failures, true)} ${row(RULES_APART, ({ oversold }) => oversold, true)}
        ${rules.map((rule) => row(`broken: ${rule}`, ({ breaches }) => breaches[rule] ?? 0, true))}
      </tbody>
    </table>
  </div>`;
}

function auditPage(findings: Awaited<ReturnType<typeof audit>>): Page {
  const body = html`<h1>Audit</h1>
    <p>
      ${allHold(findings) ? 'All rules hold' : html`<strong class="bad">Rules are broken</strong>`}, by SQL on one
      snapshot, without the models whose promises it checks.
    </p>
    ${findingsList(findings)}`;
  return { title: 'Audit', body };
}
