import { IsIn, IsInt, IsISO8601, IsOptional, IsString } from 'class-validator';
import type { Bid } from '../../models/auction/bid';
import { BID_STATUSES } from '../../models/auction/bid-status';
import type { BidStatus } from '../../models/auction/bid-status';
import type { Comment } from '../../models/auction/comment';
import { ITEM_STATUSES } from '../../models/auction/item';
import type { Item, ItemStatus } from '../../models/auction/item';
import { RING_STATUSES } from '../../models/auction/ring';
import type { RingStatus } from '../../models/auction/ring';
import { SALE_KINDS } from '../../models/auction/sale';
import type { Sale, SaleKind } from '../../models/auction/sale';
import type { Wallet } from '../../models/auction/wallet';
import { plainAmount } from './money';
import type { ItemPage } from './reading';

// What the JSON API answers with: keys are text, amounts decimal text in the major unit, such as "12.34".

export class ItemView {
  @IsString() declare id: string;
  @IsString() declare sellerId: string;
  @IsString() declare categoryId: string;
  @IsString() declare regionId: string;
  @IsString() declare name: string;
  @IsString() declare description: string;
  @IsIn(ITEM_STATUSES) declare status: ItemStatus;
  @IsISO8601() declare endsAt: string;
  @IsString() declare startPrice: string;
  @IsString() declare bidStep: string;
  @IsOptional() @IsString() declare buyNowPrice: string | null;
  @IsInt() declare quantity: number;
  @IsInt() declare stock: number;
  @IsInt() declare bidCount: number;
  @IsOptional() @IsString() declare highestBidId: string | null;
  @IsOptional() @IsString() declare highestAmount: string | null;
  /** The least that the next bid must be. */
  @IsString() declare leastBid: string;
}

export class BidView {
  @IsString() declare id: string;
  @IsString() declare itemId: string;
  @IsString() declare bidderId: string;
  @IsString() declare amount: string;
  @IsIn(BID_STATUSES) declare status: BidStatus;
  @IsISO8601() declare placedAt: string;
}

export class SaleView {
  @IsString() declare id: string;
  @IsString() declare itemId: string;
  @IsString() declare sellerId: string;
  @IsString() declare buyerId: string;
  @IsIn(SALE_KINDS) declare kind: SaleKind;
  @IsInt() declare quantity: number;
  @IsString() declare price: string;
}

export class RungSaleView extends SaleView {
  @IsOptional() @IsIn(RING_STATUSES) declare ring: RingStatus | null;
}

export class CommentView {
  @IsString() declare id: string;
  @IsString() declare saleId: string;
  @IsString() declare authorId: string;
  @IsString() declare subjectId: string;
  @IsInt() declare rating: number;
  @IsString() declare text: string;
}

export class WalletView {
  @IsString() declare balance: string;
  @IsString() declare reserved: string;
  @IsString() declare available: string;
}

export class NamedView {
  @IsString() declare id: string;
  @IsString() declare name: string;
}

export class UserView {
  @IsString() declare id: string;
  @IsString() declare nickname: string;
  @IsInt() declare ratingSum: number;
  @IsInt() declare ratingCount: number;
}

const keyOrNull = (key: bigint | null) => (key === null ? null : String(key));
const amountOrNull = (amount: bigint | null) => (amount === null ? null : plainAmount(amount));

export const item = (one: Item): ItemView => ({
  id: String(one.id),
  sellerId: String(one.sellerId),
  categoryId: String(one.categoryId),
  regionId: String(one.regionId),
  name: one.name,
  description: one.description,
  status: one.status,
  endsAt: one.endsAt.toISOString(),
  startPrice: plainAmount(one.startPrice),
  bidStep: plainAmount(one.bidStep),
  buyNowPrice: amountOrNull(one.buyNowPrice),
  quantity: one.quantity,
  stock: one.stock,
  bidCount: one.bidCount,
  highestBidId: keyOrNull(one.highestBidId),
  highestAmount: amountOrNull(one.highestAmount),
  leastBid: plainAmount(one.leastBid),
});

export const bid = ({ id, itemId, bidderId, amount, status, placedAt }: Bid): BidView => ({
  id: String(id),
  itemId: String(itemId),
  bidderId: String(bidderId),
  amount: plainAmount(amount),
  status,
  placedAt: placedAt.toISOString(),
});

export const sale = ({ id, itemId, sellerId, buyerId, kind, quantity, price }: Sale): SaleView => ({
  id: String(id),
  itemId: String(itemId),
  sellerId: String(sellerId),
  buyerId: String(buyerId),
  kind,
  quantity,
  price: plainAmount(price),
});

export const rungSale = (one: ItemPage['sales'][number]): RungSaleView => ({
  ...sale(one),
  ring: one.ring.value?.status ?? null,
});

export const comment = ({ id, saleId, authorId, subjectId, rating, text }: Comment): CommentView => ({
  id: String(id),
  saleId: String(saleId),
  authorId: String(authorId),
  subjectId: String(subjectId),
  rating,
  text,
});

export const wallet = ({ balance, reserved, available }: Wallet): WalletView => ({
  balance: plainAmount(balance),
  reserved: plainAmount(reserved),
  available: plainAmount(available),
});

export const named = ({ id, name }: { readonly id: bigint; readonly name: string }): NamedView => ({
  id: String(id),
  name,
});
