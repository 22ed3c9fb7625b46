import { html } from '../web/html';
import type { Content } from '../web/html';
import type { Problem } from '../web/problem';
import type { Fields } from '../web/input';

/** A form that was refused: what was in it stays in it, with the reason beside. */
export interface Refusal {
  readonly form: string;
  readonly problem: Problem;
  readonly fields: Fields;
}

interface Frame {
  readonly title: string;
  readonly notice?: string | undefined;
  /** Asks for itself again every second: for browsers without scripts, while an attack is under way. */
  readonly isFollowed?: boolean;
}

/** What every page has around it. */
export function frame({ title, notice, isFollowed = false }: Frame, body: Content): string {
  return `<!doctype html>${html` <html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <title>${title} · Bellwether Bank</title>
      <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
      <link rel="stylesheet" href="/web/base.css" />
      <link rel="stylesheet" href="/bank.css" />
      ${isFollowed && html`<meta http-equiv="refresh" content="1; url=/?follow=attack" />`}
      <script src="/bank.js" defer></script>
    </head>
    <body>
      <header class="top">
        <a class="brand" href="/"><img src="/favicon.svg" alt="" width="28" height="28" />Bellwether Bank</a>
        <nav>
          <a href="/#attack">Attack</a><a href="/#accounts">Accounts</a><a href="/#move">Move money</a
          ><a href="/#books">Books</a><a href="/transactions">Transactions</a>
        </nav>
      </header>
      <main>
        ${notice !== undefined && notice !== '' && html`<p class="message" role="status">${notice}</p>`} ${body}
      </main>
      <footer>A sample application of Bellwether. The money is not real; the concurrency is.</footer>
    </body>
  </html>`.toString()}`;
}

export function problemPage(problem: Problem): string {
  const body = html`<section>
    <h1>${problem.title}</h1>
    <p>${problem.detail} ${problem.remedy}</p>
    <p><a href="/">← Overview</a></p>
  </section>`;
  return frame({ title: problem.title }, body);
}

/** Why a form was refused, if it is this one. */
export function problemIn(form: string, refusal: Refusal | undefined): Content {
  if (refusal?.form !== form) return undefined;
  const { detail, remedy, code } = refusal.problem;
  return html`<p class="message problem" role="alert" data-code="${code}">${detail} ${remedy}</p>`;
}
