/** A value, or in what it is wrong: the end of a sentence that begins with the option. */
export type Reading<T> = { readonly value: T } | { readonly wrong: string };

/** One option, wherever it is given. */
export interface Option<T> {
  readonly group: string;
  /** What stands for the value in the help; none for a switch. */
  readonly placeholder?: string;
  /** What it is, with its unit. */
  readonly help: string;
  /** The range, for the help. */
  readonly range?: string;
  readonly fallback: T;
  /** What the help says of the default. */
  readonly fallbackText?: string;
  /** Never shown. */
  readonly isSecret?: true;
  readonly read: (text: string) => Reading<T>;
}

type Said = Pick<Option<unknown>, 'group' | 'help'> & Partial<Pick<Option<unknown>, 'fallbackText' | 'isSecret'>>;

interface NumberRange {
  readonly from: number;
  readonly to: number;
  readonly unit?: string;
}

/** @typeParam F the type of the default, which is `undefined` where there is none */
export function wholeNumber<F extends number | undefined>(
  placeholder: string,
  said: Said & NumberRange & { readonly fallback: F },
): Option<number | F> {
  const { from, to, unit, fallback } = said;
  const range = `${from}–${to}${unit ? ` ${unit}` : ''}`;
  const wrong = `must be a whole number from ${from} to ${to}${unit ? ` (${unit})` : ''}`;
  const read = (text: string) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
    return value >= from && value <= to ? { value } : { wrong };
  };
  const fallbackText = said.fallbackText ?? (fallback === undefined ? 'none' : String(fallback));
  return { ...said, placeholder, range, fallbackText, read };
}

export function choice<const C extends string>(
  choices: readonly C[],
  said: Said & { readonly fallback: C },
): Option<C> {
  const read = (text: string) => {
    const value = choices.find((one) => one === text);
    return value === undefined ? { wrong: `must be one of ${choices.join(', ')}` } : { value };
  };
  const named = choices.join('|');
  return {
    ...said,
    placeholder: named.length > 24 ? 'word' : named,
    range: choices.join(', '),
    fallbackText: said.fallback,
    read,
  };
}

interface TextForm {
  readonly pattern?: RegExp;
  /** The end of a sentence that begins with the option. */
  readonly wrong?: string;
}

export function text<F extends string | undefined>(
  placeholder: string,
  said: Said & TextForm & { readonly fallback: F },
): Option<string | F> {
  const { pattern = /\S/, wrong = 'is empty', fallback } = said;
  const read = (given: string) => (pattern.test(given) ? { value: given } : { wrong });
  return { fallbackText: fallback ?? 'none', ...said, placeholder, read };
}

export function flag(said: Said): Option<boolean> {
  const read = (given: string) => {
    if (/^(true|yes|on|1)$/i.test(given)) return { value: true };
    return /^(false|no|off|0)$/i.test(given) ? { value: false } : { wrong: 'must be true or false' };
  };
  return { ...said, fallback: false, fallbackText: 'off', read };
}
