import type { Connection } from './connection';
import { AbortedError } from './errors';

/** Who may call off the running code: any of them. */
export type Signals = readonly AbortSignal[];

const watchers = new WeakMap<AbortSignal, Set<(reason: unknown) => void>>();

/**
 * Calls `call` when one is aborted. One listener a signal, however many watch it: Node warns of more than ten.
 *
 * @returns takes it off again
 */
export function onAbort(signals: Signals, call: (reason: unknown) => void): () => void {
  const taken = signals.map((signal) => watch(signal, call));
  return () => taken.forEach((takeOff) => takeOff());
}

function watch(signal: AbortSignal, call: (reason: unknown) => void): () => void {
  const known = watchers.get(signal);
  if (known) {
    known.add(call);
    return () => leave(signal, call);
  }
  const calls = new Set([call]);
  watchers.set(signal, calls);
  signal.addEventListener('abort', callAll);
  return () => leave(signal, call);
}

function callAll(this: AbortSignal): void {
  for (const call of watchers.get(this) ?? []) call(this.reason);
}

function leave(signal: AbortSignal, call: (reason: unknown) => void): void {
  const calls = watchers.get(signal);
  if (!calls?.delete(call) || calls.size > 0) return;
  watchers.delete(signal);
  signal.removeEventListener('abort', callAll);
}

/** The error for those that are aborted; undefined when none is. */
export function abortion(signals: Signals): AbortedError | undefined {
  const aborted = signals.find((signal) => signal.aborted);
  return aborted && new AbortedError(aborted.reason);
}

/** @throws AbortedError */
export function assertNotAborted(signals: Signals): void {
  const error = abortion(signals);
  if (error) throw error;
}

/** What `wait` gives, unless somebody aborts sooner; then nobody waits for it any longer. @throws AbortedError */
export async function unlessAborted<T>(signals: Signals, wait: Promise<T>): Promise<T> {
  if (signals.length === 0) return wait;
  let takeOff!: () => void;
  const aborted = new Promise<never>((_, reject) => {
    takeOff = onAbort(signals, (reason) => reject(new AbortedError(reason)));
  });
  try {
    return await Promise.race([wait, aborted]);
  } finally {
    takeOff();
  }
}

/** Runs `body`, and has the server cancel what the session has under way when somebody aborts. */
export async function cancelledOnAbort<T>(
  signals: Signals,
  connection: Connection,
  body: () => Promise<T>,
): Promise<T> {
  if (signals.length === 0) return body();
  assertNotAborted(signals);
  let cancelling: Promise<void> | undefined;
  const takeOff = onAbort(signals, () => (cancelling ??= connection.cancel()));
  try {
    return await body();
  } finally {
    takeOff();
    await cancelling; // until then it might hit what somebody else sends next
  }
}
