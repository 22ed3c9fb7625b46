import type { Bid } from '../../models/auction/bid';
import type { Item } from '../../models/auction/item';
import type { User } from '../../models/auction/user';
import { actionButton, form, hidden, numberField, textField, time } from '../web/forms';
import type { Refusal } from '../web/forms';
import type { Page } from '../web/frame';
import { html } from '../web/html';
import type { Content, Html } from '../web/html';
import type { Visit } from '../web/visit';
import { formatAmount, plainAmount } from './money';
import type { ItemPage } from './reading';
import { RINGS_TOPIC } from './topics';

export function itemPageOf(page: ItemPage, visit: Visit<User>, isWatched: boolean, refusal?: Refusal): Page {
  const { item } = page;
  const seller = item.seller.value;
  const body = html`<article class="item">
    <header>
      <h1>${item.name}</h1>
      <p class="quiet">
        offered by <a href="/users/${seller.id}">${seller.nickname}</a> in
        <a href="/?region=${item.regionId}">${item.region.value.name}</a> ·
        <a href="/?category=${item.categoryId}">${item.category.value.name}</a>
      </p>
    </header>
    <div class="columns">
      <div>
        ${item.description !== '' && html`<p class="description">${item.description}</p>`}
        <section
          aria-label="How it stands"
          aria-live="polite"
          data-live="${topicsOf(page)}"
          data-src="/items/${item.id}/live"
        >
          ${standing(page, visit)}
        </section>
      </div>
      <div class="cards">${actions(page, visit, isWatched, refusal)}</div>
    </div>
  </article>`;
  return { title: item.name, body };
}

const topicsOf = ({ item }: ItemPage): string => `item:${item.id} ${RINGS_TOPIC}`;

/** What changes while one looks: the highest bid, the history, and what becomes of the sale and its ring. */
export function standing({ item, bids, sales }: ItemPage, visit: Visit<User>): Html {
  const isMine = (id: bigint | null) => id !== null && id === visit.user?.id;
  return html`<dl class="facts">
      <div>
        <dt>${item.highestAmount === null ? 'Start price' : 'Highest bid'}</dt>
        <dd class="highest">${formatAmount(item.highestAmount ?? item.startPrice)}</dd>
      </div>
      <div>
        <dt>Bids</dt>
        <dd class="bid-count">${item.bidCount}</dd>
      </div>
      <div>
        <dt>${item.status === 'open' ? 'Ends' : 'Ended'}</dt>
        <dd>${time(item.closedAt ?? item.endsAt)}</dd>
      </div>
      <div>
        <dt>State</dt>
        <dd>${state(item)}</dd>
      </div>
      ${
        item.quantity > 1 &&
        html`<div>
          <dt>Left</dt>
          <dd class="stock">${item.stock} of ${item.quantity}</dd>
        </div>`
      }
    </dl>
    ${isMine(item.leaderId) && item.status === 'open' && html`<p class="stamp good">Your bid is the highest.</p>`}
    ${
      sales.length > 0 &&
      html`<h2>Sales</h2>
        <ul class="list sales">
          ${sales.map(
            ({ buyer, price, quantity, kind, ring, createdAt }) =>
              html`<li>
                <strong>${formatAmount(price)}</strong> ${quantity > 1 && html`for ${quantity}`} to
                <a href="/users/${buyer.value.id}">${buyer.value.nickname}</a>,
                ${kind === 'auction' ? 'by auction' : 'bought now'}, ${time(createdAt)} ${bell(ring.value)}
              </li>`,
          )}
        </ul>`
    }
    <h2>Bids</h2>
    ${bids.length === 0 ? html`<p class="quiet">None so far.</p>` : history(bids)}`;
}

const STATES = { open: 'busy', closed: '', cancelled: 'bad' } as const;
const state = ({ status }: Item): Html => html`<span class="stamp ${STATES[status]} status">${status}</span>`;

const RING_WORDS = {
  pending: 'the bell is to ring',
  rung: 'the bell has rung',
  failed: 'the bell did not ring',
} as const;
const RING_STYLES = { pending: 'busy', rung: 'good', failed: 'bad' } as const;

function bell(ring: ItemPage['sales'][number]['ring']['value']): Content {
  if (!ring) return undefined;
  const { status, problem } = ring;
  return html`<span class="stamp ring ${RING_STYLES[status]}" data-ring="${status}">${RING_WORDS[status]}</span>
    ${problem !== null && html`<small class="quiet">${problem}</small>`}`;
}

function history(bids: ItemPage['bids']): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Bids, newest first">
    <table>
      <thead>
        <tr>
          <th>Bidder</th>
          <th class="amount">Amount</th>
          <th>When</th>
          <th>State</th>
        </tr>
      </thead>
      <tbody>
        ${bids.map(
          (bid) =>
            html`<tr>
              <td><a href="/users/${bid.bidderId}">${bid.bidder.value.nickname}</a></td>
              <td class="amount">${formatAmount(bid.amount)}</td>
              <td class="when">${time(bid.placedAt)}</td>
              <td>${bid.status}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function actions({ item, bids }: ItemPage, visit: Visit<User>, isWatched: boolean, refusal?: Refusal): Content {
  const { user } = visit;
  if (!user) return html`<p class="card"><a href="/sign-in?next=/items/${item.id}">Sign in</a> to bid or to buy.</p>`;
  if (item.status !== 'open') return undefined;
  if (user.id === item.sellerId) return sellersActions(item, visit, refusal);
  const mine = bids.find(({ bidderId, status }) => bidderId === user.id && status === 'placed');
  return [
    form({ visit, action: `/items/${item.id}/bids`, name: 'bid', refusal, submit: 'Bid', title: 'Bid' }, [
      textField({
        name: 'amount',
        label: 'Amount in EUR',
        required: true,
        value: plainAmount(item.leastBid),
        inputMode: 'decimal',
        hint: `Each bid is at least ${formatAmount(item.bidStep)} higher. It is reserved in your wallet while it leads.`,
      }),
    ]),
    item.buyNowPrice !== null &&
      form(
        { visit, action: `/items/${item.id}/purchases`, name: 'buy', refusal, submit: 'Buy now', title: 'Buy now' },
        [
          html`<p>${formatAmount(item.buyNowPrice)} ${item.quantity > 1 && 'each'}</p>`,
          item.quantity > 1
            ? numberField({ name: 'quantity', label: 'How many', value: 1, min: 1, max: item.stock })
            : hidden({ name: 'quantity', value: 1 }),
        ],
      ),
    html`<p class="row">
      ${
        isWatched
          ? actionButton({ visit, action: `/items/${item.id}/unwatch`, label: 'Stop watching', style: 'plain' })
          : actionButton({ visit, action: `/items/${item.id}/watch`, label: 'Watch', style: 'plain' })
      }
      ${mine && cancelButton(mine, visit)}
    </p>`,
  ];
}

export const cancelButton = (bid: Bid, visit: Visit<User>): Html =>
  actionButton({
    visit,
    action: `/bids/${bid.id}/cancel`,
    label: 'Cancel my bid',
    style: 'danger small',
    describedAs: `Cancel my bid of ${formatAmount(bid.amount)}`,
  });

function sellersActions(item: Item, visit: Visit<User>, refusal?: Refusal): Content {
  return [
    html`<p class="card">This is your own offer. <a href="/items/${item.id}/edit">Edit it</a>.</p>`,
    form({ visit, action: `/items/${item.id}/end`, name: 'end', refusal, submit: 'Extend', title: 'End later' }, [
      numberField({ name: 'hours', label: 'Hours from now', value: 24, min: 1, max: 2000 }),
    ]),
    actionButton({ visit, action: `/items/${item.id}/cancel`, label: 'Cancel the auction', style: 'danger' }),
  ];
}
