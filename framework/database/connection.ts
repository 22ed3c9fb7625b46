import type { Client, PoolClient } from 'pg';
import { Answer } from './answer';
import type { Beginning, OnAnswer } from './answer';
import { requestCancel } from './cancel-request';
import type { CancelTarget } from './cancel-request';
import { noteDeadlock } from './deadlock';
import type { DeadlockWitnesses } from './deadlock';
import { SilenceWatch } from './silence-watch';
import { isConnectionLoss, isPostgresError } from './sqlstate';
import type { Statement, StatementResult } from './statement';

export type { Statement, StatementResult } from './statement';

export interface ConnectionOptions {
  readonly preparedStatements: boolean;
  readonly statementTimeoutMs: number;
}

/** The two ends of a promise. */
export interface Settle {
  readonly resolve: (result: StatementResult) => void;
  readonly reject: (reason: Error) => void;
}

interface Sent {
  readonly text: string;
  /** Whether a BEGIN is in it, which nobody can tell from the outside to be done until all of it is answered. */
  readonly begins: boolean;
}

/** Of the driver's own half of the protocol: the texts of the statements that the session has prepared, by name. */
interface Parsed {
  readonly parsedStatements: Readonly<Record<string, string>>;
}

/**
 * One session with the server. Statements go out at once, without waiting for the answers to those before
 * (the driver's pipeline mode), and are answered in order.
 */
export class Connection {
  /** When it was first borrowed, by the monotonic clock: its prepared statements are younger. */
  readonly bornAt = performance.now();
  readonly #client: PoolClient;
  readonly #options: ConnectionOptions;
  readonly #silence: SilenceWatch;
  readonly #witnesses: DeadlockWitnesses;
  /** Under way after a deadlock. */
  #inquiry: Promise<void> | undefined;
  #brokenBy: Error | undefined;
  #lostBy: Error | undefined;
  #isOutdated = false;
  /** In the order in which they were sent, which is that of the answers. */
  readonly #underWay: Sent[] = [];
  /** The last one that took its time, and when it was answered, by the monotonic clock. */
  #slow: { readonly text: string; readonly answeredAt: number } | undefined;
  #isGathering = false;
  #onQuiet: (() => void) | undefined;
  /** To be called when the session is lost, by whoever has it. */
  onLost: (() => void) | undefined;

  constructor(client: PoolClient, options: ConnectionOptions, witnesses: DeadlockWitnesses) {
    this.#client = client;
    this.#witnesses = witnesses;
    this.#options = options;
    this.#silence = new SilenceWatch(boundOf(options.statementTimeoutMs), () =>
      this.#sever('the server said nothing for too long'),
    );
    client.on('error', (error) => {
      this.#lostBy ??= error;
      this.discard(error);
      this.onLost?.();
    });
  }

  /** Whether its prepared statements are known to be older than the schema. */
  get isOutdated(): boolean {
    return this.#isOutdated;
  }

  /** Sends one statement. Rejects with the driver's own error: the caller translates, knowing the context. */
  run(statement: Statement): Promise<StatementResult> {
    return new Promise((resolve, reject) => this.send(statement, { resolve, reject }));
  }

  /**
   * Sends BEGIN, and in the same flight the first statement of its transaction; under one Sync where both have names
   * and the session knows that BEGIN. If that is refused, `beginRefused` hears of it before the answer is settled.
   */
  begin(begin: Statement, first: Statement, answer: Settle, beginRefused: (reason: unknown) => void): void {
    const { parsedStatements } = (this.#client as unknown as { connection: Parsed }).connection;
    const isKnown = this.#options.preparedStatements && begin.name !== undefined && begin.name in parsedStatements;
    if (isKnown && first.name !== undefined) {
      this.send(first, answer, { name: begin.name, isBegun: false, onRefused: beginRefused });
    } else {
      this.run(begin).catch(beginRefused);
      this.send(first, answer);
    }
  }

  /** For those who have promised the answer already. */
  send(statement: Statement, answer: Settle, beginning?: Beginning): void {
    const name = this.#options.preparedStatements ? statement.name : undefined;
    const sent = { text: statement.text, begins: beginning !== undefined || begins(statement) };
    this.#underWay.push(sent);
    this.#silence.sent();
    const onAnswer: OnAnswer = (error, result) => {
      this.#underWay.shift();
      const tookMs = this.#silence.heard(this.#underWay.length);
      if (tookMs > SLOW_MS) this.#slow = { text: statement.text, answeredAt: performance.now() };
      if (this.#underWay.length === 0 || sent.begins) this.#onQuiet?.();
      if (!error) return answer.resolve(result);
      this.#refuse(error, statement, (reason) => {
        if (beginning && !beginning.isBegun) beginning.onRefused(reason);
        answer.reject(reason);
      });
    };
    this.#gather();
    this.#client.query(new Answer(statement, name, onAnswer, beginning));
  }

  /** Of its process on the server, as the server told when it was opened: a pooler tells something of its own. */
  get processID(): number {
    return (this.#client as unknown as CancelTarget).processID;
  }

  /** What it does, or did a moment ago: the answer to what made somebody wait comes when the wait has ended. */
  get doing(): string | undefined {
    const isRecent = this.#slow && performance.now() - this.#slow.answeredAt < RECENT_MS;
    return isRecent ? this.#slow!.text : this.#underWay[0]?.text;
  }

  #refuse(error: Error, { text }: Statement, reject: (reason: Error) => void): void {
    const reason = this.#reasonFor(error);
    if (isPostgresError(error) && error.code === '40P01') {
      // PostgreSQL has undone the transaction by now, so nobody waits for what this takes.
      this.#inquiry = noteDeadlock(error, text, this.#witnesses).finally(() => (this.#inquiry = undefined));
    }
    // What was sent behind it fails for it, and is told so later: the first that a caller hears of is the reason.
    if (this.#inquiry) void this.#inquiry.finally(() => reject(reason));
    else reject(reason);
  }

  /** What is sent in one turn of the event loop leaves in one packet: BEGIN with its first statement, say. */
  #gather(): void {
    if (this.#isGathering) return;
    this.#isGathering = true;
    const { stream } = (this.#client as unknown as Client).connection;
    stream.cork();
    process.nextTick(() => {
      this.#isGathering = false;
      stream.uncork();
    });
  }

  /** Says that this session is in an unknown state, so that it is closed instead of used again. */
  discard(reason: Error): void {
    this.#brokenBy ??= reason;
  }

  /** Says that the schema has changed since statements were prepared here. */
  outdate(reason: Error): void {
    this.#isOutdated = true;
    this.discard(reason);
  }

  /** Until it is given back, statements may take this long, in milliseconds; 0 for no bound. */
  allow(statementTimeoutMs: number): void {
    this.#silence.changeBound(boundOf(statementTimeoutMs));
  }

  /**
   * Has the server cancel what is under way, one statement after the other, until all are answered: a cancel that
   * is asked for cannot hit a later statement then. Closes the session when the server does not react.
   *
   * It must not hit BEGIN: what was sent along with that would take effect by itself.
   */
  async cancel(): Promise<void> {
    const deadline = performance.now() + CANCEL_PATIENCE_MS;
    while (this.#underWay.length > 0 && !this.#lostBy) {
      const isBeginning = this.#underWay.some((sent) => sent.begins);
      const isTaken = isBeginning || (await requestCancel(this.#client as unknown as CancelTarget));
      if (!isTaken || performance.now() > deadline) return this.#sever('it did not react to a cancel request');
      await this.#quietWithin(50);
    }
  }

  async #quietWithin(ms: number): Promise<void> {
    if (this.#underWay.length === 0) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#onQuiet = resolve;
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
    this.#onQuiet = undefined;
  }

  /** Whether somebody else may use the session behind what is under way. */
  get isSound(): boolean {
    return this.#brokenBy === undefined && (this.#underWay.length > 0 || !this.#isInTransaction);
  }

  /** After the answer to the last statement: I, idle; T, in a transaction; E, in a failed one. */
  get #isInTransaction(): boolean {
    const status = (this.#client as { getTransactionStatus?: () => string | null }).getTransactionStatus?.();
    return status === 'T' || status === 'E';
  }

  /** Gives the session back to its pool. One that is broken, busy or inside a transaction is closed instead. */
  release(): void {
    if (this.#underWay.length > 0) this.discard(new Error('Given back with statements under way.'));
    if (this.#isInTransaction) this.discard(new Error('Given back inside a transaction.'));
    this.allow(this.#options.statementTimeoutMs);
    this.onLost = undefined;
    this.#client.release(this.#brokenBy);
  }

  /**
   * What ended the session says more than that there is none any more. The server's last words come as the answer
   * to a statement, before the driver notices that the socket is closed: nobody else may borrow it until then.
   */
  #reasonFor(error: Error): Error {
    if (isConnectionLoss(error)) {
      this.#lostBy ??= error;
      this.discard(error);
    }
    return this.#lostBy ?? error;
  }

  /** Closes the socket: the driver's own way of closing waits for answers, and none will come. */
  #sever(reason: string): void {
    this.#lostBy ??= new Error(`Connection terminated: ${reason}.`);
    this.discard(this.#lostBy);
    (this.#client as { connection?: { stream: { destroy(): void } } }).connection?.stream.destroy();
  }
}

/** How much later than its own bound a statement's end is heard of, in milliseconds, if the server is there at all. */
const SLACK_MS = 5_000;

const begins = ({ text }: Statement): boolean => text.startsWith('begin ');

function boundOf(statementTimeoutMs: number): number {
  return statementTimeoutMs === 0 ? 0 : statementTimeoutMs + SLACK_MS;
}

/** How long the server may take to cancel, in milliseconds. */
const CANCEL_PATIENCE_MS = 5_000;

/** A statement that took longer may have waited for a lock, in milliseconds. */
const SLOW_MS = 5;
/** How long ago is a moment ago, in milliseconds. */
const RECENT_MS = 50;
