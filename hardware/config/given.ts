import { OPTION_NAMES } from './options';
import type { OptionName } from './options';

/** A value as somebody wrote it. */
export interface Given {
  readonly name: OptionName;
  /** Undefined where the value is missing. */
  readonly text: string | undefined;
  /** For people: `command line`, `environment`, `~/.bellbotrc, line 3`. */
  readonly from: string;
}

/** What one source says, and what is wrong with how it says it. */
export interface Source {
  readonly given: readonly Given[];
  readonly mistakes: readonly string[];
}

/** A mistake about a name that there isn't, with the one that was perhaps meant. */
export function unknownName(shown: string, name: string, show: (name: string) => string): string {
  const [nearest, distance] = OPTION_NAMES.map(
    (known) => [known, editDistance(name.toLowerCase(), known)] as const,
  ).sort((a, b) => a[1] - b[1])[0]!; // there are options
  const isNear = distance <= Math.max(1, Math.floor(nearest.length / 3));
  return `${shown}: there is no such option.${isNear ? ` Did you mean ${show(nearest)}?` : ''}`;
}

/** Letters added, left out, replaced, or swapped with their neighbour (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let [before, row] = [[] as number[], Array.from({ length: b.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + Number(a[i - 1] !== b[j - 1]); // all rows are as long as b, and one more
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, replaced, isSwapped ? before[j - 2]! + 1 : Infinity));
    }
    [before, row] = [row, next];
  }
  return row[b.length]!;
}
