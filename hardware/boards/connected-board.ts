import { EventEmitter } from 'node:events';
import { BoardError } from '../errors';
import type { Board, BoardEvents, BoardStatus, Light, LightSensor, Servo } from './board';
import { BOARD_TIMES, type BoardTimes, type ConnectedServo, type Connection } from './connection';

const HIGHEST_PIN = 127;
const HIGHEST_ANALOG_PIN = 15;

export interface BoardParts {
  readonly kind: Board['kind'];
  readonly where: () => string;
  /** Makes a connection; when the signal is aborted it lets go of the line and rejects with the signal's reason, at once. */
  readonly connect: (signal: AbortSignal) => Promise<Connection>;
  readonly times?: Partial<BoardTimes> | undefined;
}

/** What lives on the board, over all its connections. */
interface Component {
  /** Throws when this board can't have it; rejects when it is lost before it has it. */
  attach(connection: Connection): Promise<void>;
  detach(): void;
}

/** Every kind of board: connects within a time, finds out when the board is lost, and looks for it until it is closed. */
export class ConnectedBoard implements Board {
  readonly kind: Board['kind'];
  readonly events = new EventEmitter<BoardEvents>();
  readonly #parts: BoardParts;
  readonly #times: BoardTimes;
  /** By pin. */
  readonly #components = new Map<number | string, Component>();
  #status: BoardStatus = 'connecting';
  #cause: Error | undefined;
  #connection: Connection | undefined;
  #attempt: AbortController | undefined;
  #opened: { resolve(): void; reject(cause: Error): void } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: BoardParts) {
    this.kind = parts.kind;
    this.#parts = parts;
    this.#times = { ...BOARD_TIMES, ...parts.times };
  }

  get where(): string {
    return this.#parts.where();
  }

  get status(): BoardStatus {
    return this.#status;
  }

  open(): Promise<void> {
    if (this.#opened !== undefined || this.#status === 'closed')
      return Promise.reject(this.#problem('is opened twice'));
    return new Promise((resolve, reject) => {
      this.#opened = { resolve, reject };
      void this.#connect();
    });
  }

  servo(pin: number, restDegrees: number): Servo {
    requireAngle(restDegrees);
    return this.#add(requirePin(pin, HIGHEST_PIN), new BoardServo(pin, restDegrees, () => this.#requireReady()));
  }

  light(pin: number): Light {
    return this.#add(requirePin(pin, HIGHEST_PIN), new BoardLight(pin));
  }

  lightSensor(analogPin: number): LightSensor {
    return this.#add(`A${requirePin(analogPin, HIGHEST_ANALOG_PIN)}`, new BoardLightSensor(analogPin));
  }

  async close(): Promise<void> {
    if (this.#status === 'closed') return;
    clearTimeout(this.#timer);
    const closed = this.#problem('was closed');
    this.#become('closed');
    this.#attempt?.abort(closed);
    this.#opened?.reject(closed);
    await this.#connection?.close();
  }

  /** One attempt; whatever comes of it, the next one is on its way unless the board was closed. */
  async #connect(): Promise<void> {
    const attempt = (this.#attempt = new AbortController());
    const tooLate = this.#problem(`was not ready within ${this.#times.connectMs} ms`);
    const timer = setTimeout(() => attempt.abort(tooLate), this.#times.connectMs);
    let connection: Connection | undefined;
    try {
      connection = await this.#parts.connect(attempt.signal);
      await this.#attach(connection, attempt.signal);
    } catch (error) {
      connection?.end(error as Error);
      this.#lost(error as Error);
    } finally {
      clearTimeout(timer);
    }
  }

  async #attach(connection: Connection, signal: AbortSignal): Promise<void> {
    let endedBy: Error | undefined;
    const ended = new Promise<never>((_resolve, reject) => {
      connection.onEnd = (cause) => reject((endedBy = cause));
    });
    signal.throwIfAborted();
    signal.addEventListener('abort', () => connection.end(signal.reason as Error));
    for (let count = 0; count < this.#components.size;) {
      const components = [...this.#components.values()].slice(count); // and those made meanwhile
      count += components.length;
      await Promise.race([ended, Promise.all(components.map(async (component) => component.attach(connection)))]);
    }
    if (endedBy !== undefined) throw endedBy; // since the race was decided
    connection.onEnd = (cause) => this.#lost(cause);
    this.#connection = connection;
    this.#attempt = undefined;
    this.#become('ready');
    this.#opened?.resolve();
  }

  #lost(cause: Error): void {
    this.#connection = undefined;
    for (const component of this.#components.values()) component.detach();
    if (this.#status === 'closed') return;
    this.#become(this.#status === 'connecting' ? 'connecting' : 'lost', cause);
    this.#opened?.reject(cause);
    this.#timer = setTimeout(() => void this.#connect(), this.#times.retryEveryMs);
  }

  /** Says each status once, and the same cause once, though it is tried again every second. */
  #become(status: BoardStatus, cause?: Error): void {
    const isNews = status !== this.#status || cause?.message !== this.#cause?.message;
    this.#status = status;
    this.#cause = cause;
    if (isNews) this.events.emit('status', status, ...(cause === undefined ? [] : [cause]));
  }

  #add<T extends Component>(pin: number | string, component: T): T {
    if (this.#components.has(pin)) {
      throw new BoardError({
        what: `Two things are on pin ${pin}.`,
        remedy: 'Give each a pin of its own.',
        details: { pin },
      });
    }
    const connection = this.#connection;
    const attached = connection && component.attach(connection);
    this.#components.set(pin, component);
    attached?.catch((cause: Error) => connection?.end(cause));
    return component;
  }

  #requireReady(): void {
    if (this.#status !== 'ready') throw this.#problem(`is ${this.#status}`, this.#cause);
  }

  #problem(what: string, cause?: Error): BoardError {
    return new BoardError({
      what: `The ${this.kind} board (${this.where}) ${what}.`,
      remedy: 'Plug the board in; flash StandardFirmata to it if it never was.',
      details: { kind: this.kind, where: this.where, status: this.#status },
      cause,
    });
  }
}

class BoardServo implements Servo, Component {
  #degrees: number;
  #servo: ConnectedServo | undefined;

  constructor(
    readonly pin: number,
    private readonly restDegrees: number,
    private readonly requireReady: () => void,
  ) {
    this.#degrees = restDegrees;
  }

  get degrees(): number {
    return this.#degrees;
  }

  async to(degrees: number): Promise<void> {
    requireAngle(degrees);
    this.requireReady();
    this.#degrees = degrees;
    await this.#servo!.to(degrees); // ready, so attached
  }

  attach(connection: Connection): Promise<void> {
    this.#servo = connection.servo(this.pin, this.restDegrees);
    return this.#servo.rested;
  }

  detach(): void {
    this.#servo = undefined;
    this.#degrees = this.restDegrees;
  }
}

class BoardLight implements Light, Component {
  #set: ((isOn: boolean) => void) | undefined;

  constructor(private readonly pin: number) {}

  set(isOn: boolean): void {
    this.#set?.(isOn);
  }

  attach(connection: Connection): Promise<void> {
    this.#set = connection.light(this.pin);
    return Promise.resolve();
  }

  detach(): void {
    this.#set = undefined;
  }
}

class BoardLightSensor implements LightSensor, Component {
  #sensor: LightSensor | undefined;

  constructor(private readonly analogPin: number) {}

  get level(): number | undefined {
    return this.#sensor?.level;
  }

  attach(connection: Connection): Promise<void> {
    this.#sensor = connection.lightSensor(this.analogPin);
    return Promise.resolve();
  }

  detach(): void {
    this.#sensor = undefined;
  }
}

function requirePin(pin: number, highest: number): number {
  if (Number.isInteger(pin) && pin >= 0 && pin <= highest) return pin;
  throw new BoardError({
    what: `Pin ${pin} is no pin of any board.`,
    remedy: `Give a whole number from 0 to ${highest}.`,
    details: { pin },
  });
}

/** NaN or text drives a servo to its end stop. */
function requireAngle(degrees: number): void {
  if (Number.isFinite(degrees) && degrees >= 0 && degrees <= 180) return;
  throw new BoardError({
    what: `${String(degrees)} is no angle of a servo.`,
    remedy: 'Give degrees from 0 to 180.',
    details: { degrees },
  });
}
