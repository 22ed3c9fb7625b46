import { AsyncLocalStorage } from 'node:async_hooks';
import type { Scope } from './scope';

/** The transactions that the running code is in: at most one a session, the innermost scope of it. */
interface Frame {
  readonly scope: Scope;
  readonly outer: Frame | undefined;
}

const frames = new AsyncLocalStorage<Frame | undefined>();

/** The innermost scope of `owner`'s transaction around the running code. It may be over already. */
export function currentScope(owner: object): Scope | undefined {
  let frame = frames.getStore();
  while (frame !== undefined && frame.scope.transaction.owner !== owner) frame = frame.outer;
  return frame?.scope;
}

export function runInScope<T>(scope: Scope, body: () => T): T {
  return frames.run({ scope, outer: frames.getStore() }, body);
}

/** Runs `body` as if no transaction were around it. */
export function runOutside<T>(body: () => T): T {
  return frames.run(undefined, body);
}
