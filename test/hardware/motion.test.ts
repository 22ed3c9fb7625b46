import fc from 'fast-check';
import { motionOf, SWEEP_STEP_DEGREES, SWEEP_STEP_MS } from '../../hardware/bell/motion';
import { DESK } from './serving';

const angle = fc.integer({ min: 0, max: 180 });
const bells = fc
  .record({
    start: angle,
    strike: angle,
    sdelay: fc.integer({ min: 20, max: 10_000 }),
    rest: fc.nat(50_000),
    ends: fc.tuple(angle, angle),
  })
  .map(({ start, strike, sdelay, rest, ends }) => {
    const [sweepFrom, sweepTo] = ends.sort((a, b) => a - b);
    return { ...DESK, start, strike, sdelay, pdelay: sdelay + rest, sweepFrom, sweepTo };
  });

test('a strike goes to the bell, stays for sdelay, and goes back; the next may begin after pdelay', () => {
  expect(motionOf('ring', DESK)).toEqual({
    steps: [
      { atMs: 0, degrees: 90 },
      { atMs: 500, degrees: 75 },
    ],
    paceMs: 1000,
  });
});

test.each(['ring', 'sweep'] as const)(
  'a %s begins at once, ends at rest, and is over before the next may begin',
  (kind) => {
    fc.assert(
      fc.property(bells, (bell) => {
        const { steps, paceMs } = motionOf(kind, bell);
        expect(steps[0]?.atMs).toBe(0);
        expect(steps.at(-1)?.degrees).toBe(bell.start);
        expect(paceMs).toBeGreaterThanOrEqual(Math.max(bell.pdelay, steps.at(-1)!.atMs));
      }),
    );
  },
);

test('a sweep reaches both ends, stays within them and rest, and moves in small steps at an even pace', () => {
  let far = 0;
  fc.assert(
    fc.property(bells, (bell) => {
      const { steps } = motionOf('sweep', bell);
      const path = [bell.start, ...steps.map(({ degrees }) => degrees)];
      expect(path).toContain(bell.sweepFrom);
      expect(path).toContain(bell.sweepTo);
      expect(Math.min(...path)).toBe(Math.min(bell.start, bell.sweepFrom));
      expect(Math.max(...path)).toBe(Math.max(bell.start, bell.sweepTo));
      for (const [index, degrees] of path.slice(1).entries()) {
        expect(Math.abs(degrees - path[index]!)).toBeLessThanOrEqual(SWEEP_STEP_DEGREES);
      }
      expect(steps.map(({ atMs }) => atMs)).toEqual(steps.map((_, index) => index * SWEEP_STEP_MS));
      if (steps.length > 20) far++;
    }),
  );
  expect(far).toBeGreaterThan(50); // the generator draws long ways
});
