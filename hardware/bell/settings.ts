/** How a bell is struck. Angles in degrees 0–180, times in milliseconds. */
export interface BellSettings {
  /** In addresses, such as `/bells/desk/ring`. */
  readonly id: string;
  readonly pin: number;
  /** At rest. */
  readonly start: number;
  readonly strike: number;
  /** How long the servo stays at `strike`. */
  readonly sdelay: number;
  /** From the beginning of one command to the beginning of the next. At least `sdelay`. */
  readonly pdelay: number;
  /** How many rings may wait. */
  readonly queue: number;
  /** The ends of a sweep. */
  readonly sweepFrom: number;
  readonly sweepTo: number;
}

/** What callers are told while the board is lost: their rings wait for it, or are refused. */
export type LostPolicy = 'wait' | 'refuse';
