import { EventEmitter } from 'node:events';
import type { IsolationLevel } from '../theory/isolation';

/**
 * Every event the framework emits: the name, when, and the payload with its units.
 * Durations are milliseconds from a monotonic clock; counts are plain integers; ids are per process.
 */
export interface FrameworkEvents {
  /** After each statement, whether it worked or not. Never carries parameter values. */
  'statement:end': { sql: string; rows: number; durationMs: number; error: unknown };
  /** A transaction attempt began. `attempt` counts from 1. */
  'transaction:begin': { transactionId: number; name: string | undefined; isolation: IsolationLevel; attempt: number };
  /** An attempt ended. `unknown` means that the connection died during COMMIT and nobody could tell. */
  'transaction:end': {
    transactionId: number;
    name: string | undefined;
    outcome: 'committed' | 'rolled back' | 'unknown';
    attempt: number;
    durationMs: number;
    error: unknown;
  };
  /** The runner is about to try again, after a pause of `pauseMs`. */
  'transaction:retry': { transactionId: number; attempt: number; pauseMs: number; error: unknown };
  /** ROLLBACK itself failed. The caller still gets the first error; this one is only seen here. */
  'transaction:rollback-failed': { transactionId: number; error: unknown };
  /**
   * Something that was to follow a commit or a rollback failed. After a commit the caller gets all of them in an
   * AfterCommitError; after a rollback, where the caller gets the reason of the rollback, they are only seen here.
   */
  'effect:failed': { transactionId: number; after: 'commit' | 'rollback'; error: unknown };
  /** An idle connection of the pool died; the pool opens another when one is needed. */
  'pool:connection-lost': { error: unknown };
}

export type EventName = keyof FrameworkEvents;

/** A typed list of listeners. One that throws becomes a process warning, and breaks nothing else. */
export class EventBus {
  readonly #emitter = new EventEmitter();

  /** @returns a function that takes the listener off again */
  on<N extends EventName>(name: N, listener: (event: FrameworkEvents[N]) => void): () => void {
    const guarded = (event: FrameworkEvents[N]) => {
      try {
        listener(event);
      } catch (error) {
        process.emitWarning(error instanceof Error ? error : new Error(String(error)));
      }
    };
    this.#emitter.on(name, guarded);
    return () => void this.#emitter.off(name, guarded);
  }

  emit<N extends EventName>(name: N, event: FrameworkEvents[N]): void {
    this.#emitter.emit(name, event);
  }

  /** Lets a hot path skip building an event that nobody hears. */
  hears(name: EventName): boolean {
    return this.#emitter.listenerCount(name) > 0;
  }
}
