import { BellwetherError } from '../core/errors';
import { abortion, assertNotAborted, cancelledOnAbort, unlessAborted } from '../database/abort';
import type { Signals } from '../database/abort';
import type { Connection, Statement, StatementResult } from '../database/connection';
import { Pool } from '../database/pool';
import type { ResolvedPoolOptions } from '../database/options';
import type { Replica, Replicas } from '../database/replicas';
import { StalePreparedStatementError } from '../database/errors';
import { connectionLost, isConnectionLoss, isPostgresError, translateDatabaseError } from '../database/sqlstate';
import { EventBus } from '../telemetry/events';
import type { SpokenEngine } from '../theory/engines';
import { runAttempt } from './attempt';
import { pauseAfter } from './backoff';
import { withPosition } from './consistency-session';
import type { Decision } from './context';
import { currentDecision, currentScope, currentSignals, runInScope, runWithSignal } from './context';
import { runEffects } from './effects';
import { AfterCommitError, RetriesExhaustedError } from './errors';
import { borrowInFlight } from './flight';
import { HotRows } from './hot-rows';
import { Lines } from './lines';
import { makeGuards } from './make-guards';
import { noteLoneWork } from './lone-work';
import type { AttemptFacts } from './open-transaction';
import { assertFits } from './nesting';
import { checkTransactionOptions, DEFAULT_ATTEMPTS, DEFAULT_RETRY_BUDGET_MS, QUEUE_PATIENCE_MS } from './options';
import type { TransactionOptions } from './options';
import { Precautions } from './precautions';
import { isReplicaLost, readOnReplica, replicaFor } from './replica-reads';
import type { Scope } from './scope';
import { enterQueues, leaveQueues } from './server-queues';
import { Transaction } from './transaction';
import { WeakerCommits } from './weaker-commits';

/** Each adds a precaution to those before; nobody has needed more than a few. */
const MOST_RUNS_FOR_PRECAUTIONS = 20;

/** So many failures are followed by the next attempt at once, since that queues for what it failed for. */
const QUEUED_AT_ONCE = 2;
/** Most queues that one transaction stands in, of all that its attempts have failed for. */
const MOST_QUEUES_JOINED = 32;

let transactions = 0;

/** An attempt that may be followed by another. */
interface Failure {
  /** 0 for a single statement. */
  readonly id: number;
  readonly begunAt: number;
  readonly attempt: number;
  /** How many of the attempts count; 0 to go on at once. */
  readonly failures: number;
  readonly error: unknown;
  readonly queues: readonly string[];
  readonly signals: Signals;
}

/** A database as the layers above see it: statements and transactions, with retries and context. */
export class Session {
  readonly pool: Pool;
  readonly bus = new EventBus();
  /** Whose isolation levels these are; until the server was asked, nobody's. */
  engine: SpokenEngine | 'unknown' = 'unknown';

  /** Where reads in a consistency session may go. */
  replicas: Replicas | undefined;

  readonly #hotRows = new HotRows();
  readonly #weakerCommits = new WeakerCommits();
  readonly #lines = new Lines();

  constructor(options: ResolvedPoolOptions) {
    this.pool = new Pool(options, this.bus);
  }

  /** The innermost scope of this database's transaction around the running code. */
  get scope(): Scope | undefined {
    return currentScope(this);
  }

  /** What the running code decides on the strength of its reads, where these have to be held by locks. */
  get decision(): Decision | undefined {
    return currentDecision(this);
  }

  /**
   * Runs one statement: in the transaction around it, else by itself at the connection's isolation, again
   * when PostgreSQL asks for that.
   */
  execute(statement: Statement, scope: Scope | undefined = this.scope): Promise<StatementResult> {
    const answer = scope ? scope.execute(statement) : this.#alone(statement);
    return this.bus.hears('statement:end') ? this.#observed(statement, answer) : answer;
  }

  /** Runs several in the transaction of `scope`, in one flight. @throws the error of the first that fails */
  executeTogether(statements: readonly Statement[], scope: Scope): Promise<StatementResult[]> {
    const answers = scope.executeTogether(statements);
    if (!this.bus.hears('statement:end')) return answers;
    const each = statements.map((statement, index) =>
      this.#observed(
        statement,
        answers.then((results) => results[index]!),
      ),
    );
    return Promise.all(each);
  }

  /** The same, where a failure is to be undone by itself: inside a transaction, behind a savepoint. */
  executeBehindSavepoint(statement: Statement): Promise<StatementResult> {
    const { scope } = this;
    return scope ? scope.savepoint((child) => this.execute(statement, child)) : this.execute(statement);
  }

  /**
   * Runs `body` in a transaction, again from the start whenever PostgreSQL says that trying again may help.
   * `body` must therefore touch nothing but the database; other effects belong in `tx.afterCommit`.
   */
  transaction<T>(options: TransactionOptions, body: (tx: Transaction) => Promise<T>): Promise<T> {
    const { scope } = this;
    return scope ? this.#nested(scope, options, body) : this.#outermost(options, body);
  }

  /** Runs `body`; what it does in the database is called off by the signal, with the transaction around it, if any. */
  async abortable<T>(signal: AbortSignal, body: () => Promise<T>): Promise<T> {
    assertNotAborted([signal]);
    const { scope } = this;
    if (!scope) return runWithSignal(signal, body);
    const takeOff = scope.transaction.abortOn([signal]);
    try {
      return await body();
    } finally {
      takeOff();
    }
  }

  async #alone(statement: Statement): Promise<StatementResult> {
    noteLoneWork();
    const isRead = statement.writes === false && !statement.locks;
    const answered = this.replicas && isRead ? await readOnReplica(this, this.replicas, statement) : undefined;
    if (answered) return answered;
    const begunAt = performance.now();
    const signals = currentSignals();
    let queues = statement.writes === false ? [] : this.#hotRows.queuesFor(statement);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#once(statement, queues, signals);
      } catch (error) {
        const aborted = isPostgresError(error) && error.code === '57014' ? abortion(signals) : undefined;
        if (aborted) throw aborted;
        const isRead = statement.writes === false;
        if (isConnectionLoss(error)) {
          if (isRead && attempt === 1) continue; // a session that died while idle: the next one is new
          throw connectionLost(error, isRead ? 'not committed' : 'unknown');
        }
        const known = translateDatabaseError(error);
        if (!(known instanceof BellwetherError) || known.recovery !== 'retry-transaction') throw known;
        const failed = { attempt, statements: [statement], refusal: { statement, error } };
        queues = together(queues, this.#hotRows.learn(known, failed));
        await this.#pauseOrGiveUp({ id: 0, begunAt, attempt, failures: attempt, error: known, queues, signals }, {});
      }
    }
  }

  #once(statement: Statement, queues: readonly string[], signals: Signals): Promise<StatementResult> {
    const run = (connection: Connection) =>
      cancelledOnAbort(signals, connection, () => this.#onceOn(connection, statement, queues));
    return queues.length === 0 ? borrowInFlight(this.pool, run, signals) : this.pool.borrow(run, signals);
  }

  /** The places in the queues are asked for, used and given back in one flight. */
  async #onceOn(connection: Connection, statement: Statement, queues: readonly string[]): Promise<StatementResult> {
    const isInQueue = queues.length > 0 && this.pool.ownsSessions;
    try {
      if (isInQueue) {
        enterQueues(connection, queues, QUEUE_PATIENCE_MS, () => this.#hotRows.renew(statement, queues));
      }
      const answer = this.#sendAlone(connection, statement);
      if (isInQueue) await Promise.allSettled([answer, leaveQueues(connection)]);
      return await answer;
    } catch (error) {
      if (translateDatabaseError(error) instanceof StalePreparedStatementError) connection.outdate(error as Error);
      throw error;
    }
  }

  async #sendAlone(connection: Connection, statement: Statement): Promise<StatementResult> {
    const { isolation = this.pool.options.isolation } = statement;
    const isDefault = this.pool.ownsSessions && isolation === this.pool.options.isolation;
    const kind = statement.writes === false ? 'read' : 'written';
    if (isDefault) return withPosition(this, connection, connection.run(statement), kind);
    // Another isolation, or a pooler that took away our default: said with the statement, still in one flight.
    const begun = connection.run({ text: `begin isolation level ${isolation}`, writes: false });
    const answer = connection.run(statement);
    const committed = withPosition(this, connection, connection.run({ text: 'commit' }), kind);
    const sent = [begun, answer, committed] as const;
    await Promise.allSettled(sent); // all are answered before the session is somebody else's
    return (await Promise.all(sent))[1];
  }

  async #outermost<T>(options: TransactionOptions, body: (tx: Transaction) => Promise<T>): Promise<T> {
    checkTransactionOptions(options);
    noteLoneWork();
    const id = ++transactions;
    const begunAt = performance.now();
    const isolation = options.isolation ?? this.pool.options.isolation;
    const signals = options.signal ? [...currentSignals(), options.signal] : currentSignals();
    const precautions = new Precautions();
    let queues: readonly string[] = [];
    let failures = 0;
    const replica = await (this.replicas && this.#replicaFor(this.replicas, options));
    for (let attempt = 1; ; attempt++) {
      const pool = attempt === 1 ? (replica?.pool ?? this.pool) : this.pool;
      assertNotAborted(signals);
      const facts: AttemptFacts = {
        owner: this,
        id,
        attempt,
        isolation,
        options,
        precautions,
        hotRows: this.#hotRows,
        queues,
        lines: this.#lines,
        weakerCommits: this.#weakerCommits,
        acquireTimeoutMs: this.pool.options.acquireTimeoutMs,
        transactionIds: this.pool.transactionIds,
        signals,
      };
      const outcome = await runAttempt(pool, this.bus, facts, body);
      if (outcome.kind === 'committed') {
        if (outcome.effects.length === 0) return outcome.value;
        const failures = await runEffects(outcome.effects, { transactionId: id, after: 'commit' }, this.bus);
        if (failures.length > 0) throw new AfterCommitError(failures, outcome.effects.length);
        return outcome.value;
      }
      if (outcome.kind === 'unknown') throw outcome.error;
      try {
        if (attempt === 1 && replica && isReplicaLost(outcome.error)) {
          replica.leave('unreachable', outcome.error);
          continue; // on the primary
        }
        if (!outcome.again) throw outcome.error;
        const isAtOnce = outcome.again === 'at once' && attempt - failures <= MOST_RUNS_FOR_PRECAUTIONS;
        if (!isAtOnce) failures += 1;
        queues = together(queues, outcome.queues);
        const failed = {
          id,
          begunAt,
          attempt,
          failures: isAtOnce ? 0 : failures,
          error: outcome.error,
          queues,
          signals,
        };
        await this.#pauseOrGiveUp(failed, options);
        if (precautions.takeNeedOfGuards()) await makeGuards(this.pool);
      } catch (error) {
        await runEffects(outcome.effects, { transactionId: id, after: 'rollback' }, this.bus);
        throw error;
      }
    }
  }

  /** @throws RetriesExhaustedError when the attempts or the time are used up */
  async #pauseOrGiveUp(
    { id, begunAt, attempt, failures, error, queues, signals }: Failure,
    { attempts = DEFAULT_ATTEMPTS, retryBudgetMs = DEFAULT_RETRY_BUDGET_MS }: TransactionOptions,
  ): Promise<void> {
    const pauseMs = failures === 0 || (queues.length > 0 && failures <= QUEUED_AT_ONCE) ? 0 : pauseAfter(failures);
    const elapsedMs = performance.now() - begunAt;
    if (failures >= attempts || elapsedMs + pauseMs > retryBudgetMs) {
      const isOurs = error instanceof BellwetherError && error.recovery === 'retry-transaction';
      throw isOurs ? new RetriesExhaustedError({ attempts: attempt, elapsedMs }, error) : error;
    }
    this.bus.emit('transaction:retry', { transactionId: id, attempt, pauseMs, error });
    if (pauseMs > 0) await unlessAborted(signals, new Promise((resolve) => setTimeout(resolve, pauseMs)));
  }

  async #nested<T>(scope: Scope, options: TransactionOptions, body: (tx: Transaction) => Promise<T>): Promise<T> {
    checkTransactionOptions(options);
    scope.assertUsable();
    assertFits(scope, options);
    if (options.signal) return this.abortable(options.signal, () => this.#nested(scope, without(options), body));
    if (options.savepoint) {
      return scope.savepoint((child) => runInScope(child, () => body(new Transaction(child)), this.decision));
    }
    try {
      return await body(new Transaction(scope));
    } catch (error) {
      scope.doom(error); // its effects are all or nothing, and they cannot be undone alone
      throw error;
    }
  }

  /** For a transaction that can run on a replica, one that is far enough for the session around it. */
  #replicaFor(replicas: Replicas, options: TransactionOptions): Promise<Replica | undefined> | undefined {
    const isSnapshot = options.readOnly && options.isolation === 'repeatable read';
    return isSnapshot ? replicaFor(this, replicas) : undefined;
  }

  async #observed(statement: Statement, answer: Promise<StatementResult>): Promise<StatementResult> {
    const begunAt = performance.now();
    const report = (rows: number, error: unknown) =>
      this.bus.emit('statement:end', { sql: statement.text, rows, durationMs: performance.now() - begunAt, error });
    try {
      const result = await answer;
      report(result.rowCount, undefined);
      return result;
    } catch (error) {
      report(0, error);
      throw error;
    }
  }
}

function without({ signal: _, ...options }: TransactionOptions): TransactionOptions {
  return options;
}

function together(one: readonly string[], other: readonly string[]): readonly string[] {
  return [...new Set([...one, ...other])].slice(0, MOST_QUEUES_JOINED);
}
