import type { Firmata } from 'firmata-io';
import { Board, Led, Sensor, Servo } from 'johnny-five';
import { BoardError } from '../errors';
import type { LightSensor } from './board';
import type { BoardTimes, ConnectedServo, Connection } from './connection';
import { FirmataLine } from './firmata-line';
import type { Transport } from './transport';

const PIN_STATE_QUERY = 0x6d;
const LIGHT_READING_EVERY_MS = 100;

/** What the board was asked; it answers in order. */
interface Question {
  readonly pin: number;
  /** What the servo on the pin was told last, microseconds; undefined when any answer will do. */
  readonly pulse: number | undefined;
  resolve(): void;
  reject(cause: Error): void;
}

/**
 * A board that speaks Firmata, driven by johnny-five. Each command to a servo is followed by the question for the pin's
 * state, so that a command that was lost, a board that was reset and one that has fallen silent all show; a board with
 * nothing to do is asked every `checkEveryMs`.
 *
 * johnny-five keeps every board that it was ever given, so each connection costs some kilobytes for good.
 */
export class FirmataConnection implements Connection {
  onEnd: (cause: Error) => void = () => undefined;
  readonly #line: FirmataLine;
  readonly #servos = new Map<number, Servo>();
  readonly #questions: Question[] = [];
  readonly #asked = new Set<number>();
  readonly #sensors: Sensor[] = [];
  #board!: Board; // set before anybody gets the connection
  #silence: NodeJS.Timeout | undefined;
  #check: NodeJS.Timeout | undefined;
  #ended: Error | undefined;

  private constructor(
    private readonly transport: Transport,
    private readonly where: () => string,
    private readonly times: BoardTimes,
  ) {
    this.#line = new FirmataLine(transport, times.greetingMs);
    transport.once('close', (cause) =>
      this.end(cause instanceof BoardError ? cause : this.#problem('is unplugged', cause)),
    );
  }

  /** Resolves when the board has greeted and told its pins; rejects with the signal's reason, or when the line closes. */
  static async open(
    transport: Transport,
    where: () => string,
    times: BoardTimes,
    signal: AbortSignal,
  ): Promise<FirmataConnection> {
    const connection = new FirmataConnection(transport, where, times);
    await new Promise<void>((resolve, reject) => {
      connection.onEnd = reject;
      signal.addEventListener('abort', () => connection.end(signal.reason as Error));
      connection.#firmata.once('ready', () => connection.#ready(resolve));
    });
    return connection;
  }

  get #firmata(): Firmata {
    return this.#line.firmata;
  }

  servo(pin: number, restDegrees: number): ConnectedServo {
    this.#requireMode(pin, 'SERVO', 'drive a servo');
    const servo = new Servo({ board: this.#board, pin, startAt: restDegrees });
    this.#servos.set(pin, servo);
    const rested = this.#confirm(pin);
    return {
      rested,
      to: (degrees) => {
        if (this.#ended === undefined) servo.to(degrees);
        return this.#confirm(pin);
      },
    };
  }

  light(pin: number): (isOn: boolean) => void {
    this.#requireMode(pin, 'OUTPUT', 'light a lamp');
    const led = new Led({ board: this.#board, pin });
    led.off();
    return (isOn) => {
      if (this.#ended !== undefined) return;
      if (isOn) led.on();
      else led.off();
    };
  }

  lightSensor(analogPin: number): LightSensor {
    const pin = this.#firmata.analogPins[analogPin];
    if (pin === undefined) throw this.#problem(`has no analog pin A${analogPin}`);
    this.#requireMode(pin, 'ANALOG', 'read a light sensor');
    const sensor = new Sensor({ board: this.#board, pin: `A${analogPin}`, freq: LIGHT_READING_EVERY_MS });
    this.#sensors.push(sensor);
    let level: number | undefined;
    sensor.on('data', (median) => {
      if ((sensor.raw as number | null) !== null) level = median as number; // else there was no reading yet
    });
    return {
      get level() {
        return level;
      },
    };
  }

  async close(): Promise<void> {
    if (this.#ended === undefined) {
      // Answers come in order: with this one, all commands before have arrived.
      await new Promise<void>((resolve) => this.#ask({ pin: 0, pulse: undefined, resolve, reject: () => resolve() }));
      this.end(this.#problem('was closed'));
    }
    await this.transport.close();
  }

  end(cause: Error): void {
    if (this.#ended !== undefined) return;
    this.#ended = cause;
    clearTimeout(this.#silence);
    clearInterval(this.#check);
    for (const sensor of this.#sensors) (sensor as Sensor & { disable(): void }).disable();
    this.#line.end();
    void this.transport.close();
    for (const question of this.#questions.splice(0)) question.reject(cause);
    this.onEnd(cause);
  }

  #ready(resolve: () => void): void {
    // The prompt would end the process when standard input closes; its SIGINT handler would exit before ours has finished.
    const options = { io: this.#firmata, repl: false, sigint: false, debug: false };
    this.#board = new Board(options);
    this.#board.on('ready', resolve);
    this.#check = setInterval(() => this.#checkUp(), this.times.checkEveryMs);
    // A greeting out of turn: somebody pressed reset, or it is noise. The pins' modes tell.
    this.#firmata.on('reportversion', () => this.#checkUp());
  }

  #checkUp(): void {
    if (this.#questions.length > 0) return;
    const pins = this.#servos.size > 0 ? [...this.#servos.keys()] : [0];
    for (const pin of pins)
      this.#ask({ pin, pulse: this.#pulse(pin), resolve: () => undefined, reject: () => undefined });
  }

  #confirm(pin: number): Promise<void> {
    return new Promise((resolve, reject) => this.#ask({ pin, pulse: this.#pulse(pin), resolve, reject }));
  }

  #pulse(pin: number): number | undefined {
    return this.#servos.has(pin) ? this.#firmata.pins[pin]!.value : undefined;
  }

  #ask(question: Question): void {
    if (this.#ended !== undefined) return question.reject(this.#ended);
    const { pin } = question;
    if (!this.#asked.has(pin)) this.#firmata.on(`pin-state-${pin}`, () => this.#answered(pin));
    this.#asked.add(pin);
    this.#questions.push(question);
    this.#firmata.sysexCommand([PIN_STATE_QUERY, pin]);
    if (this.#questions.length === 1) this.#expectAnswer();
  }

  #answered(pin: number): void {
    const index = this.#questions.findIndex((question) => question.pin === pin);
    if (index < 0) return; // noise on the line
    const [question] = this.#questions.splice(index, 1) as [Question];
    this.#expectAnswer();
    const { mode, state } = this.#firmata.pins[pin]!;
    if (question.pulse === undefined || (mode === this.#firmata.MODES.SERVO && state === question.pulse)) {
      return question.resolve();
    }
    const problem = this.#problem(`answers that the servo on pin ${pin} is not where it was told to be: it was reset`);
    question.reject(problem);
    this.end(problem);
  }

  /** From the first question, or the answer before it, until the next answer. */
  #expectAnswer(): void {
    clearTimeout(this.#silence);
    if (this.#questions.length === 0) return;
    const { answerMs } = this.times;
    this.#silence = setTimeout(() => this.end(this.#problem(`has not answered for ${answerMs} ms`)), answerMs);
  }

  #requireMode(pin: number, mode: 'SERVO' | 'OUTPUT' | 'ANALOG', purpose: string): void {
    if (this.#firmata.pins[pin]?.supportedModes.includes(this.#firmata.MODES[mode])) return;
    throw this.#problem(`has no pin ${pin} that can ${purpose}`);
  }

  #problem(what: string, cause?: Error): BoardError {
    return new BoardError({
      what: `The board (${this.where()}) ${what}.`,
      remedy: 'Look at the cable and the power; BellBot looks for the board by itself.',
      details: { where: this.where() },
      cause,
    });
  }
}
