import type { Page } from './frame';
import { html } from './html';
import type { Html } from './html';
import type { ApiDescription, JsonSchema, Operation } from './openapi';

/** The description of an API for people. */
export function apiPage({ info, paths, components }: ApiDescription): Page {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => operationCard(method, path, operation)),
  );
  const body = html`<div class="api">
    <h1>The API of ${info.title}</h1>
    <p>${info.description}</p>
    <p>
      The same for programs: <a href="/api/openapi.json">openapi.json</a>. All paths are below <code>/api</code>. What
      goes wrong is answered as <code>application/problem+json</code>.
    </p>
    <div class="list">${operations}</div>
    <h2>Schemas</h2>
    <div class="list">${Object.entries(components.schemas).map(([name, schema]) => schemaCard(name, schema))}</div>
  </div>`;
  return { title: 'API', body };
}

function operationCard(method: string, path: string, operation: Operation): Html {
  const { summary, description, parameters, requestBody, responses, security } = operation;
  return html`<article class="card">
    <header>
      <h3><code>${method.toUpperCase()} ${path}</code></h3>
      ${security.length > 0 && html`<span class="tag">signed in</span>`}
    </header>
    <p>${summary}${description !== undefined && html`. ${description}`}</p>
    <dl class="facts">
      ${parameters.map(
        (parameter) =>
          html`<div>
            <dt>${String(parameter.in)}</dt>
            <dd><code>${String(parameter.name)}</code>${parameter.required === true && ' (required)'}</dd>
          </div>`,
      )}
      ${
        requestBody &&
        html`<div>
          <dt>body</dt>
          <dd>${schemaNames(requestBody)}</dd>
        </div>`
      }
      ${Object.entries(responses).map(
        ([status, response]) =>
          html`<div>
            <dt>${status}</dt>
            <dd>${String(response.description)} ${schemaNames(response)}</dd>
          </div>`,
      )}
    </dl>
  </article>`;
}

function schemaCard(name: string, schema: JsonSchema): Html {
  return html`<article class="card" id="schema-${name}">
    <h3>${name}</h3>
    <pre tabindex="0">${JSON.stringify(schema, null, 2)}</pre>
  </article>`;
}

/** Links to the schemas that are named anywhere in it, but for problems, which are everywhere. */
function schemaNames(part: JsonSchema): Html[] {
  const names = [...JSON.stringify(part).matchAll(/#\/components\/schemas\/(\w+)/g)].map(([, name]) => name!);
  return [...new Set(names)]
    .filter((name) => name !== 'Problem')
    .map((name) => html`<a href="#schema-${name}"><code>${name}</code></a> `);
}
