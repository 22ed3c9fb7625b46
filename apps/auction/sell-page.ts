import type { Category } from '../../models/auction/category';
import type { Item } from '../../models/auction/item';
import type { User } from '../../models/auction/user';
import { form, numberField, selectField, textArea, textField } from '../web/forms';
import type { Refusal } from '../web/forms';
import type { Page } from '../web/frame';
import { html } from '../web/html';
import type { Visit } from '../web/visit';

const choices = (categories: readonly Category[]) => categories.map(({ id, name }) => ({ value: id, label: name }));
const money = (name: string, label: string, more: { readonly required?: boolean; readonly hint?: string } = {}) =>
  textField({ name, label: `${label} in EUR`, inputMode: 'decimal', ...more });

export function sellPage(categories: readonly Category[], visit: Visit<User>, refusal?: Refusal): Page {
  const body = html`<div class="narrow">
    <h1>Sell</h1>
    ${form({ visit, action: '/items', refusal, submit: 'Offer it' }, [
      textField({ name: 'name', label: 'What it is', required: true, maxLength: 100 }),
      textArea({ name: 'description', label: 'Description', maxLength: 4000, rows: 5 }),
      selectField({ name: 'category', label: 'Category', options: choices(categories) }),
      money('startPrice', 'Start price', { required: true }),
      money('bidStep', 'Increment', { required: true, hint: 'By how much each bid is higher than the one before.' }),
      money('reservePrice', 'Reserve price', { hint: 'It is not sold by auction for less. Nobody sees it.' }),
      money('buyNowPrice', 'Buy-now price', { hint: 'For each piece, to whoever takes it at once. May be left out.' }),
      numberField({ name: 'quantity', label: 'How many', value: 1, min: 1, max: 10_000 }),
      html`<p class="hint">The auction ends in</p>`,
      numberField({ name: 'hours', label: 'Hours', value: 24, min: 0, max: 2000 }),
      numberField({ name: 'minutes', label: 'Minutes', value: 0, min: 0, max: 59 }),
      numberField({ name: 'seconds', label: 'Seconds', value: 0, min: 0, max: 59 }),
    ])}
  </div>`;
  return { title: 'Sell', body };
}

export function editPage(item: Item, categories: readonly Category[], visit: Visit<User>, refusal?: Refusal): Page {
  const body = html`<div class="narrow">
    <h1>Edit</h1>
    ${form({ visit, action: `/items/${item.id}`, refusal, submit: 'Save' }, [
      textField({ name: 'name', label: 'What it is', required: true, maxLength: 100, value: item.name }),
      textArea({ name: 'description', label: 'Description', maxLength: 4000, rows: 8, value: item.description }),
      selectField({ name: 'category', label: 'Category', value: item.categoryId, options: choices(categories) }),
    ])}
    <p><a href="/items/${item.id}">← Back to the item</a></p>
  </div>`;
  return { title: `Edit ${item.name}`, body };
}
