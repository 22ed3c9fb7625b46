import type { Database, EventName, FrameworkEvents } from 'bellwether';
import type { TestDatabase } from 'bellwether/testing';

/** Counts an event, and lets one wait for it. */
export function listen<N extends EventName>(db: Database, name: N) {
  const heard: FrameworkEvents[N][] = [];
  const waiting = new Set<() => void>();
  const off = db.on(name, (event) => {
    heard.push(event);
    for (const look of [...waiting]) look();
  });
  /** Until it was heard so often, or the test ends. */
  const times = (count: number): Promise<readonly FrameworkEvents[N][]> =>
    new Promise((resolve) => {
      const look = () => {
        if (heard.length < count) return;
        waiting.delete(look);
        resolve(heard);
      };
      waiting.add(look);
      look();
    });
  return { heard, times, off };
}

/** Brings the time of every waiting job forward to now. */
export async function hurry(database: TestDatabase): Promise<void> {
  await database.pool.query(`update graphile_worker._private_jobs set run_at = now() where locked_at is null;
    select pg_notify('jobs:insert', '{"count":10}')`);
}

export const inQueue = async (database: TestDatabase): Promise<number | null> =>
  (await database.pool.query('select from graphile_worker._private_jobs')).rowCount;
