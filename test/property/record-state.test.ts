import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { RecordState, stateOfRow } from '../../framework/attributes/record-state';

const names = ['a', 'b', 'c'] as const;
const value = fc.oneof(
  fc.constantFrom<unknown>(null, 0, 1n, 'x', NaN),
  fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(2) }),
  fc.array(fc.constantFrom(1, 2), { maxLength: 2 }),
  fc.constantFrom(Buffer.from('x'), Buffer.from('y')),
);
type Step = { readonly kind: 'assign'; readonly name: string; readonly value: unknown } | { readonly kind: 'save' };
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({ kind: fc.constant('assign' as const), name: fc.constantFrom(...names), value }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'save' as const }) },
  ),
  { maxLength: 12 },
);

/** The definition: what is changed is what differs from the row as it was last read or saved. */
class Oracle {
  row: Record<string, unknown>;
  now: Record<string, unknown>;
  constructor(row: Record<string, unknown>) {
    this.row = { ...row };
    this.now = { ...row };
  }
  get changes() {
    const changed = names.filter((name) => !isDeepStrictEqual(this.row[name], this.now[name]));
    return Object.fromEntries(changed.map((name) => [name, { before: this.row[name], after: this.now[name] }]));
  }
}

test('a state knows the same values and changes as two plain objects compared', () => {
  const seen = { changed: 0, clean: 0 };
  fc.assert(
    fc.property(fc.record({ a: value, b: value, c: value }), steps, (row, script) => {
      const oracle = new Oracle(row);
      let state = stateOfRow(row, '1', '(0,1)');
      for (const step of script) {
        const [before, changes] = [state, state.changes];
        if (step.kind === 'assign') {
          oracle.now[step.name] = step.value;
          state = state.with(step.name, step.value);
        } else {
          oracle.row = { ...oracle.now };
          state = state.saved(stateOfRow({ ...oracle.now }, '2', '(0,2)'));
        }
        expect(before.changes).toEqual(changes); // what was is never altered
        for (const name of names) expect(state.get(name)).toEqual(oracle.now[name]);
        expect(state.changes).toEqual(oracle.changes);
        expect(state.isChanged).toBe(Object.keys(oracle.changes).length > 0);
        seen[state.isChanged ? 'changed' : 'clean']++;
      }
    }),
    { numRuns: 1000 },
  );
  expect(Math.min(seen.changed, seen.clean)).toBeGreaterThan(500); // the generator draws both kinds
});

test('a new state counts whatever is assigned as changed, also null', () => {
  const state = RecordState.fresh().with('a', null);
  expect([state.isChanged, state.changes]).toEqual([true, { a: { before: null, after: null } }]);
  expect(RecordState.fresh().isChanged).toBe(false);
});
