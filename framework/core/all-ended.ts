/** @throws what failed first, once all have ended: what comes after it may fail because of it */
export async function allEnded<T>(underWay: readonly Promise<T>[]): Promise<T[]> {
  try {
    return await Promise.all(underWay);
  } finally {
    await Promise.allSettled(underWay);
  }
}
