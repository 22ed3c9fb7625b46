import type { Statement, StatementResult } from '../database/connection';
import { ConnectionLostError } from '../database/errors';
import { isPostgresError, translateDatabaseError } from '../database/sqlstate';
import { BellwetherError } from '../core/errors';
import type { CommitTask } from './before-commit';
import { commitTasks } from './before-commit';
import { SiblingWaitError, TransactionDoomedError, TransactionEndedError } from './errors';
import { Notes } from './notes';
import type { OpenTransaction } from './open-transaction';

export type Effect = () => void | Promise<void>;

/** How long a query waits for a nested transaction beside it, in milliseconds. */
const SIBLING_WAIT_MS = 60_000;

/**
 * A stretch of a transaction that succeeds or fails as one: the whole of it, or what follows a savepoint.
 *
 * Savepoints form a stack on the server, so of several children only one is open at a time, and queries of
 * the parent wait until it has ended: otherwise undoing one would undo the work of the others.
 */
export class Scope {
  readonly transaction: OpenTransaction;
  readonly notes: Notes;
  readonly #parent: Scope | undefined;
  readonly #enrolled = new Map<object, () => void>();
  readonly #born = new WeakSet<object>();
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #afterCommit: Effect[] = [];
  readonly #afterRollback: Effect[] = [];
  /** After the rollback of nested ones that were undone alone: they run, however the whole ends. */
  readonly #afterUndoing: Effect[] = [];
  #openChild: { readonly scope: Scope; readonly ended: Promise<void> } | undefined;
  #doomedBy: unknown;
  #isClosed = false;
  /** The savepoint behind which this scope stands; sent with its first statement. */
  readonly #savepoint: string | undefined;
  #isSavepointSent = false;

  constructor(transaction: OpenTransaction, parent?: Scope) {
    this.transaction = transaction;
    this.#parent = parent;
    this.notes = new Notes(parent?.notes);
    if (parent) this.#savepoint = `bw_${++transaction.savepoints}`;
  }

  get isClosed(): boolean {
    return this.#isClosed || (this.#parent?.isClosed ?? false);
  }

  /** Whether it is `other`, or nested in it. */
  isWithin(other: Scope): boolean {
    return this === other || (this.#parent?.isWithin(other) ?? false);
  }

  /** Sends at once unless a nested transaction is open here. @throws our errors only */
  execute(statement: Statement): Promise<StatementResult> {
    return this.#openChild ? this.#executeInTurn(statement) : this.#send(statement);
  }

  async #executeInTurn(statement: Statement): Promise<StatementResult> {
    this.assertUsable();
    while (this.#openChild) await this.#turn();
    return this.#send(statement);
  }

  /**
   * Sends several in one flight, with nothing of others in between. Those after one that fails fail too.
   *
   * @throws the error of the first that failed, once all are answered
   */
  async executeTogether(statements: readonly Statement[]): Promise<StatementResult[]> {
    this.assertUsable();
    while (this.#openChild) await this.#turn();
    const answers = statements.map((statement) => this.#send(statement));
    await Promise.allSettled(answers);
    return Promise.all(answers);
  }

  async #send(statement: Statement): Promise<StatementResult> {
    this.assertUsable();
    this.#sendSavepoint();
    const answer = this.transaction.send(statement);
    this.#underWay.add(answer);
    try {
      return this.transaction.heard(statement, await answer);
    } catch (error) {
      this.transaction.refused(statement, error);
      throw this.#failedWith(error);
    } finally {
      this.#underWay.delete(answer);
    }
  }

  /** Runs `body` behind a savepoint. When it fails, its work alone is undone and its error is thrown. */
  async savepoint<T>(body: (child: Scope) => Promise<T>): Promise<T> {
    this.assertUsable();
    while (this.#openChild) await this.#turn();
    const child = new Scope(this.transaction, this);
    let end!: () => void;
    this.#openChild = { scope: child, ended: new Promise((resolve) => (end = resolve)) };
    try {
      return await this.#runChild(child, body);
    } finally {
      this.#openChild = undefined;
      end();
    }
  }

  async #runChild<T>(child: Scope, body: (child: Scope) => Promise<T>): Promise<T> {
    try {
      const value = await body(child);
      await child.finish();
      if (child.#isSavepointSent) this.#control(`release savepoint ${child.#savepoint}`);
      this.#adopt(child);
      return value;
    } catch (error) {
      child.close();
      await child.drain();
      this.#afterUndoing.push(...child.effectsAfterRollback);
      if (this.transaction.mustRetry !== undefined) this.#enrolAll(child);
      else await this.#undo(child);
      throw error;
    }
  }

  /** Parents first: a savepoint stands inside those around it. */
  #sendSavepoint(): void {
    if (this.#savepoint === undefined || this.#isSavepointSent) return;
    this.#parent!.#sendSavepoint();
    this.#isSavepointSent = true;
    this.#control(`savepoint ${this.#savepoint}`);
  }

  /** Not waited for: it cannot fail without failing everything after it. */
  #control(text: string): void {
    this.transaction.control(text).catch((error: unknown) => void this.#failedWith(error));
  }

  async #undo(child: Scope): Promise<void> {
    const name = child.#savepoint;
    try {
      if (child.#isSavepointSent) {
        await this.transaction.control(`rollback to savepoint ${name}; release savepoint ${name}`);
      }
    } catch (error) {
      this.#failedWith(error); // the first error tells more, so it is the one thrown
    }
    // Only now: what the last answers changed in the records has been changed.
    child.restore();
  }

  /** Remembers what this scope rests on is lost: it can only be rolled back. */
  doom(error: unknown): void {
    this.#doomedBy ??= error;
  }

  /**
   * Waits for what nobody awaited, so that the end comes after it and knows its outcome, and has the tasks done that
   * come before COMMIT; then closes, in the same step as the last look, so that nothing slips in between.
   *
   * @throws as `assertCommittable` does, and what a task throws
   */
  async finish(): Promise<void> {
    for (;;) {
      await allMicrotasks();
      if (this.#openChild) await this.#openChild.ended;
      else if (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
      else {
        const task = this.#nextTask();
        if (task === undefined) break;
        this.assertCommittable();
        await task.run(this.notes.take(task));
      }
    }
    this.close();
    this.assertCommittable();
  }

  /** Only in the outermost scope: the others hand over what is noted. */
  #nextTask(): CommitTask<unknown> | undefined {
    return this.#parent ? undefined : commitTasks(this.notes)[0];
  }

  /** Waits for the answers of the statements that are sent, here and in nested ones, whose bodies may run on. */
  async drain(): Promise<void> {
    for (let sent = this.#sent(); sent.length > 0; sent = this.#sent()) await Promise.allSettled(sent);
  }

  #sent(): Promise<unknown>[] {
    return [...this.#underWay, ...(this.#openChild ? this.#openChild.scope.#sent() : [])];
  }

  close(): void {
    this.#isClosed = true;
  }

  assertUsable(): void {
    if (this.isClosed) throw this.transaction.abortedBy ?? new TransactionEndedError();
    this.assertCommittable();
  }

  /** @throws what PostgreSQL wants retried, or TransactionDoomedError for a failure that the body caught */
  assertCommittable(): void {
    if (this.transaction.mustRetry !== undefined) throw this.transaction.mustRetry as Error;
    if (this.#doomedBy instanceof ConnectionLostError) throw this.#doomedBy;
    if (this.#doomedBy !== undefined) throw new TransactionDoomedError(this.#doomedBy);
    this.#parent?.assertCommittable();
  }

  afterCommit(effect: Effect): void {
    this.assertUsable();
    this.#afterCommit.push(effect);
  }

  afterRollback(effect: Effect): void {
    this.assertUsable();
    this.#afterRollback.push(effect);
  }

  /** Those after COMMIT, then those of the nested ones that were undone. */
  get effectsAfterCommit(): readonly Effect[] {
    return [...this.#afterCommit, ...this.#afterUndoing];
  }

  /** Of this scope, of the nested ones that were undone, and of one that still runs. */
  get effectsAfterRollback(): readonly Effect[] {
    const running = this.#openChild?.scope.effectsAfterRollback ?? [];
    return [...this.#afterRollback, ...this.#afterUndoing, ...running];
  }

  /** Says that `record` was made inside this scope: what it was before is nothing that one would want back. */
  noteBirth(record: object): void {
    this.#born.add(record);
  }

  wasBornHere(record: object): boolean {
    return this.#born.has(record);
  }

  /** Keeps the first way back for `record`; it is used if this scope is undone. */
  enrol(record: object, putBack: () => void): void {
    if (!this.#enrolled.has(record)) this.#enrolled.set(record, putBack);
  }

  /** Everything that has a way back. */
  get enrolled(): readonly object[] {
    return [...this.#enrolled.keys()];
  }

  /** Puts the enrolled records back to the state that they had when they were enrolled. */
  restore(): void {
    this.#openChild?.scope.restore(); // it began later, so this scope's way back is the one that counts
    for (const putBack of this.#enrolled.values()) putBack();
    this.#enrolled.clear();
  }

  #enrolAll(child: Scope): void {
    for (const [record, putBack] of child.#enrolled) this.enrol(record, putBack);
    child.#enrolled.clear();
  }

  #adopt(child: Scope): void {
    this.#enrolAll(child);
    this.notes.adopt(child.notes);
    this.#afterCommit.push(...child.#afterCommit);
    this.#afterRollback.push(...child.#afterRollback);
    this.#afterUndoing.push(...child.#afterUndoing);
  }

  async #turn(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new SiblingWaitError(SIBLING_WAIT_MS)), SIBLING_WAIT_MS);
    });
    try {
      await Promise.race([this.#openChild?.ended, tooLong]);
    } finally {
      clearTimeout(timer);
    }
    this.assertUsable();
  }

  #failedWith(error: unknown): unknown {
    if (this.transaction.abortedBy) return this.transaction.abortedBy;
    if (isConsequence(error)) {
      if (this.transaction.mustRetry !== undefined) return this.transaction.mustRetry;
      const earlier = this.#firstFailure();
      if (earlier !== undefined) return new TransactionDoomedError(earlier);
    }
    const known = translateDatabaseError(this.transaction.beginFailure ?? error);
    this.doom(known);
    if (known instanceof BellwetherError && known.recovery === 'retry-transaction') {
      this.transaction.mustRetry ??= known;
      if (known.code === 'E_STALE_PREPARED_STATEMENT') this.transaction.outdate(known);
    }
    return known;
  }

  #firstFailure(): unknown {
    return this.#doomedBy ?? (this.#parent ? this.#parent.#firstFailure() : undefined);
  }
}

/** Lets everything that only waits for promises fulfilled already run on until it waits for something else. */
function allMicrotasks(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

/**
 * Whether an error may only say that an earlier statement of the same flight failed: the transaction is aborted
 * (25P02), so that a prepared statement (26000) or a savepoint (3B001) that would be there is not.
 */
function isConsequence(error: unknown): boolean {
  return isPostgresError(error) && ['25P02', '26000', '3B001'].includes(error.code);
}
