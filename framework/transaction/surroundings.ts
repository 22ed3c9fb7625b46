import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * What surrounds the running code: each feature declares what is its own. It is one thing for all, since each storage is
 * carried along with each promise by itself.
 */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type
export interface Surroundings {}

const NOTHING: Surroundings = {};

const storage = new AsyncLocalStorage<Surroundings>();

export function surroundings(): Surroundings {
  return storage.getStore() ?? NOTHING;
}

/** Runs `body`, and all that it starts, with something about its surroundings changed. */
export function runWith<T>(change: Surroundings, body: () => T): T {
  return storage.run({ ...surroundings(), ...change }, body);
}
