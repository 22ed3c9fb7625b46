import { readFileSync } from 'node:fs';
import type { BellSettings } from '../bell/settings';
import { BELL_OPTIONS } from './options';
import type { Option } from './values';

const MOST_BELLS = 32;
const ID = /^[a-z0-9][a-z0-9-]{0,39}$/;

type BellOptionName = keyof typeof BELL_OPTIONS;
type OpenToChoice = 'sweep-from' | 'sweep-to';
export type BellOptions = { readonly [N in Exclude<BellOptionName, OpenToChoice>]: number } & {
  readonly [N in OpenToChoice]: number | undefined;
};

export interface BellsFile {
  readonly bells: readonly BellSettings[];
  readonly mistakes: readonly string[];
}

export function bellOf(id: string, options: BellOptions): BellSettings {
  const { pin, start, strike, sdelay, pdelay, queue } = options;
  const [low, high] = clearOfBell(start, strike);
  const { 'sweep-from': sweepFrom = low, 'sweep-to': sweepTo = high } = options;
  return { id, pin, start, strike, sdelay, pdelay, queue, sweepFrom, sweepTo };
}

/** The range on the far side of rest; where there is none, half of the way to the bell. */
function clearOfBell(start: number, strike: number): readonly [low: number, high: number] {
  const halfWay = Math.trunc((start + strike) / 2);
  if (strike > start) return start > 0 ? [0, start] : [0, halfWay];
  return start < 180 ? [start, 180] : [halfWay, 180];
}

/** @param others what holds for a bell that does not say it */
export function readBellsFile(path: string, others: BellOptions): BellsFile {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return { bells: [], mistakes: [`${path}: ${code ? `cannot be read (${code})` : 'is not JSON'}.`] };
  }
  const list = Array.isArray(content) ? content : (content as { bells?: unknown } | null)?.bells;
  if (!Array.isArray(list) || list.length === 0 || list.length > MOST_BELLS) {
    return {
      bells: [],
      mistakes: [`${path}: must be a list of 1 to ${MOST_BELLS} bells, such as [{"id": "desk", "pin": 8}].`],
    };
  }
  const mistakes: string[] = [];
  const bells = list.map((entry: unknown, index) => {
    const bell = readBell(entry, others);
    mistakes.push(...bell.mistakes.map((mistake) => `${path}, bell ${index + 1}: ${mistake}`));
    return bell.settings;
  });
  return { bells, mistakes };
}

function readBell(
  entry: unknown,
  others: BellOptions,
): { readonly settings: BellSettings; readonly mistakes: string[] } {
  const mistakes: string[] = [];
  const options: { -readonly [N in BellOptionName]: BellOptions[N] } = { ...others };
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    return { settings: bellOf('', options), mistakes: ['is not an object such as {"id": "desk", "pin": 8}.'] };
  }
  const { id, ...said } = entry as Readonly<Record<string, unknown>>;
  if (typeof id !== 'string' || !ID.test(id))
    mistakes.push('id must be of small letters, digits and dashes, such as "desk".');
  if (said.pin === undefined) mistakes.push('pin is missing.');
  for (const [name, value] of Object.entries(said)) {
    if (!isBellOption(name)) {
      mistakes.push(
        `${name}: there is no such setting of a bell. There are: id, ${Object.keys(BELL_OPTIONS).join(', ')}.`,
      );
      continue;
    }
    const option: Option<number | undefined> = BELL_OPTIONS[name];
    const reading = typeof value === 'number' ? option.read(String(value)) : { wrong: 'must be a number' };
    if ('value' in reading && reading.value !== undefined) options[name] = reading.value;
    else if ('wrong' in reading) mistakes.push(`${name}=${JSON.stringify(value)}: ${reading.wrong}.`);
  }
  return { settings: bellOf(typeof id === 'string' ? id : '', options), mistakes };
}

const isBellOption = (name: string): name is BellOptionName => Object.hasOwn(BELL_OPTIONS, name);
