import type { Region } from '../../models/auction/region';
import type { User } from '../../models/auction/user';
import { form, passwordField, selectField, textArea, textField, time } from '../web/forms';
import type { Refusal } from '../web/forms';
import type { Page } from '../web/frame';
import { html } from '../web/html';
import type { Content, Html } from '../web/html';
import type { Visit } from '../web/visit';
import { itemList } from './browse-page';
import { cancelButton } from './item-page';
import { formatAmount } from './money';
import type { AboutMe, UserPage } from './reading';

export function registerPage(regions: readonly Region[], visit: Visit<User>, refusal?: Refusal): Page {
  const body = html`<div class="narrow">
    <h1>Register</h1>
    ${form({ visit, action: '/register', refusal, submit: 'Register' }, [
      textField({ name: 'nickname', label: 'Nickname', required: true, maxLength: 30, autocomplete: 'nickname' }),
      textField({ name: 'email', label: 'E-mail', type: 'email', required: true, autocomplete: 'email' }),
      selectField({
        name: 'region',
        label: 'Region',
        options: regions.map(({ id, name }) => ({ value: id, label: name })),
      }),
      passwordField({
        name: 'password',
        label: 'Password',
        required: true,
        autocomplete: 'new-password',
        hint: 'At least 10 characters.',
      }),
    ])}
  </div>`;
  return { title: 'Register', body };
}

export function mePage(all: AboutMe, visit: Visit<User>, refusal?: Refusal): Page {
  const { wallet, leading, bids, offers, bought, sold, watches, mails } = all;
  const body = html`<h1>About me</h1>
    <div class="columns">
      <section class="card" aria-labelledby="wallet">
        <h2 id="wallet">Wallet</h2>
        <dl class="facts">
          <div>
            <dt>Available</dt>
            <dd class="available">${formatAmount(wallet.available)}</dd>
          </div>
          <div>
            <dt>Reserved</dt>
            <dd class="reserved">${formatAmount(wallet.reserved)}</dd>
          </div>
          <div>
            <dt>In all</dt>
            <dd>${formatAmount(wallet.balance)}</dd>
          </div>
        </dl>
      </section>
      ${form({ visit, action: '/me/funds', refusal, submit: 'Add', title: 'Add funds' }, [
        textField({
          name: 'amount',
          label: 'Amount in EUR',
          required: true,
          inputMode: 'decimal',
          hint: 'It is not real money.',
        }),
      ])}
    </div>
    ${part('Where I lead', leading.length > 0 && itemList(leading))}
    ${part(
      'My bids',
      listOf(bids, (bid) => [
        html`<a href="/items/${bid.itemId}">${bid.item.value.name}</a>: ${formatAmount(bid.amount)}, ${bid.status}`,
        bid.status === 'placed' && bid.item.value.status === 'open' && cancelButton(bid, visit),
      ]),
    )}
    ${part('What I offer', offers.length > 0 && itemList(offers))}
    ${part(
      'Bought',
      listOf(bought, (sale) => [saleLine(sale, sale.seller.value), commentForm(sale, visit, refusal)]),
    )}
    ${part(
      'Sold',
      listOf(sold, (sale) => [saleLine(sale, sale.buyer.value), commentForm(sale, visit, refusal)]),
    )}
    ${part(
      'Watched',
      listOf(watches, ({ item }) => html`<a href="/items/${item.value.id}">${item.value.name}</a>`),
    )}
    ${part(
      'Letters',
      listOf(mails, ({ subject, text, createdAt, sentAt }) => [
        html`<strong>${subject}</strong> <span class="quiet">${time(createdAt)}${sentAt !== null && ', mailed'}</span>`,
        html`<p>${text}</p>`,
      ]),
    )}`;
  return { title: 'About me', body };
}

function part(title: string, content: Content): Content {
  return content
    ? html`<section>
        <h2>${title}</h2>
        ${content}
      </section>`
    : undefined;
}

function listOf<T>(list: readonly T[], line: (one: T) => Content): Content {
  return (
    list.length > 0 &&
    html`<ul class="list">
      ${list.map((one) => html`<li>${line(one)}</li>`)}
    </ul>`
  );
}

type MySale = AboutMe['bought'][number] | AboutMe['sold'][number];

function saleLine({ item, quantity, price, createdAt }: MySale, other: User): Html {
  return html`<p>
    <a href="/items/${item.value.id}">${item.value.name}</a>${quantity > 1 && ` × ${quantity}`} for
    ${formatAmount(price)}, with <a href="/users/${other.id}">${other.nickname}</a>, ${time(createdAt)}
  </p>`;
}

const RATINGS = [5, 4, 3, 2, 1].map((value) => ({ value, label: stars(value) }));

function commentForm({ id, comments }: MySale, visit: Visit<User>, refusal?: Refusal): Content {
  if (comments.value.some(({ authorId }) => authorId === visit.me.id)) return undefined;
  return html`<details ${refusal?.form === `comment-${id}` && html`open`}>
    <summary>Comment</summary>
    ${form({ visit, action: `/sales/${id}/comments`, name: `comment-${id}`, refusal, submit: 'Say so' }, [
      selectField({ name: 'rating', label: 'Rating', options: RATINGS }),
      textArea({ name: 'text', label: 'Comment', required: true, maxLength: 1000 }),
    ])}
  </details>`;
}

export function userPageOf({ user, comments, offers }: UserPage): Page {
  const { nickname, ratingSum, ratingCount, region, createdAt, offeredCount } = user;
  const average =
    ratingCount === 0 ? 'no ratings' : `${(ratingSum / ratingCount).toFixed(1)} of 5, ${ratingCount} times`;
  const body = html`<h1>${nickname}</h1>
    <dl class="facts">
      <div>
        <dt>Region</dt>
        <dd>${region.value.name}</dd>
      </div>
      <div>
        <dt>Rated</dt>
        <dd>${average}</dd>
      </div>
      <div>
        <dt>Offered so far</dt>
        <dd>${offeredCount}</dd>
      </div>
      <div>
        <dt>Here since</dt>
        <dd>${time(createdAt)}</dd>
      </div>
    </dl>
    ${part('On offer', offers.length > 0 && itemList(offers))}
    ${part(
      'What others say',
      listOf(comments, ({ author, rating, text, createdAt: at }) => [
        html`<span role="img" aria-label="${rating} of 5">${stars(rating)}</span>
          <a href="/users/${author.value.id}">${author.value.nickname}</a> <span class="quiet">${time(at)}</span>`,
        html`<p>${text}</p>`,
      ]),
    )}`;
  return { title: nickname, body };
}

function stars(rating: number): string {
  return '★'.repeat(rating) + '☆'.repeat(5 - rating);
}
