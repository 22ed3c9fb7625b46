import type { Values } from './record-state';
import { isSame } from './record-state';

/** An attribute that two changed from the same value to different ones. */
export interface AttributeConflict {
  readonly base: unknown;
  readonly mine: unknown;
  readonly theirs: unknown;
}

export interface Merge {
  /** Every attribute that is no conflict. */
  readonly merged: Values;
  readonly conflicts: Readonly<Record<string, AttributeConflict>>;
}

/**
 * Merges two changed copies of the same values, attribute by attribute: what only one changed is that one's, what
 * both changed alike is that, and what both changed differently is a conflict. Whose is `mine` does not matter but
 * for the names in the conflicts.
 *
 * @param mine may be the changed values alone; so may `theirs`
 * @see Diff3: Khanna, Kunal, Pierce, "A Formal Investigation of Diff3", FSTTCS 2007
 */
export function mergeAttributes(base: Values, mine: Values, theirs: Values): Merge {
  const merged: Record<string, unknown> = {};
  const conflicts: Record<string, AttributeConflict> = {};
  const valueIn = (side: Values, name: string) => (name in side ? side[name] : base[name]);
  for (const name of Object.keys({ ...base, ...mine, ...theirs })) {
    const sides = { base: base[name], mine: valueIn(mine, name), theirs: valueIn(theirs, name) };
    if (isSame(sides.mine, sides.theirs) || isSame(sides.theirs, sides.base)) merged[name] = sides.mine;
    else if (isSame(sides.mine, sides.base)) merged[name] = sides.theirs;
    else conflicts[name] = sides;
  }
  return { merged, conflicts };
}
