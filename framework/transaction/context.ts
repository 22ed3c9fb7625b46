import { AsyncLocalStorage } from 'node:async_hooks';
import type { Signals } from '../database/abort';
import type { ConsistencySession } from './consistency-session';
import type { Scope } from './scope';
import type { Session } from './session';

/** Code that decides on what it reads, for a record that is being saved or destroyed: a validation or a callback. */
export interface Decision {
  /** The record's table. */
  readonly table: string;
  /** Whether it may be about to write what it reads, as callbacks are. */
  readonly mayWrite: boolean;
}

/** What surrounds the running code. One for all, since each storage is carried along with each promise by itself. */
interface Surroundings {
  /** The database that model calls go to; undefined for the default. */
  readonly session: Session | undefined;
  /** The innermost scope of a transaction; those of other databases are further out. */
  readonly scope: Scope | undefined;
  /** What reads are made for; they are to stay true until the commit. */
  readonly decision: Decision | undefined;
  /** Who may call it off. */
  readonly signals: Signals;
  readonly outer: Surroundings | undefined;
  readonly consistency: ReadonlyMap<object, ConsistencySession> | undefined;
  readonly watch: LoneWorkWatch | undefined;
}

/** Hears whether a database is used outside of any transaction around it. */
export interface LoneWorkWatch {
  isUsed: boolean;
}

const NOTHING: Surroundings = {
  session: undefined,
  scope: undefined,
  decision: undefined,
  signals: [],
  outer: undefined,
  consistency: undefined,
  watch: undefined,
};

const storage = new AsyncLocalStorage<Surroundings>();

/** What surrounds the running code. */
export function surroundings(): Surroundings {
  return storage.getStore() ?? NOTHING;
}

/** Runs `body`, and all that it starts, with something about its surroundings changed. */
export function runWith<T>(change: Partial<Surroundings>, body: () => T): T {
  return storage.run({ ...surroundings(), ...change }, body);
}

function around(owner: object): Surroundings | undefined {
  let found = storage.getStore();
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
  return surroundings().signals;
}

export function runWithSignal<T>(signal: AbortSignal, body: () => T): T {
  return runWith({ signals: [...currentSignals(), signal] }, body);
}

/** Runs `body` as if no transaction were around it. */
export function runOutside<T>(body: () => T): T {
  const { scope, decision, signals, outer } = NOTHING;
  return runWith({ scope, decision, signals, outer }, body);
}
