import type { EventBus } from '../telemetry/events';
import type { ResolvedPoolOptions } from './options';
import { resolvePoolOptions } from './options';
import { Pool } from './pool';

/** One replica: a pool, and when to try again after it was lost. */
export class Replica {
  readonly pool: Pool;
  readonly #bus: EventBus;
  readonly #retryMs: number;
  #tryAgainAt = 0;

  constructor(pool: Pool, bus: EventBus, retryMs: number) {
    this.pool = pool;
    this.#bus = bus;
    this.#retryMs = retryMs;
  }

  /** Whether it may be asked: it answered last time, or that was a while ago. */
  get isUp(): boolean {
    return performance.now() >= this.#tryAgainAt;
  }

  /** Nothing is sent to it for a while. */
  leave(why: 'unreachable' | 'not a replica', error: unknown): void {
    this.#tryAgainAt = performance.now() + this.#retryMs;
    this.#bus.emit('replica:left', { host: new URL(this.pool.options.url).host, why, error });
  }
}

/** The replicas of one database. */
export class Replicas {
  readonly #all: readonly Replica[];

  /** @param primary whose options theirs are, but for the address */
  constructor(urls: readonly string[], primary: ResolvedPoolOptions, bus: EventBus, retryMs: number) {
    this.#all = urls.map((url) => {
      // A replica refuses serializable; for reads alone, repeatable read gives one picture as well.
      const options = resolvePoolOptions({ ...primary, url, isolation: 'repeatable read' });
      return new Replica(new Pool(options, bus), bus, retryMs);
    });
  }

  /** Those that may be asked, in random order, so that each gets its share. */
  get up(): readonly Replica[] {
    const up = this.#all.filter(({ isUp }) => isUp).map((replica) => ({ replica, at: Math.random() }));
    return up.sort((one, other) => one.at - other.at).map(({ replica }) => replica);
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map(({ pool }) => pool.close()));
  }
}
