import { DECIMALS } from '../../models/bank/currency';
import type { Currency } from '../../models/bank/currency';
import { InvalidAmountError } from './errors';

/** More than anybody pays at once, and far from where 64 bits end: a trillion of the major unit. */
const MOST_DIGITS = 12;

/**
 * The minor units of an amount as people write it: `12.34` EUR are 1234n, `12` JPY are 12n. Exact, since it never is
 * a floating-point number.
 *
 * @throws InvalidAmountError for anything but a positive number with no more decimals than the currency has
 */
export function parseAmount(text: unknown, currency: Currency): bigint {
  const decimals = DECIMALS[currency];
  const remedy = `Write it like ${decimals === 0 ? '12' : '12.34'}.`;
  if (typeof text !== 'string' || text.trim() === '') throw new InvalidAmountError('The amount is missing.', remedy);
  const found = /^(?<whole>\d+)(?:[.,](?<fraction>\d+))?$/.exec(text.trim());
  if (!found) throw new InvalidAmountError('The amount is not a positive number.', remedy);
  const { whole = '', fraction = '' } = found.groups ?? {};
  if (fraction.length > decimals) {
    const most = decimals === 0 ? 'no decimals' : `at most ${decimals} decimals`;
    throw new InvalidAmountError(`Amounts of ${currency} have ${most}.`, remedy);
  }
  if (whole.replace(/^0+/, '').length > MOST_DIGITS) {
    throw new InvalidAmountError('The amount is larger than this bank moves at once.', 'Ask for less.');
  }
  const amount = BigInt(whole + fraction.padEnd(decimals, '0'));
  if (amount === 0n) throw new InvalidAmountError('The amount is zero.', remedy);
  return amount;
}

/** As people read it: 123456n EUR are `1,234.56`. */
export function formatAmount(amount: bigint, currency: Currency): string {
  const decimals = DECIMALS[currency];
  const digits = (amount < 0n ? -amount : amount).toString().padStart(decimals + 1, '0');
  const cut = digits.length - decimals;
  const whole = digits.slice(0, cut).replace(/\B(?=(\d{3})+$)/g, ',');
  const sign = amount < 0n ? '−' : '';
  return decimals === 0 ? `${sign}${whole}` : `${sign}${whole}.${digits.slice(cut)}`;
}

/** For programs: `1234.56`, which {@link parseAmount} reads back. */
export function plainAmount(amount: bigint, currency: Currency): string {
  return formatAmount(amount, currency).replaceAll(',', '').replace('−', '-');
}
