/** The currencies in which accounts are kept. */
export const CURRENCIES = ['EUR', 'USD', 'GBP', 'JPY'] as const;
export type Currency = (typeof CURRENCIES)[number];

/** How many decimals the major unit of a currency has (ISO 4217): 12.34 EUR are 1234 minor units, 12 JPY are 12. */
export const DECIMALS: Readonly<Record<Currency, number>> = { EUR: 2, USD: 2, GBP: 2, JPY: 0 };
