import { RecordNotFoundError } from 'bellwether';
import type { Bid } from '../../models/auction/bid';
import { Item } from '../../models/auction/item';
import type { Sale } from '../../models/auction/sale';
import type { User } from '../../models/auction/user';
import { readCount, readId, readText } from '../web/input';
import type { Fields } from '../web/input';
import { checkNewPassword, hashPassword } from '../web/passwords';
import { InvalidFieldsError } from '../web/refusals';
import { bid, cancelBid } from './bidding';
import { NotYoursError } from './errors';
import { parseAmount } from './money';
import { offer } from './offering';
import { addFunds, comment, register } from './people';
import { buyNow } from './selling';

// What can be asked of the auction from outside, once for the JSON API and the forms of the pages: reads the fields, and
// runs the operation.

const MOST_QUANTITY = 10_000;
const LONGEST_MS = 90 * 24 * 3_600_000;

/** An amount under the name of its field. */
function amountIn(fields: Fields, name: string): bigint {
  try {
    return parseAmount(fields[name]);
  } catch (error) {
    throw new InvalidFieldsError({ [name]: [messageOf(error)] });
  }
}
const optionalAmountIn = (fields: Fields, name: string): bigint | undefined =>
  fields[name] === undefined || fields[name] === '' ? undefined : amountIn(fields, name);

const messageOf = (error: unknown): string =>
  error instanceof Error
    ? error.message
        .split('\n')[0]!
        .replace(/^The amount /, '')
        .replace(/\.$/, '')
    : String(error);

export async function registerUser(fields: Fields): Promise<User> {
  const password = typeof fields.password === 'string' ? fields.password : '';
  checkNewPassword(password);
  return register({
    nickname: readText(fields.nickname, 'nickname'),
    email: readText(fields.email, 'e-mail address'),
    regionId: readId(fields.region, 'region'),
    passwordHash: await hashPassword(password),
  });
}

export const payIn = ({ id: userId }: User, fields: Fields) => addFunds({ userId, amount: amountIn(fields, 'amount') });

export function offerItem({ id: sellerId }: User, fields: Fields): Promise<Item> {
  const startPrice = amountIn(fields, 'startPrice');
  return offer({
    sellerId,
    categoryId: readId(fields.category, 'category'),
    name: readText(fields.name, 'name'),
    description: readText(fields.description, 'description'),
    startPrice,
    reservePrice: optionalAmountIn(fields, 'reservePrice'),
    bidStep: amountIn(fields, 'bidStep'),
    buyNowPrice: optionalAmountIn(fields, 'buyNowPrice'),
    quantity: readCount(fields.quantity, 'quantity', { most: MOST_QUANTITY, fallback: 1 }),
    endsAt: endIn(fields),
  });
}

/** A moment as `endsAt`, or how long from now on as `hours`, `minutes` and `seconds`. */
export function endIn(fields: Fields): Date {
  const endsAt = typeof fields.endsAt === 'string' && fields.endsAt !== '' ? new Date(fields.endsAt) : inTime(fields);
  const leftMs = endsAt.getTime() - Date.now();
  if (leftMs > 0 && leftMs <= LONGEST_MS) return endsAt;
  throw new InvalidFieldsError({ endsAt: ['must be a moment within the next 90 days'] });
}

function inTime({ hours, minutes, seconds }: Fields): Date {
  const [h, m, s] = [hours, minutes, seconds].map((value) => {
    return typeof value === 'string' && /^\d{1,4}$/.test(value) ? Number(value) : 0;
  });
  return new Date(Date.now() + ((h! * 60 + m!) * 60 + s!) * 1000);
}

export const placeBid = ({ id: bidderId }: User, itemId: bigint, fields: Fields): Promise<Bid> =>
  bid({ itemId, bidderId, amount: amountIn(fields, 'amount') });

export const takeBack = ({ id: bidderId }: User, bidId: bigint): Promise<Bid> => cancelBid({ bidId, bidderId });

export const buy = ({ id: buyerId }: User, itemId: bigint, fields: Fields): Promise<Sale> =>
  buyNow({
    itemId,
    buyerId,
    quantity: readCount(fields.quantity, 'quantity', { most: MOST_QUANTITY, fallback: 1 }),
  });

export const commentOn = ({ id: authorId }: User, saleId: bigint, fields: Fields) =>
  comment({
    saleId,
    authorId,
    rating: readCount(fields.rating, 'rating', { most: 5, fallback: 0 }),
    text: readText(fields.text, 'text'),
  });

/** An item to change. @throws NotYoursError, RecordNotFoundError */
export async function ownItem({ id }: User, itemId: bigint): Promise<Item> {
  const item = await Item.findBy({ id: itemId });
  if (!item) throw new RecordNotFoundError('Item', 'id');
  if (item.sellerId !== id) throw new NotYoursError('item');
  return item;
}
