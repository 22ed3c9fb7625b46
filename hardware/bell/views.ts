// What the server tells about the bells, as JSON: the contract with the page.

import type { Board, BoardStatus } from '../boards/board';
import type { Ring } from './ring';

export interface BellView {
  readonly id: string;
  readonly pin: number;
  readonly start: number;
  readonly strike: number;
  readonly sdelay: number;
  readonly pdelay: number;
  /** The angle commanded last. */
  readonly degrees: number;
  /** How many rings wait, and how many may. */
  readonly queued: number;
  readonly limit: number;
  readonly striking: boolean;
  /** By the light sensor, in the dark. */
  readonly muted: boolean;
}

/** `GET /bells`; event `bells`. */
export interface BellsView {
  readonly board: { readonly kind: Board['kind']; readonly where: string; readonly status: BoardStatus };
  readonly bells: readonly BellView[];
}

/** Event `servo`. */
export interface ServoView {
  readonly bell: string;
  readonly degrees: number;
}

/** `GET /log`, newest first. Event `ring` is one of them. */
export interface LogView {
  readonly rings: readonly Ring[];
}

/** `GET /statistics`: the last 24 hours, oldest first, those without rings too. */
export interface StatisticsView {
  readonly hours: readonly HourView[];
}

export interface HourView {
  /** Its beginning, ISO 8601, UTC. */
  readonly hour: string;
  readonly rung: number;
  readonly failed: number;
  /** 429 and 503: never accepted. Counted since the server started. */
  readonly refused: number;
}
