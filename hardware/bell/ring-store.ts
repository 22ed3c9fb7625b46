import type { Ring } from './ring';

export interface Accepted {
  readonly ring: Ring;
  /** Whether the ring was there before, by its idempotency key. */
  readonly replayed: boolean;
}

/**
 * Keeps rings and their idempotency keys. Unfinished rings are never forgotten; of the finished ones, at least the
 * latest are remembered, with their keys.
 */
export interface RingStore {
  /** Whether what it keeps outlives the process. */
  readonly isDurable: boolean;
  /** For people: a path, or a database. */
  readonly where: string;
  /** Keeps the ring unless one with this key is kept: then that one is the answer. Kept for good when it resolves. */
  accept(ring: Ring, key: string | undefined): Promise<Accepted>;
  /** Keeps what became of an accepted ring. Kept for good when it resolves. */
  record(ring: Ring): Promise<void>;
  find(id: string): Promise<Ring | undefined>;
  findByKey(key: string): Promise<Ring | undefined>;
  /** Newest first. */
  latest(limit: number): Promise<readonly Ring[]>;
  /** Queued or striking, in the order in which they were accepted. */
  unfinished(): Promise<readonly Ring[]>;
  /** @param time ISO 8601, UTC */
  finishedSince(time: string): Promise<readonly Ring[]>;
  close(): Promise<void>;
}
