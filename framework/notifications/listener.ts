import { AsyncResource } from 'node:async_hooks';
import { ConnectionFailedError, DatabaseClosedError } from '../database/errors';
import { ListeningSession } from '../database/listening-session';
import type { ListeningOptions } from '../database/listening-session';
import { isConnectionLoss, translateDatabaseError } from '../database/sqlstate';
import type { EventBus } from '../telemetry/events';
import { decoded } from './channel';
import { ListenUnavailableError } from './errors';

export interface ListenOptions {
  /**
   * Called when the session was lost and is there again. What was sent in between is lost, since PostgreSQL keeps
   * nothing for who is away: read from the tables what may have been missed.
   */
  readonly onGap?: () => void | Promise<void>;
}

/** Somebody who listens. */
export interface Listening {
  /** Nothing is delivered any more from this call on. May be called twice. */
  stop(): Promise<void>;
}

interface Subscription {
  readonly deliver: (payload: unknown) => void;
  readonly onGap: () => void;
  /** Whether LISTEN was answered: there is something to be missed. */
  isListening: boolean;
}

export interface ListenerOptions extends ListeningOptions {
  /** How long `listen` waits for a session that is lost and not yet there again, in milliseconds. */
  readonly patienceMs: number;
}

/** Longest pause between two attempts to get a session again, in milliseconds. */
const LONGEST_PAUSE_MS = 5_000;

/** All that one database listens to, on one session, which is there while somebody listens. */
export class Listener {
  readonly #options: ListenerOptions;
  readonly #bus: EventBus;
  readonly #channels = new Map<string, Set<Subscription>>();
  /** The session, or the attempts to get one, of those who listen now. */
  #session: Promise<ListeningSession> | undefined;
  #open: ListeningSession | undefined;
  #isClosed = false;
  #isLost = false;
  #endPause = () => {};

  constructor(options: ListenerOptions, bus: EventBus) {
    this.#options = options;
    this.#bus = bus;
  }

  /** @throws ConnectionFailedError, ListenUnavailableError, DatabaseClosedError */
  async listen(channel: string, listener: (payload: unknown) => unknown, options: ListenOptions): Promise<Listening> {
    const subscription = { deliver: guarded(listener), onGap: guarded(options.onGap ?? noop), isListening: false };
    const others = this.#channels.get(channel) ?? new Set();
    this.#channels.set(channel, others.add(subscription)); // before LISTEN: the first may come in the packet of its answer
    const stop = () => this.#stop(channel, subscription);
    try {
      await this.#hear(channel);
      subscription.isListening = true;
      return { stop };
    } catch (error) {
      await stop();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#channels.clear();
    await this.#leave();
  }

  /** LISTEN, on another session if this one is lost over it. */
  async #hear(channel: string): Promise<void> {
    const deadline = performance.now() + this.#options.patienceMs;
    for (;;) {
      // A first session is there within the bounds of connecting, or not at all; one that was lost may stay away.
      const session = await (this.#isLost ? before(deadline, this.#session!) : (this.#session ??= this.#first()));
      if (this.#isClosed) throw closed();
      try {
        await session.run(listenTo(channel));
        return;
      } catch (error) {
        if (!isConnectionLoss(error)) throw translateDatabaseError(error);
      }
    }
  }

  async #stop(channel: string, subscription: Subscription): Promise<void> {
    const others = this.#channels.get(channel);
    if (!others?.delete(subscription) || others.size > 0) return;
    this.#channels.delete(channel);
    if (this.#channels.size === 0) return this.#leave();
    await this.#open?.run(`unlisten ${quoted(channel)}`).catch(noop); // a lost session listens to nothing
  }

  async #leave(): Promise<void> {
    const session = this.#session;
    this.#session = this.#open = undefined;
    this.#isLost = false;
    this.#endPause();
    await session?.then(
      (open) => open.close(),
      noop, // it was never there
    );
  }

  /** Whoever waits for it hears of its failure; the next one tries anew. */
  #first(): Promise<ListeningSession> {
    const own: Promise<ListeningSession> = this.#connect(() => own).catch((error: unknown) => {
      if (this.#session === own) this.#session = undefined;
      throw error;
    });
    return own;
  }

  /** @param self what is {@link #session} as long as this session is wanted */
  async #connect(self: () => Promise<ListeningSession>): Promise<ListeningSession> {
    if (this.#isClosed) throw closed();
    const session = await ListeningSession.open(this.#options, {
      onNotification: (channel, payload) => this.#session === self() && this.#deliver(channel, payload),
      onLost: (error) => this.#session === self() && this.#recover(error),
    });
    try {
      if (!(await session.isTheServers())) throw new ListenUnavailableError();
      if (this.#channels.size > 0) await session.run([...this.#channels.keys()].map(listenTo).join('; '));
    } catch (error) {
      await session.close();
      throw translateDatabaseError(error);
    }
    if (this.#session !== self()) return session; // closed by who left
    this.#open = session;
    this.#isLost = false;
    return session;
  }

  #recover(error: unknown): void {
    this.#open = undefined;
    const own: Promise<ListeningSession> = this.#again(error, () => own);
    own.catch(noop); // nobody may be waiting for it
    this.#session = own;
    this.#isLost = true;
  }

  /** Tries until there is a session again, or nobody wants one any more. */
  async #again(lostBy: unknown, self: () => Promise<ListeningSession>): Promise<ListeningSession> {
    let error = lostBy;
    for (let attempts = 0; ; attempts++) {
      this.#bus.emit('listener:lost', { error: translateDatabaseError(error), attempts });
      await this.#pause(attempts);
      if (this.#session !== self()) throw closed();
      try {
        const session = await this.#connect(self);
        if (this.#session !== self()) return session;
        this.#bus.emit('listener:restored', { attempts: attempts + 1 });
        for (const { onGap } of this.#established()) onGap();
        return session;
      } catch (failure) {
        if (this.#session !== self()) throw failure;
        error = failure;
      }
    }
  }

  #established(): Subscription[] {
    return [...this.#channels.values()].flatMap((all) => [...all]).filter(({ isListening }) => isListening);
  }

  /** With full jitter, so that not all processes come back at once; the first time at once, or nearly so. */
  async #pause(attempts: number): Promise<void> {
    const pauseMs = Math.random() * Math.min(LONGEST_PAUSE_MS, 20 * 2 ** Math.min(attempts, 10));
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, pauseMs).unref();
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #deliver(channel: string, text: string): void {
    for (const { deliver } of [...(this.#channels.get(channel) ?? [])]) deliver(decoded(text));
  }
}

/** One that throws becomes a process warning, and breaks nothing else. It runs in the context that it was made in. */
function guarded<A extends unknown[]>(call: (...args: A) => unknown): (...args: A) => void {
  return AsyncResource.bind((...args: A): void => {
    void new Promise((resolve) => resolve(call(...args))).catch((error: unknown) => {
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      process.emitWarning(`A listener of notifications failed: ${reason}`);
    });
  });
}

async function before<T>(deadline: number, wait: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(notInTime()), deadline - performance.now());
  });
  try {
    return await Promise.race([wait, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}

function notInTime(): ConnectionFailedError {
  return new ConnectionFailedError({
    what: 'The session that listens was lost, and there was no other in time.',
    remedy: 'See that the server can be reached, then listen again; listener:lost tells why it could not.',
  });
}

function closed(): DatabaseClosedError {
  return new DatabaseClosedError({
    what: 'The database connection was closed.',
    remedy: 'Call connect() again, or close it only after the last query.',
  });
}

const quoted = (channel: string) => `"${channel.replace(/"/g, '""')}"`;
const listenTo = (channel: string) => `listen ${quoted(channel)}`;
const noop = (): void => undefined;
