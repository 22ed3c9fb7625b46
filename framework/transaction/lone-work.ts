import { runWith, surroundings } from './context';

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
