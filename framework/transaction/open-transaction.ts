import { tick } from '../attributes/record-state';
import type { Statement, StatementResult } from '../database/connection';
import type { BorrowedSession, Queueing } from './borrowed-session';
import { withPosition } from './consistency-session';
import { AbortedError } from '../database/errors';
import { isConnectionLoss, isPostgresError } from '../database/sqlstate';
import type { TransactionIds } from '../database/transaction-ids';
import type { IsolationLevel } from '../theory/isolation';
import { abortion, onAbort } from '../database/abort';
import type { Signals } from '../database/abort';
import { PrecautionNeededError, TransactionEndedError } from './errors';
import { wereTaken } from './guards';
import type { HotRows, Refusal } from './hot-rows';
import { tableInTheWay } from './hot-rows';
import type { Lines } from './lines';
import type { TransactionOptions } from './options';
import { beginStatement, boundOf, QUEUE_PATIENCE_MS } from './options';
import type { Precaution } from './precautions';
import { Precautions } from './precautions';
import type { TransactionId } from './transaction-number';
import { TransactionNumber } from './transaction-number';
import { hasLockTimedOut, TriedTable } from './tried-table';
import type { WeakerCommits } from './weaker-commits';
import { moreWeakerCommits, RuleReads } from './weaker-commits';

export interface AttemptFacts {
  readonly owner: object;
  readonly id: number;
  readonly attempt: number;
  readonly isolation: IsolationLevel;
  readonly options: TransactionOptions;
  /** Those of all attempts together. */
  readonly precautions: Precautions;
  readonly hotRows: HotRows;
  /** What earlier attempts have failed for. */
  readonly queues: readonly string[];
  readonly lines: Lines;
  readonly weakerCommits: WeakerCommits;
  /** How long it may wait for a session, in milliseconds. */
  readonly acquireTimeoutMs: number;
  readonly transactionIds: TransactionIds | undefined;
  /** Who may call it off from the start. */
  readonly signals: Signals;
}

/** Where a transaction stands on the server. A lost COMMIT is looked up by `xid`. */
export interface TransactionIdentity {
  readonly xid: TransactionId;
  /** Whether a statement was sent that may have changed something. */
  readonly mayHaveWritten: boolean;
}

/** Statements of one attempt. */
const MOST_REMEMBERED = 50;

/**
 * From which failure over one row on the next attempt tries to have its table alone: those who are in the way queue for
 * nothing, such as single statements of other processes, so that a transaction which reads first never gets in between.
 */
const TRIES_FROM_ATTEMPT = 5;

/**
 * One attempt of an outermost transaction on its session.
 *
 * BEGIN leaves with the first statement, in the same flight; a body without statements sends nothing. The
 * transaction id comes back with the first row that is written, or is asked for along with the first write of another
 * kind, so that it is known before COMMIT is sent.
 */
export class OpenTransaction {
  readonly id: number;
  readonly attempt: number;
  readonly isolation: IsolationLevel;
  readonly options: TransactionOptions;
  /** What it holds from the start. */
  readonly precautions: Precautions;
  /** What was read since is dated from then on; see {@link tick}. */
  readonly begunAt = tick();
  /** Which session the transaction belongs to: its identity only. */
  readonly owner: object;
  /** Says that PostgreSQL asked to run the whole again; nothing in it can be committed any more. */
  mustRetry: unknown;
  /** Says that a signal has called it off: nothing more may be sent in it. */
  abortedBy: AbortedError | undefined;
  savepoints = 0;
  statements = 0;
  /** The first ones, in the order in which they were sent: what a failure may be about. */
  readonly #sent: Statement[] = [];
  /** The first statement that PostgreSQL refused. */
  #refusal: Refusal | undefined;
  readonly #session: BorrowedSession;
  readonly #facts: AttemptFacts;
  readonly #number: TransactionNumber;
  /** What its rules have read, among transactions of other levels. */
  readonly ruleReads: RuleReads;
  #taken: Precautions | undefined;
  /** What it has to itself. */
  #tried: TriedTable | undefined;
  /** Whether somebody may call it off, so that a cancel request may be on its way at its end. */
  #isAbortable = false;
  /** What is to be done at once when a signal calls it off. */
  #onAbort: ((error: AbortedError) => void) | undefined;
  #begun = false;
  #isOver = false;
  #beginFailure: Error | undefined;
  #hasWrittenAlone = false;
  #hasBegunInVain = false;
  #mayHaveWritten = false;
  #hasSnapshot = false;
  #holdsLocks = false;

  constructor(session: BorrowedSession, facts: AttemptFacts) {
    this.#session = session;
    this.#facts = facts;
    this.owner = facts.owner;
    this.id = facts.id;
    this.attempt = facts.attempt;
    this.isolation = facts.isolation;
    this.options = facts.options;
    this.precautions = facts.precautions;
    this.ruleReads = new RuleReads(facts.isolation, facts.weakerCommits);
    this.#number = new TransactionNumber(session, facts.transactionIds);
  }

  /** What of the kinds of precautions it has taken on its way: if it is run again, that comes first too. */
  get taken(): Precautions {
    return (this.#taken ??= new Precautions());
  }

  /** How long it waits for a lock, in milliseconds; undefined for the session's bound. */
  get lockTimeoutMs(): number | undefined {
    const { lockTimeoutMs } = this.options;
    return this.#tried ? this.#tried.patienceWithin(lockTimeoutMs) : lockTimeoutMs;
  }

  get hasBegun(): boolean {
    return this.#begun;
  }

  /** Why there is no transaction, although its first statements were sent along with BEGIN. */
  get beginFailure(): unknown {
    return this.#beginFailure;
  }

  /** Whether one of those was a write that took effect by itself. */
  get hasWrittenAlone(): boolean {
    return this.#hasWrittenAlone;
  }

  /** Whether the session was lost, or unusable, when it was handed on: nothing was done then. */
  get hasBegunInVain(): boolean {
    return this.#hasBegunInVain;
  }

  /** Whether what it reads is of a moment that has passed already, where its level keeps to one moment. */
  get hasSnapshot(): boolean {
    return this.#hasSnapshot || this.precautions.guards.size > 0; // those take it, before the first statement
  }

  /** Whether others may have to wait for it by now, so that waiting for them could close a circle. */
  get holdsLocks(): boolean {
    return this.#holdsLocks || !this.precautions.isEmpty;
  }

  /** From now on the signals may call it off. @returns takes that back */
  abortOn(signals: Signals): () => void {
    this.#isAbortable ||= signals.length > 0;
    this.abortedBy ??= abortion(signals);
    return onAbort(signals, (reason) => {
      this.abortedBy ??= new AbortedError(reason);
      this.#onAbort?.(this.abortedBy);
    });
  }

  /** What `body` gives, unless a signal comes first: a body that waits for something else is not waited for. */
  unlessAborted<T>(body: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#onAbort = reject;
      if (this.abortedBy) reject(this.abortedBy);
      body.then(resolve, reject);
    });
  }

  /** Has the server cancel what is under way. */
  cancel(reason: AbortedError): Promise<void> {
    return this.#session.cancel(reason);
  }

  /** Has the whole transaction run again from the start, with this taken first. @throws PrecautionNeededError */
  runAgainWith(precaution: Precaution): never {
    this.#needNext(precaution);
    throw this.mustRetry as Error;
  }

  #needNext(precaution: Precaution): void {
    if (this.#taken) this.precautions.addAll(this.#taken);
    this.precautions.add(precaution);
    this.mustRetry ??= new PrecautionNeededError();
  }

  /** What comes of it is to be told: to `heard`, or to `refused`. Rejects with the driver's error. */
  send(statement: Statement): Promise<StatementResult> {
    this.statements += 1;
    const answer = this.#run(statement);
    if (this.#sent.length < MOST_REMEMBERED) this.#sent.push(statement);
    this.#note(statement);
    if (statement.writes !== false && !this.#tellsXid(statement)) this.#number.ask();
    return answer;
  }

  refused(statement: Statement, error: unknown): void {
    this.#refusal ??= { statement, error };
    this.#giveUpTable(error);
  }

  /** @throws the error of BEGIN, which the statement was sent along with */
  heard(statement: Statement, result: StatementResult): StatementResult {
    if (this.#beginFailure === undefined) {
      if (statement.xminAt !== undefined) this.#learnXid(statement, result);
      return result;
    }
    if (statement.writes !== false) this.#hasWrittenAlone = true;
    throw this.#beginFailure;
  }

  /** For savepoints: they write nothing themselves. */
  async control(text: string): Promise<void> {
    await this.#run({ text, writes: false });
  }

  /** @returns the command tag of the answer. Rejects with the driver's error. */
  async commit(): Promise<string> {
    this.#isOver = true;
    // It was asked for along with a write that is answered by now; without it, a lost answer would stay a riddle.
    if (this.#number.asking) await this.#number.asking;
    let cancelling: Promise<void> | undefined;
    this.#onAbort = (reason) => (cancelling ??= this.#session.cancel(reason));
    try {
      const isAtStake = this.#mayHaveWritten && this.ruleReads.areReliedOn;
      const refusal = isAtStake ? await this.ruleReads.end((words) => this.#session.run(words)) : undefined;
      const { command } = await this.#end('commit');
      if (refusal?.() !== undefined && command !== 'COMMIT') this.#heed(refusal());
      return command;
    } catch (error) {
      this.#giveUpTable(error);
      throw error;
    } finally {
      if (cancelling) await cancelling;
    }
  }

  /** Learns why COMMIT was in vain. @throws what is not to be run again for */
  #heed(refusal: unknown): void {
    const needed = this.ruleReads.neededAfter(refusal);
    if (!needed) throw refusal as Error;
    if (needed.holdsReads && this.precautions.holdsReads) this.mustRetry ??= moreWeakerCommits(refusal);
    else this.#needNext(needed);
  }

  async rollback(): Promise<void> {
    this.#isOver = true;
    if (!this.#begun || this.#session.isGone) return;
    try {
      await this.#end('rollback');
    } catch (error) {
      // The server rolls back by itself when the session closes.
      this.#session.discard(error as Error);
      if (!isConnectionLoss(error)) throw error;
    }
  }

  #end(text: string): Promise<StatementResult> {
    const sent = this.#session.run({ text, writes: false });
    const kind = this.#mayHaveWritten ? 'written' : 'read';
    const answer = text === 'commit' ? withPosition(this.owner, this.#session, sent, kind) : sent;
    if (!this.#session.isInLine) return answer;
    const isLast = text === 'commit' && !this.#isAbortable;
    const leaving = this.#session.leaveLine(answer, isLast);
    return leaving ? Promise.allSettled([answer, leaving]).then(() => answer) : answer;
  }

  discard(reason: Error): void {
    this.#session.discard(reason);
  }

  /** Says that the schema has changed under the session's prepared statements. */
  outdate(reason: Error): void {
    this.#session.outdate(reason);
  }

  /** @returns what the next attempt is to queue for */
  learnFrom(error: unknown): readonly string[] {
    // At read committed what is waited for is current: precautions suffice.
    if (error instanceof PrecautionNeededError && this.isolation === 'read committed') return [];
    const failed = { attempt: this.attempt, statements: this.#sent, refusal: this.#refusal };
    const table = this.attempt >= TRIES_FROM_ATTEMPT ? tableInTheWay(error, failed) : undefined;
    if (table !== undefined) this.precautions.try(new TriedTable(table, error as Error));
    return this.#facts.hotRows.learn(error, failed);
  }

  async identity(): Promise<TransactionIdentity> {
    await this.#number.asking;
    return { xid: this.#number.id, mayHaveWritten: this.#mayHaveWritten };
  }

  /** Rejects with TransactionEndedError where the session may be somebody else's by now. */
  #run(statement: Statement): Promise<StatementResult> {
    if (this.#isOver) return Promise.reject(new TransactionEndedError());
    if (this.#beginFailure !== undefined) return Promise.reject(this.#beginFailure);
    return this.#begun ? this.#session.run(statement) : this.#begin(statement);
  }

  /** @returns the answer to the first statement */
  #begin(first: Statement): Promise<StatementResult> {
    this.#begun = true;
    this.#session.open(() => this.#queueingFor(first));
    if (this.options.statementTimeoutMs !== undefined) this.#session.allow(this.options.statementTimeoutMs);
    if (this.options.readOnly !== true) this.ruleReads.begin((look) => this.#session.run(look));
    const begin = beginStatement(this.isolation, this.options);
    // A cancel request has to be kept from BEGIN, which takes hearing of its end.
    const goesAlone = this.#isAbortable || !this.precautions.isEmpty;
    const onRefused = (error: unknown) => {
      this.#beginFailure = error as Error;
      this.#hasBegunInVain = this.#session.wasHandedOn;
      this.#session.discard(error as Error);
    };
    if (!goesAlone) return this.#session.begin(begin, first, onRefused);
    this.#session.run(begin).catch(onRefused);
    if (!this.precautions.isEmpty) this.#takePrecautions();
    return this.#session.run(first);
  }

  /** In the flight of BEGIN. What is sent behind one that fails is refused, and told why. */
  #takePrecautions(): void {
    this.#tried = this.precautions.takeTried();
    if (this.#tried) this.#tryFor(this.#tried);
    for (const statement of this.precautions.statements(this.isolation, this.#tried !== undefined)) {
      this.#sent.push(statement);
      this.#session.run(statement).catch((error: unknown) => {
        this.#beginFailure ??= error as Error;
        this.#refusal ??= { statement, error };
        if (wereTaken(statement, error)) this.mustRetry ??= new PrecautionNeededError();
      });
      this.#note({ ...statement, locks: true });
      if (statement.writes !== false) this.#number.ask();
    }
  }

  #tryFor(tried: TriedTable): void {
    for (const statement of tried.statements(this.options.lockTimeoutMs)) {
      this.#session.run(statement).catch((error: unknown) => {
        this.#beginFailure ??= error as Error;
        if (isConnectionLoss(error)) return;
        this.mustRetry ??= tried.because;
        if (isPostgresError(error) && error.code === '42501') this.precautions.tryNoMore();
      });
    }
    this.#holdsLocks = true;
  }

  /** Whoever holds the lock that was not to be had in time may be waiting for the table: the whole is run again. */
  #giveUpTable(error: unknown): void {
    if (this.#tried && hasLockTimedOut(error)) this.mustRetry ??= this.#tried.because;
  }

  /** Undefined where there is nothing to queue for. */
  #queueingFor(first: Statement): Queueing | undefined {
    const { hotRows, lines, acquireTimeoutMs } = this.#facts;
    // At read committed nothing fails for having waited, and what only reads is in nobody's way.
    const isCalm = this.isolation === 'read committed' || this.options.readOnly === true;
    const hot = isCalm ? [] : hotRows.queuesFor(first);
    if (hot.length === 0 && this.#facts.queues.length === 0) return undefined;
    const queues = [...new Set([...this.#facts.queues, ...hot])];
    const bound = boundOf(this.options);
    return {
      lines,
      queues,
      patienceMs: Math.min(QUEUE_PATIENCE_MS, bound),
      boundMs: Math.min(acquireTimeoutMs, bound),
      onWait: () => hotRows.renew(first, queues),
    };
  }

  #note({ writes, locks, takesSnapshot }: Statement): void {
    if (takesSnapshot !== false) this.#hasSnapshot = true;
    if (writes !== false || locks === true) this.#holdsLocks = true;
    if (writes !== false) this.#mayHaveWritten = true;
  }

  /** Whether the row that comes back will tell the transaction's id. Behind a savepoint it would tell the savepoint's. */
  #tellsXid({ xminAt }: Statement): boolean {
    return xminAt !== undefined && this.savepoints === 0 && this.#number.isToldByRows;
  }

  /** Where no row was written there is no id yet, unless a trigger has written others. */
  #learnXid(statement: Statement, { rows: [row] }: StatementResult): void {
    if (row && this.#tellsXid(statement)) this.#number.learn(row[statement.xminAt!] as string);
    else this.#number.ask();
  }
}
