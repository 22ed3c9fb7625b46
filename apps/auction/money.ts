import { InvalidAmountError } from './errors';

/** The one currency of the auction, and how many decimals its major unit has. */
export const CURRENCY = 'EUR';
const DECIMALS = 2;
/** A billion of the major unit: far from where 64 bits end, also as the sum of all wallets. */
const MOST_DIGITS = 9;

/**
 * The minor units of an amount as people write it: `12.34` is 1234n. Exact, since it never is a floating-point number.
 *
 * @throws InvalidAmountError for anything but a positive number with no more decimals than the currency has
 */
export function parseAmount(text: unknown): bigint {
  const remedy = 'Write it like 12.34.';
  if (typeof text !== 'string' || text.trim() === '') throw new InvalidAmountError('The amount is missing.', remedy);
  const found = /^(?<whole>\d+)(?:[.,](?<fraction>\d{1,2}))?$/.exec(text.trim());
  if (!found) throw new InvalidAmountError('The amount is not a positive number with at most two decimals.', remedy);
  const { whole = '', fraction = '' } = found.groups ?? {};
  if (whole.replace(/^0+/, '').length > MOST_DIGITS) {
    throw new InvalidAmountError('The amount is larger than this auction takes.', 'Ask for less.');
  }
  const amount = BigInt(whole + fraction.padEnd(DECIMALS, '0'));
  if (amount === 0n) throw new InvalidAmountError('The amount is zero.', remedy);
  return amount;
}

/** For programs, and for fields of forms: `1234.56`. */
export function plainAmount(amount: bigint): string {
  const digits = (amount < 0n ? -amount : amount).toString().padStart(DECIMALS + 1, '0');
  return `${amount < 0n ? '-' : ''}${digits.slice(0, -DECIMALS)}.${digits.slice(-DECIMALS)}`;
}

/** As people read it: `1,234.56 EUR`. */
export function formatAmount(amount: bigint): string {
  const [whole, fraction] = plainAmount(amount).split('.');
  return `${whole!.replace(/\B(?=(\d{3})+$)/g, ',')}.${fraction} ${CURRENCY}`;
}
