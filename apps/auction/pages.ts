import { Category } from '../../models/auction/category';
import { Region } from '../../models/auction/region';
import type { User } from '../../models/auction/user';
import { Watch } from '../../models/auction/watch';
import { afterOf } from '../web/forms';
import type { Refusal } from '../web/forms';
import { readId, readText } from '../web/input';
import type { Pages } from '../web/pages';
import type { Visit } from '../web/visit';
import { browsePage } from './browse-page';
import { itemPageOf, standing } from './item-page';
import { formatAmount } from './money';
import { cancelItem, moveEnd } from './offering';
import { unwatch, watch } from './people';
import { mePage, registerPage, userPageOf } from './people-pages';
import { aboutMe, browse, categoriesAndRegions, itemPage, userPage } from './reading';
import * as requests from './requests';
import { editPage, sellPage } from './sell-page';

type AuctionPages = Pages<User>;
type AuctionVisit = Visit<User>;

const SIGNED_IN = { who: 'signed in' } as const;

/** The pages without scripts: forms that post, and answers that lead back. */
export function addPages(pages: AuctionPages): void {
  addBrowsing(pages);
  addItem(pages);
  addSelling(pages);
  addPeople(pages);
}

const idIn = (value: unknown, name: string): bigint | undefined =>
  value === undefined || value === '' ? undefined : readId(value, name);

function addBrowsing(pages: AuctionPages): void {
  pages.get('/', async (visit) => {
    const { category, region, words } = visit.query;
    const asked = {
      categoryId: idIn(category, 'category'),
      regionId: idIn(region, 'region'),
      words: readText(words, 'words').slice(0, 100),
    };
    const [{ records: items, next }, choices] = await Promise.all([
      browse({ ...asked, ...afterOf(visit) }),
      categoriesAndRegions(),
    ]);
    return browsePage({ items, next, asked, ...choices }, visit);
  });
  pages.get('/users/:id', async (visit) => userPageOf(await userPage(visit.id())));
}

function addItem(pages: AuctionPages): void {
  const show = async (visit: AuctionVisit, refusal?: Refusal) => {
    const itemId = visit.id();
    const isWatched = visit.user ? Watch.where({ itemId, userId: visit.user.id }).exists() : false;
    return itemPageOf(await itemPage(itemId), visit, await isWatched, refusal);
  };
  const here = (visit: AuctionVisit) => `/items/${visit.id()}`;
  /** Something that is done on the item's page, which then is shown again. */
  const deed = (path: string, form: string, run: (visit: AuctionVisit) => Promise<string>) =>
    pages.form(`/items/:id/${path}`, {
      ...SIGNED_IN,
      form,
      again: show,
      run: async (visit) => {
        visit.notice(await run(visit));
        return here(visit);
      },
    });
  pages.get('/items/:id', (visit) => show(visit));
  pages.fragment('/items/:id/live', async (visit) => standing(await itemPage(visit.id()), visit));
  deed('bids', 'bid', async (visit) => {
    const { amount } = await requests.placeBid(visit.me, visit.id(), visit.fields);
    return `Your bid of ${formatAmount(amount)} leads.`;
  });
  deed('purchases', 'buy', async (visit) => {
    const { price } = await requests.buy(visit.me, visit.id(), visit.fields);
    return `Bought for ${formatAmount(price)}; your wallet has paid.`;
  });
  deed('watch', 'watch', async (visit) => {
    await watch({ itemId: visit.id(), userId: visit.me.id });
    return 'You will be reminded before the end.';
  });
  deed('unwatch', 'watch', async (visit) => {
    await unwatch({ itemId: visit.id(), userId: visit.me.id });
    return 'You will not be reminded.';
  });
  deed('end', 'end', async (visit) => {
    await moveEnd({ itemId: visit.id(), sellerId: visit.me.id, endsAt: requests.endIn(visit.fields) });
    return 'The auction ends later.';
  });
  deed('cancel', 'cancel', async (visit) => {
    await cancelItem({ itemId: visit.id(), sellerId: visit.me.id });
    return 'The auction is cancelled.';
  });
  pages.form('/bids/:id/cancel', {
    ...SIGNED_IN,
    run: async (visit) => {
      const { itemId } = await requests.takeBack(visit.me, visit.id());
      visit.notice('Your bid is cancelled.');
      return `/items/${itemId}`;
    },
  });
}

function addSelling(pages: AuctionPages): void {
  const categories = () => Category.order('name').toArray();
  pages.get('/sell', async (visit) => sellPage(await categories(), visit), SIGNED_IN);
  pages.form('/items', {
    ...SIGNED_IN,
    again: async (visit, refusal) => sellPage(await categories(), visit, refusal),
    run: async (visit) => {
      const { id } = await requests.offerItem(visit.me, visit.fields);
      visit.notice('It is on offer.');
      return `/items/${id}`;
    },
  });
  const edit = async (visit: AuctionVisit, refusal?: Refusal) =>
    editPage(await requests.ownItem(visit.me, visit.id()), await categories(), visit, refusal);
  pages.get('/items/:id/edit', (visit) => edit(visit), SIGNED_IN);
  pages.form('/items/:id', {
    ...SIGNED_IN,
    again: edit,
    run: async (visit) => {
      const item = await requests.ownItem(visit.me, visit.id());
      const { name, description, category } = visit.fields;
      // Bids of the same moment change the same row; the two are merged, attribute by attribute.
      await item.update({
        name: readText(name, 'name'),
        description: readText(description, 'description'),
        category: readId(category, 'category'),
      });
      visit.notice('Saved.');
      return `/items/${item.id}`;
    },
  });
}

function addPeople(pages: AuctionPages): void {
  const regions = () => Region.order('name').toArray();
  pages.get('/register', async (visit) => registerPage(await regions(), visit));
  pages.form('/register', {
    again: async (visit, refusal) => registerPage(await regions(), visit, refusal),
    run: async (visit) => {
      await visit.signIn(await requests.registerUser(visit.fields));
      visit.notice('Welcome. Add funds to your wallet, and bid.');
      return '/me';
    },
  });
  const me = async (visit: AuctionVisit, refusal?: Refusal) => mePage(await aboutMe(visit.me.id), visit, refusal);
  pages.get('/me', (visit) => me(visit), SIGNED_IN);
  pages.form('/me/funds', {
    ...SIGNED_IN,
    again: me,
    run: async (visit) => {
      const { amount } = await requests.payIn(visit.me, visit.fields);
      visit.notice(`${formatAmount(amount)} added.`);
      return '/me';
    },
  });
  pages.form('/sales/:id/comments', {
    ...SIGNED_IN,
    again: me,
    run: async (visit) => {
      const { subjectId } = await requests.commentOn(visit.me, visit.id(), visit.fields);
      visit.notice('Said.');
      return `/users/${subjectId}`;
    },
  });
}
