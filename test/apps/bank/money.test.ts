import { formatAmount, parseAmount, plainAmount } from '../../../apps/bank/money';
import type { Currency } from '../../../models/bank/currency';

const READ: readonly [text: string, currency: Currency, amount: bigint][] = [
  ['12.34', 'EUR', 1234n],
  ['12,34', 'EUR', 1234n],
  [' 12 ', 'EUR', 1200n],
  ['0.1', 'USD', 10n],
  ['0.29', 'GBP', 29n], // 0.29 * 100 is 28.999999999999996
  ['000000000000012.00', 'EUR', 1200n],
  ['999999999999.99', 'EUR', 99_999_999_999_999n],
  ['12', 'JPY', 12n],
];
test.each(READ)('%s %s is %s minor units', (text, currency, amount) => {
  expect(parseAmount(text, currency)).toBe(amount);
  expect(parseAmount(plainAmount(amount, currency), currency)).toBe(amount);
});

const REFUSED: readonly [text: unknown, currency: Currency, reason: string][] = [
  ['', 'EUR', 'missing'],
  [undefined, 'EUR', 'missing'],
  [12, 'EUR', 'missing'],
  ['1e3', 'EUR', 'not a positive number'],
  ['+1', 'EUR', 'not a positive number'],
  ['1.', 'EUR', 'not a positive number'],
  ['.5', 'EUR', 'not a positive number'],
  ['1,000.00', 'EUR', 'not a positive number'],
  ['٣', 'EUR', 'not a positive number'],
  ['0', 'EUR', 'zero'],
  ['1.5', 'JPY', 'no decimals'],
  ['1000000000000', 'EUR', 'larger than'],
];
test.each(REFUSED)('%p %s is refused', (text, currency, reason) => {
  expect(() => parseAmount(text, currency)).toThrow(reason);
});

test.each([
  [0n, 'EUR', '0.00'],
  [-5n, 'EUR', '−0.05'],
  [123_456_789n, 'USD', '1,234,567.89'],
  [1_234n, 'JPY', '1,234'],
] as const)('%s of %s is shown as %s', (amount, currency, text) => {
  expect(formatAmount(amount, currency)).toBe(text);
});
