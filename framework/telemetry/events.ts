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
  /** A worker begins a job. `attempt` counts from 1. */
  'job:start': JobFacts;
  /** The handler is done, and so is the job; `not due`: nothing was to be done any more. */
  'job:end': JobFacts & { outcome: 'done' | 'not due'; durationMs: number };
  /** An attempt failed; `retryAt` is undefined when there is no further one here: the job is dead, or another worker's. */
  'job:failed': JobFacts & { error: unknown; durationMs: number; retryAt: Date | undefined };
  /** The last attempt failed, or the handler gave up. The job is kept until it is replayed or discarded. */
  'job:dead': JobFacts & { error: unknown };
  /** The worker that ran it died; it is to be had again. Told by whichever worker noticed. */
  'job:taken-over': JobFacts;
  /** A worker could not reach the queue, or had to start anew; it goes on trying. */
  'worker:error': { error: unknown };
  /** An idle connection of the pool died; the pool opens another when one is needed. */
  'pool:connection-lost': { error: unknown };
  /**
   * The session that listens was lost, or another attempt to get one has failed; `attempts` counts those. It goes on
   * trying; what is sent meanwhile is not heard.
   */
  'listener:lost': { error: unknown; attempts: number };
  /** There is a session that listens again, at the attempt of this number. */
  'listener:restored': { attempts: number };
  /** Nothing is sent to this replica for a while: it does not answer, or it is no replica any more. */
  'replica:left': { host: string; why: 'unreachable' | 'not a replica'; error: unknown };
}

/** The job's name, its id in the queue, and which attempt it is. */
export interface JobFacts {
  job: string;
  jobId: bigint;
  attempt: number;
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
