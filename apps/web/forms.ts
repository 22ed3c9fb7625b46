import { html } from './html';
import type { Content, Html } from './html';
import type { Fields } from './input';
import type { Problem } from './problem';
import { CSRF_FIELD } from './security';
import type { User, Visit } from './visit';

/** A form that was refused: what was in it stays in it, with the reasons beside the fields. */
export interface Refusal {
  readonly form: string;
  readonly problem: Problem;
  readonly fields: Fields;
}

export interface FormOptions {
  readonly visit: Visit;
  /** Where it is sent, by POST. */
  readonly action: string;
  /** By which the refusal finds it. Default: the action. */
  readonly name?: string;
  readonly refusal?: Refusal | undefined;
  /** What the button says. */
  readonly submit: string;
  /** Of the form; `card` if not given. */
  readonly style?: string;
  readonly title?: string;
}

/** A part of a form, drawn with what is known of a refusal. */
export type Field = (state: FieldState) => Html;
interface FieldState {
  readonly prefix: string;
  readonly fields: Fields;
  readonly errors: Readonly<Record<string, readonly string[]>>;
}

/** Carries the token of the session. Errors that belong to none of its fields stand at its end. */
export function form(options: FormOptions, fields: readonly (Field | Html)[]): Html {
  const { visit, action, name = action, refusal, submit, style = 'card', title } = options;
  const refused = refusal?.form === name ? refusal : undefined;
  const prefix = name.replace(/[^a-z0-9]+/gi, '-').replace(/^-/, '');
  const state: FieldState = { prefix, fields: refused?.fields ?? {}, errors: refused?.problem.errors ?? {} };
  const drawn = fields.map((field) => (typeof field === 'function' ? field(state) : field));
  return html`<form class="${style}" method="post" action="${action}" data-form="${name}">
    ${title !== undefined && html`<h2>${title}</h2>`}
    <input type="hidden" name="${CSRF_FIELD}" value="${visit.csrfToken}" />
    ${drawn}
    <button type="submit">${submit}</button>
    ${refused && reason(refused.problem)}
  </form>`;
}

const reason = ({ detail, remedy, code }: Problem): Html =>
  html`<p class="message problem" role="alert" data-code="${code}">${detail} ${remedy}</p>`;

interface FieldOptions {
  readonly name: string;
  readonly label: string;
  readonly required?: boolean;
  /** What it holds when nothing was refused. */
  readonly value?: string | number | bigint | undefined;
  /** Said below the field. */
  readonly hint?: string;
}
export interface TextOptions extends FieldOptions {
  readonly maxLength?: number;
  readonly type?: 'text' | 'email' | 'search' | 'url' | 'password' | 'datetime-local';
  readonly autocomplete?: string;
  readonly placeholder?: string;
  readonly inputMode?: 'text' | 'decimal' | 'numeric' | 'email' | 'search';
}

export function textField(options: TextOptions): Field {
  const { type = 'text', maxLength, autocomplete = 'off', placeholder, inputMode } = options;
  return labelled(
    options,
    (attributes, value) =>
      html`<input
        ${attributes}
        type="${type}"
        autocomplete="${autocomplete}"
        ${attribute('maxlength', maxLength)}
        ${attribute('placeholder', placeholder)}
        ${attribute('inputmode', inputMode)}
        ${type !== 'password' && attribute('value', value)}
      />`,
  );
}

/** Never filled in again. */
export const passwordField = (options: Omit<TextOptions, 'type' | 'value'>): Field =>
  textField({ autocomplete: 'current-password', ...options, type: 'password' });

export interface AreaOptions extends FieldOptions {
  readonly maxLength?: number;
  readonly rows?: number;
  readonly placeholder?: string;
}

export function textArea(options: AreaOptions): Field {
  const { rows = 3, maxLength, placeholder } = options;
  const size = html`rows="${rows}" ${attribute('maxlength', maxLength)} ${attribute('placeholder', placeholder)}`;
  // A newline behind the tag is not part of the text; so one that is stays.
  return labelled(options, (attributes, value) => html`<textarea ${attributes} ${size}>${'\n'}${value}</textarea>`);
}

export interface NumberOptions extends FieldOptions {
  readonly min?: number;
  readonly max?: number;
  readonly step?: number;
}

export function numberField(options: NumberOptions): Field {
  const { min, max, step } = options;
  const range = html`${attribute('min', min)} ${attribute('max', max)} ${attribute('step', step)}`;
  return labelled(
    options,
    (attributes, value) => html`<input ${attributes} type="number" ${range} ${attribute('value', value)} />`,
  );
}

export interface Choice {
  readonly value: string | number | bigint;
  readonly label: Content;
}
export interface SelectOptions extends FieldOptions {
  readonly options: readonly Choice[];
}

export function selectField(options: SelectOptions): Field {
  return labelled(
    options,
    (attributes, chosen) =>
      html`<select ${attributes}>
        ${options.options.map(({ value, label }) => option(value, label, chosen))}
      </select>`,
  );
}

export function option(value: string | number | bigint, label: Content, chosen: unknown): Html {
  return html`<option value="${value}" ${String(value) === String(chosen) && html`selected`}>${label}</option>`;
}

export function hidden({ name, value }: { readonly name: string; readonly value: string | number | bigint }): Html {
  return html`<input type="hidden" name="${name}" value="${value}" />`;
}

export interface ActionOptions {
  readonly visit: Visit;
  readonly action: string;
  readonly label: string;
  readonly fields?: Readonly<Record<string, string | number | bigint>>;
  readonly style?: 'plain' | 'danger' | 'small' | 'plain small' | 'danger small';
  /** For who does not see what the button stands beside. */
  readonly describedAs?: string;
}

/** A button that changes something: a form of one line. */
export function actionButton({ visit, action, label, fields = {}, style, describedAs }: ActionOptions): Html {
  return html`<form class="inline" method="post" action="${action}">
    ${hidden({ name: CSRF_FIELD, value: visit.csrfToken })}
    ${Object.entries(fields).map(([name, value]) => hidden({ name, value }))}
    <button type="submit" class="${style}" ${attribute('aria-label', describedAs)}>${label}</button>
  </form>`;
}

const attribute = (name: string, value: string | number | undefined): Content =>
  value === undefined ? undefined : html`${name}="${value}"`;

function labelled(options: FieldOptions, draw: (attributes: Html, value: string | undefined) => Html): Field {
  const { name, label, required = false, value, hint } = options;
  return ({ prefix, fields, errors }) => {
    const id = `${prefix}-${name}`;
    const wrong = errors[name] ?? [];
    const [hintId, errorId] = [hint !== undefined && `${id}-hint`, wrong.length > 0 && `${id}-error`];
    const about = [hintId, errorId].filter((part) => part !== false).join(' ');
    const attributes = html`id="${id}" name="${name}" ${required && html`required`}
    ${about !== '' && html`aria-describedby="${about}"`} ${wrong.length > 0 && html`aria-invalid="true"`}`;
    const given = fields[name];
    const shown = typeof given === 'string' ? given : value === undefined ? undefined : String(value);
    return html`<div class="field">
      <label for="${id}">${label}</label>
      ${draw(attributes, shown)} ${hintId !== false && html`<p class="hint" id="${hintId}">${hint}</p>`}
      ${errorId !== false && html`<p class="error" id="${errorId}">${label} ${wrong.join(' and ')}.</p>`}
    </div>`;
  };
}

/** A moment, for people and programs. In UTC, for the server does not know where the visitor is. */
export function time(at: Date): Html {
  const words = `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
  return html`<time datetime="${at.toISOString()}" title="${words}">${words}</time>`;
}

/** Leads to the next page of a list, if there is one; what else the address says stays. */
export function nextLink<U extends User>(next: string | undefined, visit: Visit<U>, label = 'Older'): Content {
  if (next === undefined) return undefined;
  const kept = Object.entries(visit.query).flatMap(([name, value]): [string, string][] =>
    typeof value === 'string' && name !== 'after' ? [[name, value]] : [],
  );
  const query = new URLSearchParams([...kept, ['after', next]]);
  return html`<nav class="pages" aria-label="Pages">
    <a rel="next" href="${visit.path}?${query.toString()}">${label} →</a>
  </nav>`;
}

/** What `page({ after })` wants, of the address. */
export const afterOf = (visit: Visit): { readonly after?: string } =>
  typeof visit.query.after === 'string' && visit.query.after !== '' ? { after: visit.query.after } : {};
