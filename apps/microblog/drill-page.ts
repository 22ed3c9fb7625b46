import { BellwetherError } from 'bellwether';
import type { Database } from 'bellwether';
import type { User } from '../../models/microblog/user';
import { form } from '../web/forms';
import type { Refusal } from '../web/forms';
import type { Page } from '../web/frame';
import { html } from '../web/html';
import type { Html } from '../web/html';
import type { Pages } from '../web/pages';
import type { Visit } from '../web/visit';
import { drill } from './drill';
import type { DrillRow, Outcome } from './drill';

export class DrillUnderWayError extends BellwetherError {
  override readonly code = 'E_DRILL_UNDER_WAY';
  override readonly recovery = 'try-later';

  constructor() {
    super({ what: 'A drill is under way already.', remedy: 'Wait some seconds, then look again.' });
  }
}

/** Each rule against its unsafe twin, side by side. One drill at a time in a process. */
export function addDrill(pages: Pages<User>, db: Database): void {
  let latest: readonly DrillRow[] | undefined;
  let isUnderWay = false;
  const show = (visit: Visit<User>, refusal?: Refusal) => Promise.resolve(drillPage(visit, latest, refusal));
  pages.get('/drill', (visit) => show(visit));
  pages.form('/drill', {
    run: async () => {
      if (isUnderWay) throw new DrillUnderWayError();
      isUnderWay = true;
      try {
        latest = await drill(db);
      } finally {
        isUnderWay = false;
      }
      return '/drill';
    },
    again: show,
  });
}

function drillPage(visit: Visit<User>, rows: readonly DrillRow[] | undefined, refusal?: Refusal): Page {
  const body = html`<h1>The drill</h1>
    <p>
      Each rule is tried twice: on the microblog’s own operations, which declare it, and on <em>unsafe twins</em>, which
      look whether they may and then do it, in a transaction, as one writes it without further thought. Both things
      happen at the same moment, many times over; then SQL counts how often the rule is broken.
    </p>
    ${form({ visit, action: '/drill', refusal, submit: rows ? 'Try again' : 'Try it', style: 'inline' }, [])}
    ${rows && resultTable(rows)}`;
  return { title: 'Drill', body };
}

function resultTable(rows: readonly DrillRow[]): Html {
  return html`<div class="scroll drill" tabindex="0" role="region" aria-label="Result">
    <table>
      <thead>
        <tr>
          <th scope="col">Rule</th>
          <th scope="col">Tried</th>
          <th scope="col">Unsafe twin</th>
          <th scope="col">Declared</th>
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ({ rule, tried, outcomes }) =>
            html`<tr>
              <th scope="row">${rule}</th>
              <td>${tried}</td>
              <td>${stamp(outcomes.unsafe)}</td>
              <td data-variant="declared">${stamp(outcomes.declared)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function stamp({ broken, tries, failed }: Outcome): Html {
  const failures = Object.entries(failed).map(([code, times]) => html`<br /><small>${times} × ${code}</small>`);
  return html`<span class="stamp ${broken > 0 ? 'bad' : 'good'}"
      >${broken > 0 ? `broken ${broken} times` : 'held'}</span
    >
    <small>of ${tries}</small>${failures}`;
}
