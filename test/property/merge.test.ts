import fc from 'fast-check';
import { mergeAttributes } from '../../framework/attributes/merge';

type Values = Record<string, unknown>;

const NAMES = ['owner', 'email', 'tags', 'settings', 'closedAt'];
/** Few values, so that two editors often choose the same one; objects equal by what they hold. */
const value = fc.oneof(
  fc.constantFrom<unknown>(null, 0, 1n, 'a', 'b'),
  fc.constantFrom(['x'], ['x', 'y']).map((list) => [...list]),
  fc.constantFrom(1, 2).map((theme) => ({ theme })),
  fc.constantFrom(0, 1).map((ms) => new Date(ms)),
);
const base = fc.record(Object.fromEntries(NAMES.map((name) => [name, value])));
const edit: fc.Arbitrary<Values> = fc.dictionary(fc.constantFrom(...NAMES), value, { noNullPrototype: true });

/** The oracle: compares by what is written, and decides by counting who differs from the base. */
const text = (item: unknown) => (typeof item === 'bigint' ? `${item}n` : JSON.stringify(item));
function oracle(from: Values, edits: readonly Values[]): { merged: Values; conflicts: string[] } {
  const merged: Values = {};
  const conflicts: string[] = [];
  for (const name of NAMES) {
    const wanted = edits.filter((one) => name in one && text(one[name]) !== text(from[name])).map((one) => one[name]);
    if (new Set(wanted.map(text)).size > 1) conflicts.push(name);
    else merged[name] = wanted.length > 0 ? wanted[0] : from[name];
  }
  return { merged, conflicts };
}

/** Editors that all started from the same values, one after another; one who cannot be merged is refused whole. */
function inTurn(from: Values, edits: readonly Values[]): { merged: Values; refused: boolean } {
  let refused = false;
  const merged = edits.reduce((row: Values, mine) => {
    const result = mergeAttributes(from, mine, row);
    if (Object.keys(result.conflicts).length === 0) return result.merged;
    refused = true;
    return row;
  }, from);
  return { merged, refused };
}

test('a merge is what the oracle says, and the same from either side', () => {
  const outcomes = new Set<string>();
  fc.assert(
    fc.property(base, edit, edit, (from, one, other) => {
      const expected = oracle(from, [one, other]);
      outcomes.add(expected.conflicts.length > 0 ? 'conflict' : 'merge');
      const [here, there] = [mergeAttributes(from, one, other), mergeAttributes(from, other, one)];
      for (const result of [here, there]) {
        expect(result.merged).toEqual(expected.merged);
        expect(Object.keys(result.conflicts).sort()).toEqual([...expected.conflicts].sort());
      }
      for (const [name, { mine, theirs, base: was }] of Object.entries(here.conflicts)) {
        expect([was, mine, theirs]).toEqual([from[name], one[name], other[name]]);
        expect(there.conflicts[name]).toEqual({ base: was, mine: theirs, theirs: mine });
      }
    }),
    { numRuns: 2_000 },
  );
  expect([...outcomes].sort()).toEqual(['conflict', 'merge']);
});

test('editors of one record: in any order the same record, or in every order a refusal', () => {
  const outcomes = new Set<boolean>();
  const shuffled = fc
    .array(edit, { minLength: 2, maxLength: 5 })
    .chain((edits) => fc.tuple(fc.constant(edits), fc.shuffledSubarray(edits, { minLength: edits.length })));
  fc.assert(
    fc.property(base, shuffled, (from, [edits, others]) => {
      const [one, other] = [inTurn(from, edits), inTurn(from, others)];
      const { conflicts, merged } = oracle(from, edits);
      outcomes.add(conflicts.length > 0);
      expect([one.refused, other.refused]).toEqual([conflicts.length > 0, conflicts.length > 0]);
      if (conflicts.length > 0) return;
      expect(one.merged).toEqual(merged);
      expect(other.merged).toEqual(merged);
    }),
    { numRuns: 2_000 },
  );
  expect(outcomes.size).toBe(2);
});

test('nobody changed anything, or one did: nothing is a conflict', () => {
  fc.assert(
    fc.property(base, edit, (from, mine) => {
      expect(mergeAttributes(from, {}, {})).toEqual({ merged: from, conflicts: {} });
      expect(mergeAttributes(from, mine, from)).toEqual({ merged: { ...from, ...mine }, conflicts: {} });
      expect(mergeAttributes(from, mine, mine)).toEqual({ merged: { ...from, ...mine }, conflicts: {} });
    }),
  );
});
