import type { BellwetherError, ConnectOptions, Database } from 'bellwether';
import type { Finding } from '../web/findings';

/** Numbers that are the same in every run with the same seed. */
export interface Random {
  /** From 0 up to, but not including, 1. */
  (): number;
  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T;
  /** A whole number from 0 up to, but not including, `below`. */
  whole(below: number): number;
}

/** Something that a client does, time and again. */
export interface Action<Stage> {
  readonly name: string;
  /** How often, compared with the others. */
  readonly weight: number;
  readonly run: (stage: Stage, random: Random) => Promise<unknown>;
}

/** What clients do to an application all at once, and how to tell whether its rules held. */
export interface Mix<Stage = unknown> {
  readonly open: (options: ConnectOptions) => Promise<Database>;
  /** What the actions act on, as plain JSON: it is handed to every process. */
  readonly prepare: () => Promise<Stage>;
  readonly actions: readonly Action<Stage>[];
  /** Whether a rule has refused, as it should. Default: what is to be fixed in the input. */
  readonly isRefusal?: (error: BellwetherError) => boolean;
  /** Every rule, in SQL. */
  readonly audit: (db: Database, stage: Stage) => Promise<readonly Finding[]>;
  /** Takes away what was made for the run. */
  readonly tidy?: (stage: Stage) => Promise<unknown>;
}

/** What `npm run seed` calls. */
export interface SeedOptions {
  readonly users: number;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Checks the actions against the stage; for the runner, a stage is whatever it is. */
export function loadMix<Stage>(mix: Mix<Stage>): Mix {
  return mix as unknown as Mix;
}

/** Mulberry32: small, and good enough to choose what to do next. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const whole = (below: number) => Math.floor(next() * below);
  return Object.assign(next, { whole, pick: <T>(list: readonly T[]): T => list[whole(list.length)]! });
}
