import { AsyncLocalStorage } from 'node:async_hooks';
import type { Signals } from '../database/abort';
import type { Scope } from './scope';

/** Code that decides on what it reads, for a record that is being saved or destroyed: a validation or a callback. */
export interface Decision {
  /** The record's table. */
  readonly table: string;
  /** Whether it may be about to write what it reads, as callbacks are. */
  readonly mayWrite: boolean;
}

/** The transactions that the running code is in: at most one a session, the innermost scope of it. */
interface Frame {
  /** Undefined where only the signals are new. */
  readonly scope: Scope | undefined;
  /** What reads are made for; they are to stay true until the commit. */
  readonly decision: Decision | undefined;
  /** Those of the frames around it too. */
  readonly signals: Signals;
  readonly outer: Frame | undefined;
}

const NO_SIGNALS: Signals = [];

const frames = new AsyncLocalStorage<Frame | undefined>();

function frameOf(owner: object): Frame | undefined {
  let frame = frames.getStore();
  while (frame !== undefined && frame.scope?.transaction.owner !== owner) frame = frame.outer;
  return frame;
}

/** The innermost scope of `owner`'s transaction around the running code. It may be over already. */
export function currentScope(owner: object): Scope | undefined {
  return frameOf(owner)?.scope;
}

/** What the running code decides in `owner`'s transaction, if its reads are to be held. */
export function currentDecision(owner: object): Decision | undefined {
  return frameOf(owner)?.decision;
}

/** @param decision what the reads of `body` are held for; none for reads that are not */
export function runInScope<T>(scope: Scope, body: () => T, decision?: Decision): T {
  const outer = frames.getStore();
  return frames.run({ scope, decision, signals: outer?.signals ?? NO_SIGNALS, outer }, body);
}

/** Who may call off the running code, besides those whom its transaction knows. */
export function currentSignals(): Signals {
  return frames.getStore()?.signals ?? NO_SIGNALS;
}

export function runWithSignal<T>(signal: AbortSignal, body: () => T): T {
  const outer = frames.getStore();
  const signals = [...(outer?.signals ?? NO_SIGNALS), signal];
  return frames.run({ scope: undefined, decision: undefined, signals, outer }, body);
}

/** Runs `body` as if no transaction were around it. */
export function runOutside<T>(body: () => T): T {
  return frames.run(undefined, body);
}
