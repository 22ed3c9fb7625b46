import type { Signals } from '../database/abort';
import type { Connection, Statement, StatementResult } from '../database/connection';
import type { Pool } from '../database/pool';
import type { Line, Lines } from './lines';
import { enterQueues, leaveQueues } from './server-queues';

interface Unsent {
  readonly send: (connection: Connection) => void;
  readonly reject: (reason: Error) => void;
}

/** What an attempt queues for, and how. */
export interface Queueing {
  readonly lines: Lines;
  readonly queues: readonly string[];
  /** How long it waits while nothing moves, in milliseconds. */
  readonly patienceMs: number;
  /** How long it waits in all, in milliseconds. */
  readonly boundMs: number;
  /** Called if there was somebody to wait for. */
  readonly onWait: () => void;
}

/**
 * The session of one attempt, fetched when its first statement is sent: from the pool, or from whoever was served
 * before in a line for the same rows. What is sent until it is there leaves in order once it is.
 */
export class BorrowedSession {
  readonly #pool: Pool;
  readonly #signals: Signals;
  readonly #unsent: Unsent[] = [];
  #connection: Connection | undefined;
  #failure: Error | undefined;
  #statementTimeoutMs: number | undefined;
  /** The line in which it is being served. */
  #line: Line | undefined;
  /** The answer to what the one before sent last. */
  #answerBefore: Promise<unknown> | undefined;
  #isHandedOn = false;
  #givenBack: Promise<void> | undefined;

  constructor(pool: Pool, signals: Signals) {
    this.#pool = pool;
    this.#signals = signals;
  }

  /** Whether it is somebody else's by now, or was never had, so that nothing more can be sent. */
  get isGone(): boolean {
    return this.#isHandedOn || this.#failure !== undefined;
  }

  get isInLine(): boolean {
    return this.#line !== undefined;
  }

  /** Whether it came from somebody whose end may have failed. */
  get wasHandedOn(): boolean {
    return this.#answerBefore !== undefined;
  }

  /** Begins to fetch it. If there is none to be had, that is told to all that is sent. */
  open(queueing: () => Queueing | undefined): void {
    this.#fetch(queueing).then(
      (connection) => {
        this.#connection = connection;
        if (this.#line) connection.onLost = () => this.#loseLine();
        if (this.#failure) return void this.giveBack(); // called off meanwhile
        if (this.#statementTimeoutMs !== undefined) connection.allow(this.#statementTimeoutMs);
        for (const { send } of this.#unsent.splice(0)) send(connection);
      },
      (error: Error) => this.#fail(error),
    );
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#unsent.splice(0)) reject(error);
  }

  /** Rejects with the driver's error, or says why there is no session. */
  run(statement: Statement): Promise<StatementResult> {
    if (this.#connection) return this.#connection.run(statement);
    return new Promise((resolve, reject) => {
      this.#sendOnceThere({ send: (connection) => connection.send(statement, { resolve, reject }), reject });
    });
  }

  /** BEGIN and the first statement, in one flight; see {@link Connection.begin}. */
  begin(begin: Statement, first: Statement, beginRefused: (reason: unknown) => void): Promise<StatementResult> {
    return new Promise((resolve, reject) => {
      this.#sendOnceThere({
        send: (connection) => connection.begin(begin, first, { resolve, reject }, beginRefused),
        reject: (reason) => {
          beginRefused(reason);
          reject(reason);
        },
      });
    });
  }

  #sendOnceThere(unsent: Unsent): void {
    if (this.#failure === undefined) this.#unsent.push(unsent);
    else unsent.reject(this.#failure);
  }

  /** Until it is given back, statements may take this long, in milliseconds; 0 for no bound. */
  allow(statementTimeoutMs: number): void {
    this.#statementTimeoutMs = statementTimeoutMs;
    this.#connection?.allow(statementTimeoutMs);
  }

  /** Has the server cancel what is under way, and nothing of the one before; nobody waits for a session any longer. */
  async cancel(reason: Error): Promise<void> {
    if (!this.#connection) return this.#fail(reason);
    await this.#settled();
    await this.#connection.cancel();
  }

  /** Once the one before has its answer. */
  async #settled(): Promise<void> {
    await this.#answerBefore?.catch(() => undefined); // its caller hears of it
  }

  discard(reason: Error): void {
    this.#connection?.discard(reason);
  }

  /** Says that the schema has changed under the session's prepared statements. */
  outdate(reason: Error): void {
    this.#connection?.outdate(reason);
  }

  /**
   * To be called right behind what ends the transaction. The place in the line goes to the next, together with the
   * session if `handsOn` says that nothing more will be sent; else that is left for `giveBack`. At the end of a stretch
   * the session goes to whoever waits for one at the pool, if anybody does, and the next waits for another behind them.
   */
  leaveLine(lastAnswer: Promise<unknown>, handsOn: boolean): Promise<void> | undefined {
    const line = this.#line;
    const connection = this.#connection;
    if (!line || !connection || (line.isAwaited && !handsOn)) return undefined;
    this.#line = undefined;
    const isDue = line.isNextAtStretchEnd && this.#pool.isAwaited;
    const isServed = line.serveNext(isDue ? undefined : { connection, lastAnswer });
    this.#isHandedOn = isServed && !isDue;
    return this.#isHandedOn ? undefined : this.#leaveQueues(connection);
  }

  /** Without its session nothing can come of it, however long its body goes on: nobody waits for that. */
  #loseLine(): void {
    this.#line?.serveNext(undefined);
    this.#line = undefined;
  }

  /** To be called when all is answered. What comes only then goes back by itself. */
  giveBack(): Promise<void> | undefined {
    if (!this.#connection || this.#isHandedOn) return undefined;
    return (this.#givenBack ??= this.#giveBackOnce(this.#connection));
  }

  /** A second time it would be taken from whoever has it by then. */
  async #giveBackOnce(connection: Connection): Promise<void> {
    if (this.#answerBefore) await this.#settled();
    if (!connection.isSound) this.#loseLine();
    else if (this.#line) await this.leaveLine(Promise.resolve(), true);
    if (!this.#isHandedOn) this.#pool.giveBack(connection);
  }

  #fetch(queueing: () => Queueing | undefined): Promise<Connection> {
    const known = queueing();
    return known ? this.#fetchInLine(known) : this.#fetchFromPool(queueing);
  }

  async #fetchFromPool(queueing: () => Queueing | undefined): Promise<Connection> {
    const connection = await this.#pool.take(this.#signals);
    const learnt = queueing(); // while all sessions were busy, perhaps with the same rows
    if (!learnt) return connection;
    this.#pool.giveBack(connection);
    return this.#fetchInLine(learnt);
  }

  async #fetchInLine(queueing: Queueing): Promise<Connection> {
    const { lines, queues, patienceMs, boundMs, onWait } = queueing;
    const { line, isNew } = lines.at(queues);
    const place = isNew ? {} : await line.wait({ stillMs: patienceMs, totalMs: boundMs }, this.#signals);
    if (!isNew) onWait();
    if (!place) return this.#pool.take(this.#signals); // out of patience: beside the line
    this.#line = line;
    const { served } = place;
    if (!served) return this.#fetchForLine(line, queueing);
    const { connection, lastAnswer } = served;
    this.#answerBefore = lastAnswer;
    connection.allow(this.#pool.options.statementTimeoutMs);
    if (line.isAtStretchEnd) {
      void this.#leaveQueues(connection);
      this.#enterQueues(connection, queueing);
    }
    return connection;
  }

  async #fetchForLine(line: Line, queueing: Queueing): Promise<Connection> {
    try {
      const connection = await this.#pool.take(this.#signals);
      this.#enterQueues(connection, queueing);
      return connection;
    } catch (error) {
      this.#line = undefined;
      line.serveNext(undefined);
      throw error;
    }
  }

  /** Behind a pooler there are none: there a session is somebody else's at any time. */
  #enterQueues(connection: Connection, { queues, patienceMs, onWait }: Queueing): void {
    if (this.#pool.ownsSessions) enterQueues(connection, queues, patienceMs, onWait);
  }

  async #leaveQueues(connection: Connection): Promise<void> {
    if (this.#pool.ownsSessions) await leaveQueues(connection);
  }
}
