import { runWith, surroundings } from './surroundings';

declare module './surroundings' {
  interface Surroundings {
    /** Hears whether a database is used outside of any transaction around it. */
    readonly watch?: { isUsed: boolean };
  }
}

/** Runs `body`. @returns its value, and whether it used a database outside of any transaction around it */
export async function watchLoneWork<T>(body: () => Promise<T>): Promise<{ value: T; isUsed: boolean }> {
  const watch = { isUsed: false };
  const value = await runWith({ watch }, body);
  return { value, isUsed: watch.isUsed };
}

export function noteLoneWork(): void {
  const { watch } = surroundings();
  if (watch) watch.isUsed = true;
}
