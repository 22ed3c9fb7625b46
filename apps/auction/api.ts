import { IsInt, IsISO8601, IsNumberString, IsOptional, IsString, Matches, Max, MaxLength, Min } from 'class-validator';
import { Bid } from '../../models/auction/bid';
import { Category } from '../../models/auction/category';
import { Comment } from '../../models/auction/comment';
import { Item } from '../../models/auction/item';
import { Region } from '../../models/auction/region';
import type { User } from '../../models/auction/user';
import { Wallet } from '../../models/auction/wallet';
import { Api, listOf, pageOf } from '../web/api';
import { readId } from '../web/input';
import { cancelItem, moveEnd } from './offering';
import { browse, itemPage, userPage } from './reading';
import * as requests from './requests';
import * as views from './views';

const AMOUNT = /^\d{1,9}([.,]\d{1,2})?$/;
const IsAmount = () => Matches(AMOUNT, { message: 'must be an amount, written like 12.34' });

class Paging {
  @IsOptional() @IsString() declare after?: string;
}
class Browsing extends Paging {
  @IsOptional() @IsNumberString() declare category?: string;
  @IsOptional() @IsNumberString() declare region?: string;
  @IsOptional() @IsString() @MaxLength(100) declare words?: string;
}
class FundsBody {
  @IsAmount() declare amount: string;
}
class BidBody {
  @IsAmount() declare amount: string;
}
class PurchaseBody {
  @IsOptional() @IsInt() @Min(1) @Max(10_000) declare quantity?: number;
}
class EndBody {
  @IsISO8601() declare endsAt: string;
}
class CommentBody {
  @IsInt() @Min(1) @Max(5) declare rating: number;
  @IsString() @MaxLength(1000) declare text: string;
}
class ItemEdit {
  @IsString() @MaxLength(100) declare name: string;
  @IsString() @MaxLength(4000) declare description: string;
  @IsNumberString() declare category: string;
}
class ItemBody extends ItemEdit {
  @IsAmount() declare startPrice: string;
  @IsAmount() declare bidStep: string;
  @IsOptional() @IsAmount() declare reservePrice?: string;
  @IsOptional() @IsAmount() declare buyNowPrice?: string;
  @IsOptional() @IsInt() @Min(1) @Max(10_000) declare quantity?: number;
  @IsISO8601() declare endsAt: string;
}
const SIGNED_IN = 'signed in';
const ONCE = 'read committed';
const fieldsOf = (body: object) => ({ ...body }) as Readonly<Record<string, unknown>>;
const idIn = (text: string | undefined, name: string) => (text === undefined ? undefined : readId(text, name));

export const API = new Api<User>({
  title: 'Auction',
  version: '1.0.0',
  description: 'An auction after RUBiS. Amounts are decimal text in EUR, such as "12.34"; keys are text.',
});

addBrowsing(API);
addBidding(API);
addSelling(API);
addPeople(API);

function addBrowsing(api: Api<User>): void {
  api
    .add({
      method: 'get',
      path: '/categories',
      summary: 'All categories',
      answer: { schema: listOf(views.NamedView) },
      handle: async () => (await Category.order('name')).map(views.named),
    })
    .add({
      method: 'get',
      path: '/regions',
      summary: 'All regions',
      answer: { schema: listOf(views.NamedView) },
      handle: async () => (await Region.order('name')).map(views.named),
    })
    .add({
      method: 'get',
      path: '/items',
      summary: 'What is open, that which ends soonest first',
      query: Browsing,
      answer: { schema: pageOf(views.ItemView) },
      handle: async ({ query: { category, region, words, after } }) => {
        const asked = { categoryId: idIn(category, 'category'), regionId: idIn(region, 'region'), words, after };
        const { records, next } = await browse(asked);
        return { items: records.map(views.item), next: next ?? null };
      },
    })
    .add({
      method: 'get',
      path: '/items/{id}',
      summary: 'An item',
      answer: { schema: views.ItemView },
      handle: async (call) => {
        const item = await Item.find(call.id());
        call.tag(item);
        return views.item(item);
      },
    })
    .add({
      method: 'get',
      path: '/items/{id}/bids',
      summary: 'The latest bids on an item, newest first',
      answer: { schema: listOf(views.BidView) },
      handle: async (call) => (await itemPage(call.id())).bids.map(views.bid),
    })
    .add({
      method: 'get',
      path: '/items/{id}/sales',
      summary: 'The sales of an item, and what became of their rings',
      answer: { schema: listOf(views.RungSaleView) },
      handle: async (call) => (await itemPage(call.id())).sales.map(views.rungSale),
    });
}

function addBidding(api: Api<User>): void {
  api
    .add({
      method: 'post',
      path: '/items/{id}/bids',
      summary: 'Bid on an item',
      who: SIGNED_IN,
      body: BidBody,
      answer: { status: 201, schema: views.BidView },
      refusals: { 409: 'The wallet does not cover it.', 422: 'Too low, over, or on an item of one’s own.' },
      idempotent: ONCE,
      handle: async (call) => views.bid(await requests.placeBid(call.user, call.id(), fieldsOf(call.body))),
    })
    .add({
      method: 'delete',
      path: '/bids/{id}',
      summary: 'Cancel a bid of one’s own, while the auction runs',
      who: SIGNED_IN,
      answer: { schema: views.BidView },
      handle: async (call) => views.bid(await requests.takeBack(call.user, call.id())),
    })
    .add({
      method: 'post',
      path: '/items/{id}/purchases',
      summary: 'Buy units now',
      who: SIGNED_IN,
      body: PurchaseBody,
      answer: { status: 201, schema: views.SaleView },
      refusals: { 409: 'Out of stock, over, not for buying now, or not covered by the wallet.' },
      idempotent: ONCE,
      handle: async (call) => views.sale(await requests.buy(call.user, call.id(), fieldsOf(call.body))),
    });
}

function addSelling(api: Api<User>): void {
  api
    .add({
      method: 'post',
      path: '/items',
      summary: 'Offer an item',
      who: SIGNED_IN,
      body: ItemBody,
      answer: { status: 201, schema: views.ItemView },
      idempotent: ONCE,
      handle: async ({ user, body }) => views.item(await requests.offerItem(user, fieldsOf(body))),
    })
    .add({
      method: 'put',
      path: '/items/{id}',
      summary: 'Change what is said of an item of one’s own',
      who: SIGNED_IN,
      body: ItemEdit,
      ifMatch: true,
      answer: { schema: views.ItemView },
      handle: async (call) => {
        const item = await requests.ownItem(call.user, call.id());
        call.assertIfMatch(item);
        const { name, description, category } = call.body;
        await item.update({ name, description, category: readId(category, 'category') }, { onConflict: 'fail' });
        call.tag(item);
        return views.item(item);
      },
    })
    .add({
      method: 'put',
      path: '/items/{id}/end',
      summary: 'Have the auction of an item of one’s own end later',
      who: SIGNED_IN,
      body: EndBody,
      answer: { schema: views.ItemView },
      handle: async (call) => {
        const endsAt = requests.endIn(fieldsOf(call.body));
        return views.item(await moveEnd({ itemId: call.id(), sellerId: call.user.id, endsAt }));
      },
    })
    .add({
      method: 'delete',
      path: '/items/{id}',
      summary: 'Cancel the auction of an item of one’s own',
      who: SIGNED_IN,
      answer: { schema: views.ItemView },
      handle: async (call) => views.item(await cancelItem({ itemId: call.id(), sellerId: call.user.id })),
    });
}

function addPeople(api: Api<User>): void {
  api
    .add({
      method: 'get',
      path: '/me/wallet',
      summary: 'The own wallet',
      who: SIGNED_IN,
      answer: { schema: views.WalletView },
      handle: async ({ user }) => views.wallet(await Wallet.where({ userId: user.id }).firstOrFail()),
    })
    .add({
      method: 'get',
      path: '/me/bids',
      summary: 'The own bids, newest first',
      who: SIGNED_IN,
      query: Paging,
      answer: { schema: pageOf(views.BidView) },
      handle: async ({ user, query: { after } }) => {
        const bids = Bid.where({ bidderId: user.id }).order('id', 'desc');
        const { records, next } = await bids.page({ size: 50, ...(after !== undefined && { after }) });
        return { items: records.map(views.bid), next: next ?? null };
      },
    })
    .add({
      method: 'post',
      path: '/me/deposits',
      summary: 'Add funds',
      who: SIGNED_IN,
      body: FundsBody,
      answer: { status: 201, schema: views.WalletView },
      idempotent: ONCE,
      handle: async ({ user, body }) => {
        await requests.payIn(user, fieldsOf(body));
        return views.wallet(await Wallet.where({ userId: user.id }).firstOrFail());
      },
    })
    .add({
      method: 'post',
      path: '/sales/{id}/comments',
      summary: 'Comment on the other side of a sale, and rate it; once',
      who: SIGNED_IN,
      body: CommentBody,
      answer: { status: 201, schema: views.CommentView },
      idempotent: ONCE,
      handle: async (call) => views.comment(await requests.commentOn(call.user, call.id(), fieldsOf(call.body))),
    })
    .add({
      method: 'get',
      path: '/users/{id}',
      summary: 'Somebody, as others see them',
      answer: { schema: views.UserView },
      handle: async (call) => {
        const { user } = await userPage(call.id());
        const { id, nickname, ratingSum, ratingCount } = user;
        return { id: String(id), nickname, ratingSum, ratingCount };
      },
    })
    .add({
      method: 'get',
      path: '/users/{id}/comments',
      summary: 'What others say of somebody, newest first',
      query: Paging,
      answer: { schema: pageOf(views.CommentView) },
      handle: async (call) => {
        const { after } = call.query;
        const comments = Comment.where({ subjectId: call.id() }).order('id', 'desc');
        const { records, next } = await comments.page({ size: 50, ...(after !== undefined && { after }) });
        return { items: records.map(views.comment), next: next ?? null };
      },
    });
}
