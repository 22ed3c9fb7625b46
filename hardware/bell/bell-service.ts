import { randomBytes } from 'node:crypto';
import { EventEmitter, setMaxListeners } from 'node:events';
import type { Board, BoardStatus, Light, LightSensor } from '../boards/board';
import type { BellBotError } from '../errors';
import { Bell } from './bell';
import type { BellSurroundings } from './bell';
import type { Clock } from './clock';
import { isoTime } from './clock';
import { KeyReusedError, RefusedError, StoreError, StrikeCutError, UnknownBellError } from './errors';
import { HourlyCounts } from './hourly-counts';
import { isFinished } from './ring';
import type { Ring, RingKind } from './ring';
import type { Accepted, RingStore } from './ring-store';
import type { BellSettings, LostPolicy } from './settings';
import type { BellsView, HourView, ServoView } from './views';

export interface BellServiceOptions {
  readonly board: Board;
  readonly bells: readonly BellSettings[];
  readonly store: RingStore;
  readonly clock: Clock;
  readonly whenLost: LostPolicy;
  /** How long a ring waits for a board that is lost, in milliseconds, before it fails. */
  readonly waitLimitMs: number;
  /** Pin of a light that shines while any bell is struck. */
  readonly led?: number | undefined;
  /** A light sensor's analog pin, and the level (0–1023) below which the bells are muted. */
  readonly sensor?: { readonly pin: number; readonly darkBelow: number } | undefined;
}

export interface RingRequest {
  readonly kind: RingKind;
  /** Default: the first bell. */
  readonly bell?: string | undefined;
  readonly by?: string | undefined;
  readonly why?: string | undefined;
  readonly idempotencyKey?: string | undefined;
}

export interface BellServiceEvents {
  readonly ring: [Ring];
  readonly servo: [ServoView];
  /** `view()` has changed. */
  readonly change: [];
  readonly refused: [bell: string, error: Error];
  /** What became of a ring could not be kept. */
  readonly fault: [error: unknown];
}

const MUTE_POLL_MS = 1_000;
const DAY_MS = 24 * 3_600_000;

/** All bells of one board, and what is known of their rings. */
export class BellService {
  readonly events = new EventEmitter<BellServiceEvents>();
  readonly #options: BellServiceOptions;
  readonly #bells: ReadonlyMap<string, Bell>;
  readonly #light: Light | undefined;
  readonly #sensor: LightSensor | undefined;
  readonly #counts: HourlyCounts;
  readonly #accepting = new Set<Promise<Accepted>>();
  /** Those by their idempotency keys. */
  readonly #arriving = new Map<string, Promise<Accepted>>();
  readonly #waiters = new Map<string, Set<(ring: Ring) => void>>();
  readonly #stopping = new AbortController();
  #wasMuted = false;
  #cancelMutePoll: () => void = () => undefined;

  constructor(options: BellServiceOptions) {
    this.#options = options;
    const { board, clock, led, sensor } = options;
    this.#counts = new HourlyCounts(clock);
    setMaxListeners(0, this.#stopping.signal); // one for each caller that waits
    this.#light = led === undefined ? undefined : board.light(led);
    this.#sensor = sensor && board.lightSensor(sensor.pin);
    this.#bells = new Map(options.bells.map((bell) => [bell.id, new Bell(bell, this.#surroundings(bell.id))]));
    board.events.on('status', this.#onStatus);
    if (this.#sensor) this.#pollMute();
  }

  /**
   * Takes up what the last process left: rings that waited wait again; what was being struck is `failed`, for nobody
   * knows. To be called once, before the first request.
   */
  async restore(): Promise<void> {
    const { store, clock } = this.#options;
    for (const { status, finishedAt } of await store.finishedSince(isoTime(clock.now() - DAY_MS))) {
      this.#counts.count(status === 'rung' ? 'rung' : 'failed', Date.parse(finishedAt ?? ''));
    }
    for (const ring of await store.unfinished()) {
      const bell = this.#bells.get(ring.bell);
      if (ring.status === 'queued' && bell) bell.restore(ring);
      else
        await this.#close(
          ring,
          ring.status === 'queued' ? new UnknownBellError() : new StrikeCutError('BellBot ended'),
        );
    }
  }

  /**
   * Accepts a ring, which is kept in the store when this resolves, or refuses it. A request with an idempotency key that
   * was used is answered with the ring of then.
   *
   * @throws UnknownBellError, KeyReusedError
   * @throws RefusedError (queue full, board lost, stopping, store) with `retryAfterSeconds`
   */
  async request(request: RingRequest): Promise<Accepted> {
    const bell = this.#bellOf(request.bell);
    const accepting = this.#acceptOnce(bell, request);
    this.#accepting.add(accepting);
    try {
      const accepted = await accepting;
      const { ring } = accepted;
      if (ring.bell !== bell.settings.id || ring.kind !== request.kind) throw new KeyReusedError();
      return accepted;
    } catch (error) {
      if (error instanceof RefusedError) {
        this.#counts.count('refused');
        this.events.emit('refused', bell.settings.id, error);
      }
      throw error;
    } finally {
      this.#accepting.delete(accepting);
    }
  }

  /** The ring once it has finished, or as it is when the time is up, the signal aborts or the service stops. */
  async outcome(ring: Ring, ms: number, signal: AbortSignal): Promise<Ring> {
    return new Promise((resolve, reject) => {
      const waiters = this.#waiters.get(ring.id) ?? new Set();
      this.#waiters.set(ring.id, waiters);
      const settle = (answer: Ring | Promise<Ring>) => {
        waiters.delete(settle);
        if (waiters.size === 0) this.#waiters.delete(ring.id);
        cancel();
        signal.removeEventListener('abort', giveUp);
        this.#stopping.signal.removeEventListener('abort', giveUp);
        resolve(answer);
      };
      const giveUp = () => settle(this.find(ring.id).then((found) => found ?? ring));
      const cancel = this.#options.clock.after(ms, giveUp);
      waiters.add(settle);
      signal.addEventListener('abort', giveUp);
      this.#stopping.signal.addEventListener('abort', giveUp);
      this.find(ring.id).then((found) => found && isFinished(found) && settle(found), reject);
    });
  }

  find(id: string): Promise<Ring | undefined> {
    return this.#options.store.find(id);
  }

  latest(limit: number): Promise<readonly Ring[]> {
    return this.#options.store.latest(limit);
  }

  hours(): HourView[] {
    return this.#counts.view();
  }

  view(): BellsView {
    const { kind, where, status } = this.#options.board;
    return { board: { kind, where, status }, bells: [...this.#bells.values()].map((bell) => bell.view()) };
  }

  /** What is being struck is finished; what waits is left to the next process, or told that it failed. */
  async stop(): Promise<void> {
    this.#cancelMutePoll();
    const bells = [...this.#bells.values()];
    await Promise.all(bells.map((bell) => bell.stop()));
    await Promise.allSettled(this.#accepting);
    if (!this.#options.store.isDurable) await Promise.all(bells.map((bell) => bell.abandon()));
    this.#stopping.abort();
    this.#options.board.events.off('status', this.#onStatus);
  }

  #bellOf(id: string | undefined): Bell {
    const bell = id === undefined ? this.#bells.values().next().value : this.#bells.get(id);
    if (!bell) throw new UnknownBellError();
    return bell;
  }

  async #acceptOnce(bell: Bell, request: RingRequest): Promise<Accepted> {
    const { idempotencyKey: key } = request;
    if (key === undefined) return this.#accept(bell, request);
    const arriving = this.#arriving.get(key);
    if (arriving) return { ring: (await arriving).ring, replayed: true };
    const accepting = this.#replayOrAccept(bell, request, key);
    this.#arriving.set(key, accepting);
    try {
      return await accepting;
    } finally {
      this.#arriving.delete(key);
    }
  }

  async #replayOrAccept(bell: Bell, request: RingRequest, key: string): Promise<Accepted> {
    const ring = await this.#options.store.findByKey(key).catch(notKept);
    return ring ? { ring, replayed: true } : this.#accept(bell, request);
  }

  async #accept(bell: Bell, { kind, by, why, idempotencyKey }: RingRequest): Promise<Accepted> {
    const place = bell.reserve({
      id: randomBytes(9).toString('base64url'),
      bell: bell.settings.id,
      kind,
      by: by ?? null,
      why: why ?? null,
      status: 'queued',
      queuedAt: isoTime(this.#options.clock.now()),
      finishedAt: null,
      error: null,
    });
    try {
      const accepted = await this.#options.store.accept(place.ring, idempotencyKey);
      if (accepted.replayed) bell.release(place);
      else bell.confirm(place);
      return accepted;
    } catch (error) {
      bell.release(place);
      return notKept(error);
    }
  }

  /** A ring that no bell has in its queue fails. */
  async #close(ring: Ring, { what }: BellBotError): Promise<void> {
    const finishedAt = isoTime(this.#options.clock.now());
    const failed: Ring = { ...ring, status: 'failed', finishedAt, error: what };
    await this.#options.store.record(failed);
    this.#heard(failed);
  }

  #surroundings(bell: string): BellSurroundings {
    const { board, clock, whenLost, waitLimitMs, store } = this.#options;
    return {
      board,
      clock,
      whenLost,
      waitLimitMs,
      isDark: () => this.#isDark,
      record: (ring) => store.record(ring),
      onRing: (ring) => this.#heard(ring),
      onServo: (degrees) => void this.events.emit('servo', { bell, degrees }),
      onChange: this.#changed,
      onFault: (error) => void this.events.emit('fault', error),
    };
  }

  readonly #onStatus = (_status: BoardStatus, cause?: Error): void => {
    for (const bell of this.#bells.values()) bell.boardChanged(cause);
    this.#changed();
  };

  readonly #changed = (): void => {
    this.#light?.set([...this.#bells.values()].some(({ isStriking }) => isStriking));
    this.events.emit('change');
  };

  #heard(ring: Ring): void {
    if (ring.status === 'rung' || ring.status === 'failed') this.#counts.count(ring.status);
    this.events.emit('ring', ring);
    if (isFinished(ring)) for (const tell of this.#waiters.get(ring.id) ?? []) tell(ring);
  }

  get #isDark(): boolean {
    const level = this.#sensor?.level;
    return level !== undefined && level < (this.#options.sensor?.darkBelow ?? 0);
  }

  #pollMute(): void {
    this.#cancelMutePoll = this.#options.clock.after(MUTE_POLL_MS, () => {
      if (this.#isDark !== this.#wasMuted) {
        this.#wasMuted = this.#isDark;
        this.#changed();
      }
      this.#pollMute();
    });
  }
}

function notKept(cause: unknown): never {
  throw new StoreError('The ring could not be kept in the store, so it was not accepted.', cause);
}
