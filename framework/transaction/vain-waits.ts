/** How long nobody waits in the middle of a transaction for a guard that was waited for in vain, in milliseconds. */
const REMEMBERED_MS = 5_000;

/** Until when, by guard, for each database. */
const remembered = new WeakMap<object, Map<number, number>>();

// Whoever has taken a guard first may be waiting for a row of somebody who waits for the guard in the middle: a circle,
// for as long as the latter's patience lasts. In a line for one row, all would get into it one after the other, each with
// patience of its own, until those at the line's end have stood for `deadlock_timeout`. So only the first are patient.

/** Says that these guards were not to be had in the middle of a transaction, which is to take them first now. */
export function noteVainWait(owner: object, guards: readonly number[]): void {
  const until = performance.now() + REMEMBERED_MS;
  const known = remembered.get(owner) ?? new Map<number, number>();
  for (const guard of guards) known.set(guard, until);
  remembered.set(owner, known);
}

/** Whether one of these was lately waited for in vain. */
export function wasWaitVain(owner: object, guards: readonly number[]): boolean {
  const known = remembered.get(owner);
  return known !== undefined && guards.some((guard) => (known.get(guard) ?? 0) > performance.now());
}
