import type { RingStore } from '../bell/ring-store';
import { StoreSetupError } from './errors';
import { FileStore } from './file-store';
import { MemoryStore } from './memory-store';

export interface StoreOptions {
  /** `memory`, the address of a PostgreSQL database, or a path. */
  readonly store: string;
  readonly remember: number;
  readonly onWarning: (text: string, cause?: unknown) => void;
}

/** @throws StoreSetupError */
export function openStore({ store, remember, onWarning }: StoreOptions): Promise<RingStore> {
  if (store === 'memory') return Promise.resolve(new MemoryStore({ remember }));
  if (/^postgres(ql)?:\/\//.test(store)) return openDatabase(store, remember);
  return FileStore.open({ path: store, remember, onWarning });
}

/** The database store alone needs the package bellwether, which not everybody has. */
async function openDatabase(url: string, remember: number): Promise<RingStore> {
  const { DatabaseStore } = await import('./database-store.js').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'MODULE_NOT_FOUND') throw error;
    throw new StoreSetupError({
      what: 'Rings are to be kept in a database, and the package bellwether is not installed.',
      remedy: 'npm install bellwether; or name a file with --store.',
      cause: error,
    });
  });
  return DatabaseStore.open(url, remember);
}
