import { BellwetherError } from '../core/errors';
import type { Statement, StatementResult } from '../database/connection';
import { Pool } from '../database/pool';
import type { ResolvedPoolOptions } from '../database/options';
import { StalePreparedStatementError } from '../database/errors';
import { connectionLost, isConnectionLoss, translateDatabaseError } from '../database/sqlstate';
import { EventBus } from '../telemetry/events';
import type { SpokenEngine } from '../theory/engines';
import { runAttempt } from './attempt';
import type { AttemptOutcome } from './attempt';
import type { AttemptFacts } from './open-transaction';
import { pauseAfter } from './backoff';
import { currentScope, runInScope } from './context';
import { runEffects } from './effects';
import { AfterCommitError, RetriesExhaustedError } from './errors';
import { makeGuards } from './make-guards';
import { assertFits } from './nesting';
import { checkTransactionOptions, DEFAULT_ATTEMPTS, DEFAULT_RETRY_BUDGET_MS } from './options';
import type { TransactionOptions } from './options';
import { Precautions } from './precautions';
import { RetryQueue } from './retry-queue';
import type { Scope } from './scope';
import { Transaction } from './transaction';

/** Each adds a precaution to those before; nobody has needed more than a few. */
const MOST_RUNS_FOR_PRECAUTIONS = 20;

let transactions = 0;

/** A database as the layers above see it: statements and transactions, with retries and context. */
export class Session {
  readonly pool: Pool;
  readonly bus = new EventBus();
  /** Whose isolation levels these are; until the server was asked, nobody's. */
  engine: SpokenEngine | 'unknown' = 'unknown';

  readonly #retries = new RetryQueue();

  constructor(options: ResolvedPoolOptions) {
    this.pool = new Pool(options, this.bus);
  }

  /** The innermost scope of this database's transaction around the running code. */
  get scope(): Scope | undefined {
    return currentScope(this);
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
  async transaction<T>(options: TransactionOptions, body: (tx: Transaction) => Promise<T>): Promise<T> {
    checkTransactionOptions(options);
    const { scope } = this;
    return scope ? this.#nested(scope, options, body) : this.#outermost(options, body);
  }

  async #alone(statement: Statement): Promise<StatementResult> {
    const begunAt = performance.now();
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#once(statement);
      } catch (error) {
        const isRead = statement.writes === false;
        if (isConnectionLoss(error)) {
          if (isRead && attempt === 1) continue; // a session that died while idle: the next one is new
          throw connectionLost(error, isRead ? 'not committed' : 'unknown');
        }
        const known = translateDatabaseError(error);
        if (!(known instanceof BellwetherError) || known.recovery !== 'retry-transaction') throw known;
        await this.#pauseOrGiveUp(attempt, attempt, begunAt, {}, known, 0);
      }
    }
  }

  #once(statement: Statement): Promise<StatementResult> {
    return this.pool.borrow(async (connection) => {
      try {
        const { isolation = this.pool.options.isolation } = statement;
        const isDefault = this.pool.sendsDefaults && isolation === this.pool.options.isolation;
        if (isDefault) return await connection.run(statement);
        // Another isolation, or a pooler that took away our default: said with the statement, still in one flight.
        const begun = connection.run({ text: `begin isolation level ${isolation}`, writes: false });
        const sent = [begun, connection.run(statement), connection.run({ text: 'commit' })] as const;
        await Promise.allSettled(sent); // all are answered before the session is somebody else's
        return (await Promise.all(sent))[1];
      } catch (error) {
        if (translateDatabaseError(error) instanceof StalePreparedStatementError) connection.outdate(error as Error);
        throw error;
      }
    });
  }

  async #outermost<T>(options: TransactionOptions, body: (tx: Transaction) => Promise<T>): Promise<T> {
    const id = ++transactions;
    const begunAt = performance.now();
    const isolation = options.isolation ?? this.pool.options.isolation;
    const precautions = new Precautions();
    let failures = 0;
    for (let attempt = 1; ; attempt++) {
      const run = () => this.#observedAttempt({ owner: this, id, attempt, isolation, options, precautions }, body);
      const outcome = await (failures === 0 ? run() : this.#retries.inTurn(run));
      if (outcome.kind === 'committed') {
        const failures = await runEffects(outcome.effects, { transactionId: id, after: 'commit' }, this.bus);
        if (failures.length > 0) throw new AfterCommitError(failures, outcome.effects.length);
        return outcome.value;
      }
      if (outcome.kind === 'unknown') throw outcome.error;
      try {
        if (!outcome.again) throw outcome.error;
        const isAtOnce = outcome.again === 'at once' && attempt - failures <= MOST_RUNS_FOR_PRECAUTIONS;
        if (!isAtOnce) failures += 1;
        await this.#pauseOrGiveUp(attempt, isAtOnce ? 0 : failures, begunAt, options, outcome.error, id);
        if (precautions.takeNeedOfGuards()) await makeGuards(this.pool);
      } catch (error) {
        await runEffects(outcome.effects, { transactionId: id, after: 'rollback' }, this.bus);
        throw error;
      }
    }
  }

  /**
   * @param failures how many of the attempts count; 0 to go on at once
   * @throws RetriesExhaustedError when the attempts or the time are used up
   */
  async #pauseOrGiveUp(
    attempt: number,
    failures: number,
    begunAt: number,
    { attempts = DEFAULT_ATTEMPTS, retryBudgetMs = DEFAULT_RETRY_BUDGET_MS }: TransactionOptions,
    error: unknown,
    transactionId: number,
  ): Promise<void> {
    const pauseMs = failures === 0 ? 0 : pauseAfter(failures);
    const elapsedMs = performance.now() - begunAt;
    if (failures >= attempts || elapsedMs + pauseMs > retryBudgetMs) {
      const isOurs = error instanceof BellwetherError && error.recovery === 'retry-transaction';
      throw isOurs ? new RetriesExhaustedError({ attempts: attempt, elapsedMs }, error) : error;
    }
    this.bus.emit('transaction:retry', { transactionId, attempt, pauseMs, error });
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }

  async #nested<T>(scope: Scope, options: TransactionOptions, body: (tx: Transaction) => Promise<T>): Promise<T> {
    scope.assertUsable();
    assertFits(scope, options);
    if (options.savepoint) {
      return scope.savepoint((child) => runInScope(child, () => body(new Transaction(child))));
    }
    try {
      return await body(new Transaction(scope));
    } catch (error) {
      scope.doom(error); // its effects are all or nothing, and they cannot be undone alone
      throw error;
    }
  }

  async #observedAttempt<T>(facts: AttemptFacts, body: (tx: Transaction) => Promise<T>): Promise<AttemptOutcome<T>> {
    const { id: transactionId, attempt, isolation, options } = facts;
    const begunAt = performance.now();
    this.bus.emit('transaction:begin', { transactionId, name: options.name, isolation, attempt });
    const outcome = await runAttempt(this.pool, this.bus, facts, body);
    this.bus.emit('transaction:end', {
      transactionId,
      name: options.name,
      attempt,
      outcome: outcome.kind,
      durationMs: performance.now() - begunAt,
      error: outcome.kind === 'committed' ? undefined : outcome.error,
    });
    return outcome;
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
