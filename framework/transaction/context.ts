import type { Signals } from '../database/abort';
import type { Scope } from './scope';
import type { Surroundings } from './surroundings';
import { runWith, surroundings } from './surroundings';

/** Code that decides on what it reads, for a record that is being saved or destroyed: a validation or a callback. */
export interface Decision {
  /** The record's table. */
  readonly table: string;
  /** Whether it may be about to write what it reads, as callbacks are. */
  readonly mayWrite: boolean;
}

declare module './surroundings' {
  interface Surroundings {
    /** The innermost scope of a transaction; those of other databases are further out. */
    readonly scope?: Scope | undefined;
    /** What reads are made for; they are to stay true until the commit. */
    readonly decision?: Decision | undefined;
    /** Who may call it off. */
    readonly signals?: Signals;
    readonly outer?: Surroundings | undefined;
  }
}

const NO_SIGNALS: Signals = [];

function around(owner: object): Surroundings | undefined {
  let found: Surroundings | undefined = surroundings();
  while (found !== undefined && found.scope?.transaction.owner !== owner) found = found.outer;
  return found;
}

/** The innermost scope of `owner`'s transaction around the running code. It may be over already. */
export function currentScope(owner: object): Scope | undefined {
  return around(owner)?.scope;
}

/** What the running code decides in `owner`'s transaction, if its reads are to be held. */
export function currentDecision(owner: object): Decision | undefined {
  return around(owner)?.decision;
}

/** @param decision what the reads of `body` are held for; none for reads that are not */
export function runInScope<T>(scope: Scope, body: () => T, decision?: Decision): T {
  return runWith({ scope, decision, outer: surroundings() }, body);
}

/** Who may call off the running code, besides those whom its transaction knows. */
export function currentSignals(): Signals {
  return surroundings().signals ?? NO_SIGNALS;
}

export function runWithSignal<T>(signal: AbortSignal, body: () => T): T {
  return runWith({ signals: [...currentSignals(), signal] }, body);
}

/** Runs `body` as if no transaction were around it. */
export function runOutside<T>(body: () => T): T {
  return runWith({ scope: undefined, decision: undefined, signals: NO_SIGNALS, outer: undefined }, body);
}
