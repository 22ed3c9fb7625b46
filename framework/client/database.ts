import type { Kysely } from 'kysely';
import type { ServerFacts } from '../database/probe';
import { maskedUrl } from '../database/options';
import type { PoolState } from '../database/pool';
import type { Channel } from '../notifications/channel';
import { checkedName } from '../notifications/channel';
import type { Listener, Listening, ListenOptions } from '../notifications/listener';
import { kyselyOf } from '../query/kysely-driver';
import type { EventName, FrameworkEvents } from '../telemetry/events';
import type { IsolationLevel } from '../theory/isolation';
import type { SessionOptions } from '../transaction/consistency-session';
import {
  ConsistencySession,
  currentConsistencySession,
  runInConsistencySession,
} from '../transaction/consistency-session';
import { runOutside } from '../transaction/context';
import { runWithSession, withdrawAsDefault } from '../transaction/current';
import type { TransactionOptions } from '../transaction/options';
import type { Session } from '../transaction/session';
import type { Transaction } from '../transaction/transaction';
import type { Finding } from '../verify/finding';
import { inspectSchema, verifySchema } from '../verify/verify';

/** A connected database. `Default` is the isolation of what declares none. */
export class Database<Default extends IsolationLevel = IsolationLevel> {
  readonly #session: Session;
  readonly #facts: ServerFacts;
  readonly #listener: Listener;
  readonly #release: () => Promise<void>;

  /** @internal Made by `connect()`. */
  constructor(session: Session, facts: ServerFacts, listener: Listener, release: () => Promise<void>) {
    this.#session = session;
    this.#facts = facts;
    this.#listener = listener;
    this.#release = release;
  }

  /** Where it is, with the password masked. */
  get url(): string {
    return maskedUrl(this.#session.pool.options.url);
  }

  /** As PostgreSQL counts: 180004 is 18.4. */
  get serverVersion(): number {
    return this.#facts.versionNumber;
  }

  /** How many sessions are open and in use now. */
  get poolState(): PoolState {
    return this.#session.pool.state;
  }

  /** Isolation of what declares none, single statements too. */
  get isolation(): Default {
    return this.#session.pool.options.isolation as Default;
  }

  /**
   * Runs `body` in a transaction; all that it does in the database happens, or nothing. PostgreSQL may ask to
   * run it again from the start (SQLSTATE 40001, 40P01), so `body` should touch nothing but the database;
   * what else is to be done belongs in `tx.afterCommit`.
   *
   * Inside another transaction it joins that one, and a failure takes the outer one with it; with
   * `{ savepoint: true }` a failure undoes the inner part alone. An inner one that is given no options and whose body
   * takes `tx` is promised the connection's isolation, as its type says; otherwise it takes what the outer one has.
   *
   * @throws whatever `body` throws, after ROLLBACK
   * @throws RetriesExhaustedError when PostgreSQL asked for more attempts than `attempts` and `retryBudgetMs` allow
   * @throws AbortedError when `signal` called it off
   * @throws CommitOutcomeUnknownError when the connection died during COMMIT and the server cannot tell
   * @throws NestedTransactionError when a nested one asks for more than the outer one has
   */
  transaction<T>(body: (tx: Transaction<Default>) => Promise<T>): Promise<T>;
  transaction<T, L extends IsolationLevel = IsolationLevel>(
    options: TransactionOptions<L>,
    body: (tx: Transaction<L>) => Promise<T>,
  ): Promise<T>;
  transaction<T>(first: TransactionOptions | Body<T>, second?: Body<T>): Promise<T> {
    const promised = typeof first === 'function' && first.length > 0 ? { isolation: this.isolation } : {};
    const [options, body] = typeof first === 'function' ? [promised, first] : [first, second!];
    const withAnyLevel = body as (tx: Transaction) => Promise<T>;
    return runWithSession(this.#session, () => this.#session.transaction(options, withAnyLevel));
  }

  /** Runs `body` on one unchanging picture of the database: `repeatable read`, read only. */
  snapshot<T>(body: (tx: Transaction<'repeatable read'>) => Promise<T>): Promise<T> {
    return this.transaction({ isolation: 'repeatable read', readOnly: true }, body);
  }

  /**
   * Lets the reads of `body` that are outside of any transaction, and its snapshots, go to replicas, on the terms of
   * the guarantees that it names; writes and transactions go to the primary. A replica that is not far enough is waited
   * for up to `timeoutMs`; then the read goes to the primary.
   *
   * Positions in the log are asked for in the flights of reads and commits, so a session costs no round trip, but one
   * for each snapshot on a replica.
   *
   * @throws InvalidSessionTokenError when `token` is none
   * @throws ReplicaBehindError from reads, with `ifBehind: 'fail'`
   */
  session<T>(body: (session: ConsistencySession) => Promise<T>): Promise<T>;
  session<T>(options: SessionOptions, body: (session: ConsistencySession) => Promise<T>): Promise<T>;
  async session<T>(first: SessionOptions | SessionBody<T>, second?: SessionBody<T>): Promise<T> {
    const [options, body] = typeof first === 'function' ? [{}, first] : [first, second!];
    const session = new ConsistencySession(options, currentConsistencySession(this.#session));
    return runWithSession(this.#session, () => runInConsistencySession(this.#session, session, () => body(session)));
  }

  /** Runs `body` as if no transaction were around it, for work that is to outlive the one under way. */
  outsideTransaction<T>(body: () => T): T {
    return runOutside(body);
  }

  /**
   * Sends the model calls of `body`, and of all that it starts, to this database. With a signal, aborting calls off
   * whatever `body` has under way there: queries are cancelled on the server, transactions rolled back. It is too
   * late for what the server has done by then.
   *
   * @throws AbortedError if the signal is aborted before or meanwhile; nothing is sent in the first case
   */
  use<T>(body: () => T): T;
  use<T>(options: { readonly signal: AbortSignal }, body: () => Promise<T>): Promise<T>;
  use<T>(first: { readonly signal: AbortSignal } | (() => T), second?: () => Promise<T>): T | Promise<T> {
    if (typeof first === 'function') return runWithSession(this.#session, first);
    return runWithSession(this.#session, () => this.#session.abortable(first.signal, second!));
  }

  /**
   * Calls `listener` with the payload of each notification that is sent to the channel (`notify`) from now on: by any
   * process, once its transaction is committed, in the order of the commits. Outside of any transaction.
   *
   * All channels share one session beside the pool, which is open while somebody listens. If it is lost, another one
   * is opened, however long that takes; what is sent meanwhile is lost, and `onGap` is called. It does not keep the
   * process running.
   *
   * @returns once everything that commits from now on will be heard
   * @throws ListenUnavailableError behind a pooler; InvalidChannelError; ConnectionFailedError
   */
  listen(channel: string, listener: (payload: unknown) => unknown, options?: ListenOptions): Promise<Listening>;
  listen<P>(channel: Channel<P>, listener: (payload: P) => unknown, options?: ListenOptions): Promise<Listening>;
  async listen<P>(
    channel: string | Channel<P>,
    listener: (payload: P) => unknown,
    options: ListenOptions = {},
  ): Promise<Listening> {
    const name = typeof channel === 'string' ? checkedName(channel) : channel.name;
    const listen = () => this.#listener.listen(name, listener as (payload: unknown) => unknown, options);
    return runWithSession(this.#session, () => runOutside(listen));
  }

  /** Kysely over this database, for tables that `Tables` describes; in the transaction around it, if any. */
  kysely<Tables = unknown>(): Kysely<Tables> {
    return kyselyOf(this.#session) as Kysely<Tables>;
  }

  /**
   * Compares every model that is loaded with its table.
   *
   * @returns what holds, but with less beneath it than there could be: each `@BelongsTo` without a foreign key
   * @throws SchemaMismatchError naming each missing table, column, index and constraint, and each wrong type
   */
  verify(): Promise<readonly string[]> {
    return verifySchema(this.#session);
  }

  /** What {@link verify} finds, as data, with the SQL that puts each right, and the rules that the framework alone holds. */
  findings(): Promise<readonly Finding[]> {
    return runWithSession(this.#session, () => inspectSchema(this.#session));
  }

  /** @returns a function that takes the listener off again */
  on<N extends EventName>(name: N, listener: (event: FrameworkEvents[N]) => void): () => void {
    return this.#session.bus.on(name, listener);
  }

  /** Waits for what is under way, then closes all connections. An embedded server stops after its last user. */
  async close(): Promise<void> {
    withdrawAsDefault(this.#session);
    await Promise.all([this.#listener.close(), this.#session.pool.close(), this.#session.replicas?.close()]);
    await this.#release();
  }
}

type SessionBody<T> = (session: ConsistencySession) => Promise<T>;
type Body<T> = (tx: Transaction<never>) => Promise<T>;
