import type { Pulse } from './arduino-uno';

/** A time during which a servo was told one angle. */
export interface Hold {
  readonly degrees: number;
  /** Milliseconds since power-on, of the first pulse. */
  readonly from: number;
  /** Until the first pulse of the next hold; infinite for the last. */
  readonly ms: number;
}

/** Interrupts delay an edge by some microseconds. */
const JITTER_MICROSECONDS = 10;

/** What the pulses on a pin told its servo, which takes 600 µs as 0° and 2400 µs as 180°. */
export function holds(pulses: readonly Pulse[], pin: number): Hold[] {
  const changes = pulses
    .filter((pulse) => pulse.pin === pin)
    .filter(({ width }, index, all) => !(Math.abs(width - (all[index - 1]?.width ?? 0)) < 2 * JITTER_MICROSECONDS));
  return changes.map(({ width, at }, index) => ({
    degrees: Math.abs(Math.round((width - 600) / 10)), // no -0
    from: at / 1000,
    ms: (changes[index + 1]?.at ?? Infinity) / 1000 - at / 1000,
  }));
}

export const angles = (held: readonly Hold[]): number[] => held.map(({ degrees }) => degrees);
