import type { Category } from '../../models/auction/category';
import type { Item } from '../../models/auction/item';
import type { Region } from '../../models/auction/region';
import type { User } from '../../models/auction/user';
import { nextLink, option, time } from '../web/forms';
import type { Page } from '../web/frame';
import { html } from '../web/html';
import type { Html } from '../web/html';
import type { Visit } from '../web/visit';
import { formatAmount } from './money';
import type { Browse } from './reading';

export interface BrowsePage {
  readonly items: readonly Item[];
  readonly next: string | undefined;
  readonly asked: Browse;
  readonly categories: readonly Category[];
  readonly regions: readonly Region[];
}

export function browsePage({ items, next, asked, categories, regions }: BrowsePage, visit: Visit<User>): Page {
  const body = html`<h1>What is on offer</h1>
    <form class="search row" method="get" action="/" role="search">
      <div class="field">
        <label for="words">Words</label>
        <input id="words" name="words" type="search" value="${asked.words}" maxlength="100" />
      </div>
      ${choose('category', 'Category', 'all categories', categories, asked.categoryId)}
      ${choose('region', 'Region', 'all regions', regions, asked.regionId)}
      <button type="submit">Search</button>
    </form>
    ${items.length === 0 ? html`<p class="quiet">Nothing is open that fits.</p>` : itemList(items)}
    ${nextLink(next, visit, 'Ending later')}`;
  return { title: 'Browse', body };
}

function choose(
  name: string,
  label: string,
  all: string,
  choices: readonly (Category | Region)[],
  chosen: bigint | undefined,
): Html {
  return html`<div class="field">
    <label for="${name}">${label}</label>
    <select id="${name}" name="${name}">
      ${option('', all, chosen ?? '')} ${choices.map(({ id, name: text }) => option(id, text, chosen))}
    </select>
  </div>`;
}

export function itemList(items: readonly Item[]): Html {
  return html`<ul class="items">
    ${items.map(
      (item) =>
        html`<li class="card">
          <h2><a href="/items/${item.id}">${item.name}</a></h2>
          <p>
            <strong>${formatAmount(item.highestAmount ?? item.startPrice)}</strong>
            <span class="quiet">${item.bidCount === 1 ? '1 bid' : `${item.bidCount} bids`}</span>
          </p>
          ${item.buyNowPrice !== null && html`<p class="quiet">or now for ${formatAmount(item.buyNowPrice)}</p>`}
          <p class="quiet">${item.status === 'open' ? html`ends ${time(item.endsAt)}` : item.status}</p>
        </li>`,
    )}
  </ul>`;
}
