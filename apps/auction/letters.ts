import type { Item } from '../../models/auction/item';
import { Mail } from '../../models/auction/mail';
import type { Sale } from '../../models/auction/sale';
import { formatAmount } from './money';

// What the auction writes to its users, in the transaction of what it writes about.

export async function tellOfSale(
  { name }: Item,
  { id, kind, quantity, price, buyerId, sellerId }: Sale,
): Promise<void> {
  const what = quantity === 1 ? name : `${quantity} × ${name}`;
  const paid = formatAmount(price);
  const occasion = `sale ${id}`;
  const how = kind === 'auction' ? 'won the auction' : 'bought it';
  await Promise.all([
    Mail.create({
      user: buyerId,
      occasion,
      subject: `Yours: ${what}`,
      text: `You ${how}: ${what}, for ${paid}. Your wallet has paid; the seller will be in touch.`,
    }),
    Mail.create({
      user: sellerId,
      occasion,
      subject: `Sold: ${what}`,
      text: `You sold ${what} for ${paid}. The money is in your wallet.`,
    }),
  ]);
}

export async function tellOfNoSale({ id, name, sellerId, leaderId, bidCount }: Item): Promise<void> {
  const occasion = `end of item ${id}`;
  const why = bidCount === 0 ? 'Nobody bid on it.' : 'No bid met the reserve price.';
  await Promise.all([
    Mail.create({
      user: sellerId,
      occasion,
      subject: `Not sold: ${name}`,
      text: `The auction of ${name} is over. ${why}`,
    }),
    leaderId !== null &&
      Mail.create({
        user: leaderId,
        occasion,
        subject: `Over: ${name}`,
        text: `The auction of ${name} is over. Your bid was the highest, and did not meet the reserve price; it is released.`,
      }),
  ]);
}

/** To whoever led when the seller took the item back. */
export async function tellOfCancelling({ id, name, leaderId }: Item): Promise<void> {
  if (leaderId === null) return;
  await Mail.create({
    user: leaderId,
    occasion: `cancelling of item ${id}`,
    subject: `Cancelled: ${name}`,
    text: `The seller has cancelled the auction of ${name}. Your bid is released.`,
  });
}

/** To those who watch it. */
export async function remindOf({ id, name, endsAt }: Item, userIds: readonly bigint[]): Promise<void> {
  const occasion = `end of item ${id} at ${endsAt.toISOString()}`;
  const [subject, text] = [`Ending soon: ${name}`, `The auction of ${name} ends at ${endsAt.toUTCString()}.`];
  await Promise.all(userIds.map((user) => Mail.create({ user, occasion, subject, text })));
}
