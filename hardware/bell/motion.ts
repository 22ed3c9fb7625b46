import type { RingKind } from './ring';
import type { BellSettings } from './settings';

/** An angle that is commanded at a time after the beginning of the motion. */
export interface Step {
  readonly atMs: number;
  readonly degrees: number;
}

/** What a servo does for one command. It begins at rest, and its last step goes back to rest. */
export interface Motion {
  readonly steps: readonly Step[];
  /** From the beginning of this command to the earliest beginning of the next. */
  readonly paceMs: number;
}

/** A servo hears its angle every 20 ms. Back at rest for less than two such frames, two strikes would be one. */
export const REST_MS = 40;
export const SWEEP_STEP_DEGREES = 5;
/** A small servo turns 60° in 120 ms; and a frame of its signal takes 20 ms. */
export const SWEEP_STEP_MS = 25;

export function motionOf(kind: RingKind, bell: BellSettings): Motion {
  return kind === 'ring' ? strike(bell) : sweep(bell);
}

function strike({ start, strike: degrees, sdelay, pdelay }: BellSettings): Motion {
  const steps = [
    { atMs: 0, degrees },
    { atMs: sdelay, degrees: start },
  ];
  return { steps, paceMs: Math.max(pdelay, sdelay + REST_MS) };
}

/** From rest to one end of the range, to the other, and back to rest, in small steps. */
function sweep({ start, sweepFrom, sweepTo, pdelay }: BellSettings): Motion {
  const angles = [...between(start, sweepFrom), ...between(sweepFrom, sweepTo), ...between(sweepTo, start)];
  const path = angles.length === 0 ? [start] : angles;
  const steps = path.map((degrees, index) => ({ atMs: index * SWEEP_STEP_MS, degrees }));
  return { steps, paceMs: Math.max(pdelay, steps.length * SWEEP_STEP_MS) };
}

/** The angles after `from`, up to `to` itself. */
function between(from: number, to: number): number[] {
  const count = Math.ceil(Math.abs(to - from) / SWEEP_STEP_DEGREES);
  const step = Math.sign(to - from) * SWEEP_STEP_DEGREES;
  return Array.from({ length: count }, (_, index) => (index === count - 1 ? to : from + (index + 1) * step));
}
