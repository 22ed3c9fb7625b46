import type { Ring } from '../bell/ring';
import { isFinished } from '../bell/ring';
import type { Accepted, RingStore } from '../bell/ring-store';

/** A ring with the idempotency key that it was accepted under. */
export interface KeptRing {
  readonly ring: Ring;
  readonly key: string | undefined;
}

/** Rings in the order in which they were accepted. Of the finished ones the latest are remembered, up to a bound. */
export class RememberedRings {
  readonly #remember: number;
  readonly #rings = new Map<string, KeptRing>();
  readonly #idOfKey = new Map<string, string>();
  #finished = 0;

  constructor(remember: number) {
    this.#remember = remember;
  }

  add(kept: KeptRing): void {
    if (this.#rings.has(kept.ring.id)) return this.change(kept.ring);
    this.#rings.set(kept.ring.id, kept);
    if (kept.key !== undefined) this.#idOfKey.set(kept.key, kept.ring.id);
    if (isFinished(kept.ring)) this.#finished++;
    this.#forget();
  }

  change(ring: Ring): void {
    const before = this.#rings.get(ring.id);
    if (!before) return;
    this.#rings.set(ring.id, { ...before, ring });
    this.#finished += Number(isFinished(ring)) - Number(isFinished(before.ring));
    this.#forget();
  }

  remove(id: string): void {
    const kept = this.#rings.get(id);
    if (!kept) return;
    this.#rings.delete(id);
    if (kept.key !== undefined && this.#idOfKey.get(kept.key) === id) this.#idOfKey.delete(kept.key);
    if (isFinished(kept.ring)) this.#finished--;
  }

  find(id: string): Ring | undefined {
    return this.#rings.get(id)?.ring;
  }

  findByKey(key: string): Ring | undefined {
    const id = this.#idOfKey.get(key);
    return id === undefined ? undefined : this.find(id);
  }

  latest(limit: number): Ring[] {
    return [...this.#rings.values()]
      .slice(-limit)
      .map(({ ring }) => ring)
      .reverse();
  }

  all(): KeptRing[] {
    return [...this.#rings.values()];
  }

  /** Unfinished rings are few, for queues are bounded; they are stepped over. */
  #forget(): void {
    for (const [id, { ring }] of this.#rings) {
      if (this.#finished <= this.#remember) return;
      if (isFinished(ring)) this.remove(id);
    }
  }
}

/** Forgets all at the end of the process. */
export class MemoryStore implements RingStore {
  readonly isDurable: boolean = false;
  readonly where: string = 'memory';
  protected readonly rings: RememberedRings;

  constructor({ remember }: { readonly remember: number }, rings = new RememberedRings(remember)) {
    this.rings = rings;
  }

  accept(ring: Ring, key: string | undefined): Promise<Accepted> {
    const before = key === undefined ? undefined : this.rings.findByKey(key);
    if (before) return Promise.resolve({ ring: before, replayed: true });
    this.rings.add({ ring, key });
    return Promise.resolve({ ring, replayed: false });
  }

  record(ring: Ring): Promise<void> {
    this.rings.change(ring);
    return Promise.resolve();
  }

  find(id: string): Promise<Ring | undefined> {
    return Promise.resolve(this.rings.find(id));
  }

  findByKey(key: string): Promise<Ring | undefined> {
    return Promise.resolve(this.rings.findByKey(key));
  }

  latest(limit: number): Promise<readonly Ring[]> {
    return Promise.resolve(this.rings.latest(limit));
  }

  unfinished(): Promise<readonly Ring[]> {
    return Promise.resolve(this.#rings(({ finishedAt }) => finishedAt === null));
  }

  finishedSince(time: string): Promise<readonly Ring[]> {
    return Promise.resolve(this.#rings(({ finishedAt }) => finishedAt !== null && finishedAt >= time));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #rings(isWanted: (ring: Ring) => boolean): Ring[] {
    return this.rings
      .all()
      .map(({ ring }) => ring)
      .filter(isWanted);
  }
}
