import type { Board, Servo } from '../boards/board';
import type { BellBotError } from '../errors';
import type { Clock } from './clock';
import { isoTime } from './clock';
import { BoardLostError, MutedError, QueueFullError, StoppingError, StoreError, StrikeCutError } from './errors';
import { motionOf } from './motion';
import type { Motion } from './motion';
import type { Ring } from './ring';
import type { BellSettings, LostPolicy } from './settings';
import type { BellView } from './views';

/** What a bell works with, and whom it tells. */
export interface BellSurroundings {
  readonly board: Board;
  readonly clock: Clock;
  readonly whenLost: LostPolicy;
  /** How long a ring waits for a board that is lost, in milliseconds, before it fails. */
  readonly waitLimitMs: number;
  readonly isDark: () => boolean;
  /** Keeps what becomes of a ring. Kept for good when it resolves. */
  readonly record: (ring: Ring) => Promise<void>;
  /** Hears of each ring whose status has changed, after it is kept. */
  readonly onRing: (ring: Ring) => void;
  readonly onServo: (degrees: number) => void;
  /** Hears that `view()` has changed. */
  readonly onChange: () => void;
  /** Hears of what became of a ring and could not be kept. */
  readonly onFault: (error: unknown) => void;
}

/** A place in the queue; its ring takes its turn once it is `ready`, that is, kept. */
export interface Place {
  readonly ring: Ring;
  isReady: boolean;
}

/**
 * A servo with its queue: one command at a time, in the order of arrival, none merged and none lost. A command begins
 * `pdelay` after the one before it began at the earliest, and is kept as `striking` before it begins, so that a crash
 * leaves the truth behind.
 */
export class Bell {
  readonly settings: BellSettings;
  readonly #around: BellSurroundings;
  readonly #servo: Servo;
  readonly #waiting: Place[] = [];
  /** During a command and the pause after it. */
  #isBusy = false;
  /** The command, until what became of it is kept. */
  #underWay: Promise<void> = Promise.resolve();
  #pause: Promise<void> = Promise.resolve();
  #nextAt = 0;
  #isStriking = false;
  #cut: (error: StrikeCutError) => void = () => undefined;
  #wasReady = false;
  #unreadySince: number | undefined;
  #cancelDeadline: () => void = () => undefined;
  #isStopping = false;

  constructor(settings: BellSettings, around: BellSurroundings) {
    this.settings = settings;
    this.#around = around;
    this.#servo = around.board.servo(settings.pin, settings.start);
    this.boardChanged();
  }

  get isStriking(): boolean {
    return this.#isStriking;
  }

  view(): BellView {
    const { id, pin, start, strike, sdelay, pdelay, queue: limit } = this.settings;
    const { degrees } = this.#servo;
    const [queued, striking, muted] = [this.#waiting.length, this.#isStriking, this.#around.isDark()];
    return { id, pin, start, strike, sdelay, pdelay, degrees, queued, limit, striking, muted };
  }

  /** @throws QueueFullError, StoppingError; BoardLostError where the policy is to refuse */
  reserve(ring: Ring): Place {
    if (this.#isStopping) throw new StoppingError();
    if (this.#around.whenLost === 'refuse' && !this.#isReady) throw new BoardLostError();
    const { id, queue } = this.settings;
    if (this.#waiting.length >= queue) throw new QueueFullError(id, queue, this.#untilNextMs());
    const place = { ring, isReady: false };
    this.#waiting.push(place);
    return place;
  }

  /** The ring of the place is kept. */
  confirm(place: Place): void {
    place.isReady = true;
    this.#around.onRing(place.ring);
    this.#around.onChange();
    this.#advance();
  }

  release(place: Place): void {
    this.#leave([place]);
    this.#advance();
  }

  /** A ring that was accepted before a restart: beside the bound, since it was promised. */
  restore(ring: Ring): void {
    this.#waiting.push({ ring, isReady: true });
    this.#advance();
  }

  boardChanged(cause?: Error): void {
    this.#cancelDeadline();
    if (this.#isReady) {
      this.#wasReady = true;
      this.#unreadySince = undefined;
    } else {
      this.#unreadySince ??= this.#around.clock.now();
      this.#cut(new StrikeCutError('The board was lost', cause));
    }
    this.#advance();
  }

  /** Finishes the command under way and begins no other. The rings that wait are left to {@link abandon}. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#cancelDeadline();
    await this.#underWay;
  }

  /** After `stop`: tells each ring that waits that it failed. */
  async abandon(): Promise<void> {
    await Promise.all(this.#waiting.splice(0).map(({ ring }) => this.#finish(ring, new StoppingError())));
  }

  get #isReady(): boolean {
    return this.#around.board.status === 'ready';
  }

  /** The time by which the next ring leaves the queue. */
  #untilNextMs(): number {
    const head = this.#waiting[0];
    const at = !this.#isReady && head !== undefined ? this.#deadlineOf(head) : this.#nextAt;
    return Math.max(0, at - this.#around.clock.now());
  }

  #advance(): void {
    const head = this.#waiting[0];
    if (this.#isStopping || !head?.isReady) return;
    if (!this.#isReady) return this.#hold(head);
    if (this.#isBusy) return;
    this.#waiting.shift();
    this.#isBusy = true;
    void this.#perform(head.ring).finally(() => {
      this.#isBusy = false;
      this.#advance();
    });
  }

  /** The board is away: rings wait for it until their deadlines, or, by policy, fail unless it was never there yet. */
  #hold(head: Place): void {
    const { clock, whenLost } = this.#around;
    if (whenLost === 'refuse' && this.#wasReady) return this.#giveUp(this.#waiting.filter(({ isReady }) => isReady));
    this.#cancelDeadline();
    this.#cancelDeadline = clock.after(Math.max(0, this.#deadlineOf(head) - clock.now()), () => {
      this.#giveUp(this.#waiting.filter((place) => place.isReady && this.#deadlineOf(place) <= clock.now()));
      this.#advance();
    });
  }

  #deadlineOf({ ring }: Place): number {
    const { clock, waitLimitMs } = this.#around;
    return Math.max(this.#unreadySince ?? clock.now(), Date.parse(ring.queuedAt)) + waitLimitMs;
  }

  #giveUp(places: readonly Place[]): void {
    this.#leave(places);
    for (const { ring } of places) void this.#finish(ring, new BoardLostError());
  }

  #leave(places: readonly Place[]): void {
    const leaving = new Set(places);
    const staying = this.#waiting.filter((place) => !leaving.has(place));
    this.#waiting.splice(0, this.#waiting.length, ...staying);
  }

  /** One command, and the pause until the next may begin. */
  async #perform(ring: Ring): Promise<void> {
    this.#underWay = this.#command(ring);
    await this.#underWay;
    await this.#pause;
  }

  async #command(ring: Ring): Promise<void> {
    if (this.#around.isDark()) return this.#finish(ring, new MutedError());
    const striking: Ring = { ...ring, status: 'striking' };
    try {
      await this.#around.record(striking);
    } catch (error) {
      return this.#finish(ring, StoreError.notStruck(error));
    }
    if (!this.#isReady) return this.#putBack(ring);
    const motion = motionOf(ring.kind, this.settings);
    this.#pause = this.#after(motion.paceMs);
    await this.#finish(striking, await this.#strike(striking, motion));
  }

  /** The board was lost after the ring was kept as striking, before anything was sent. */
  async #putBack(ring: Ring): Promise<void> {
    await this.#around.record(ring).catch(this.#around.onFault);
    this.#waiting.unshift({ ring, isReady: true });
  }

  #after(ms: number): Promise<void> {
    const { clock } = this.#around;
    this.#nextAt = clock.now() + ms;
    return new Promise((resolve) => void clock.after(ms, resolve));
  }

  /** @returns what went wrong, once the servo is at rest again or nothing can be done */
  async #strike(striking: Ring, motion: Motion): Promise<BellBotError | undefined> {
    this.#isStriking = true;
    this.#around.onRing(striking);
    this.#around.onChange();
    try {
      await this.#move(motion);
      return undefined;
    } catch (error) {
      return error instanceof StrikeCutError ? error : new StrikeCutError('The board failed', error);
    } finally {
      this.#isStriking = false;
      this.#cut = () => undefined;
    }
  }

  /** Each step at its time, whatever the answers to those before; resolves when the board has confirmed all. */
  async #move({ steps }: Motion): Promise<void> {
    const cancels: (() => void)[] = [];
    const lost = new Promise<never>((_resolve, reject) => (this.#cut = reject));
    const confirmations = steps.map(
      ({ atMs, degrees }) =>
        new Promise<void>((resolve) => {
          const command = () => resolve(this.#turn(degrees));
          if (atMs === 0) command();
          else cancels.push(this.#around.clock.after(atMs, command));
        }),
    );
    try {
      await Promise.race([lost, Promise.all(confirmations)]);
    } finally {
      for (const cancel of cancels) cancel();
    }
  }

  async #turn(degrees: number): Promise<void> {
    const confirmed = this.#servo.to(degrees);
    this.#around.onServo(degrees);
    await confirmed;
  }

  /** Keeps what became of the ring, then tells it; what can't be kept is told all the same. */
  async #finish(ring: Ring, error?: BellBotError): Promise<void> {
    const { clock, record, onRing, onChange, onFault } = this.#around;
    const finishedAt = isoTime(clock.now());
    const done: Ring = { ...ring, status: error ? 'failed' : 'rung', finishedAt, error: error?.what ?? null };
    await record(done).catch(onFault);
    onRing(done);
    onChange();
  }
}
