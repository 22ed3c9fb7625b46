import { createRequire } from 'node:module';
import { Board as FiveBoard, Led, Servo } from 'johnny-five';
import { BoardError } from '../errors';
import type { Board, LightSensor } from './board';
import { ConnectedBoard } from './connected-board';
import type { BoardTimes, ConnectedServo, Connection } from './connection';

/** An IO plugin of johnny-five: what raspi-io's `RaspiIO` is. */
export interface IoPlugin {
  once(event: 'ready', listener: () => void): unknown;
}

export interface RaspberryPiOptions {
  readonly times?: Partial<BoardTimes> | undefined;
  /** Default: raspi-io's, which is installed on the Pi alone. */
  readonly plugin?: () => Promise<IoPlugin>;
}

/** The pins of a Raspberry Pi itself; numbers are those of the chip (GPIO18 is 18). It has no analog pins. */
export function raspberryPiBoard({ times, plugin = raspiIo }: RaspberryPiOptions = {}): Board {
  return new ConnectedBoard({
    kind: 'raspberry pi',
    where: () => 'GPIO',
    times,
    connect: async (signal) => PinsOfThePi.open(await plugin(), signal),
  });
}

// eslint-disable-next-line @typescript-eslint/require-await -- what it throws is a rejection
async function raspiIo(): Promise<IoPlugin> {
  try {
    const { RaspiIO } = createRequire(__filename)('raspi-io') as { readonly RaspiIO: new () => IoPlugin };
    return new RaspiIO();
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND';
    throw new BoardError({
      what: isMissing ? 'raspi-io is not installed.' : "The Raspberry Pi's pins can not be used.",
      remedy: isMissing ? 'On the Raspberry Pi: npm install -g raspi-io' : 'Run BellBot on the Raspberry Pi, as root.',
      cause: error,
    });
  }
}

/** Nothing to be unplugged and nobody to answer: what is commanded is done. */
class PinsOfThePi implements Connection {
  onEnd: (cause: Error) => void = () => undefined;
  #hasEnded = false;

  private constructor(private readonly board: FiveBoard) {}

  static async open(io: IoPlugin, signal: AbortSignal): Promise<PinsOfThePi> {
    signal.throwIfAborted();
    const options = { io, repl: false, sigint: false, debug: false };
    const board = new FiveBoard(options);
    await new Promise<void>((resolve, reject) => {
      board.on('ready', resolve);
      board.on('error', reject);
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
    return new PinsOfThePi(board);
  }

  servo(pin: number, restDegrees: number): ConnectedServo {
    const servo = this.#made(pin, () => new Servo({ board: this.board, pin: `GPIO${pin}`, startAt: restDegrees }));
    return {
      rested: Promise.resolve(),
      // eslint-disable-next-line @typescript-eslint/require-await -- what it throws is a rejection
      to: async (degrees) => {
        servo.to(degrees);
      },
    };
  }

  light(pin: number): (isOn: boolean) => void {
    const led = this.#made(pin, () => new Led({ board: this.board, pin: `GPIO${pin}` }));
    led.off();
    return (isOn) => {
      if (this.#hasEnded) return;
      if (isOn) led.on();
      else led.off();
    };
  }

  lightSensor(): LightSensor {
    throw new BoardError({
      what: 'A Raspberry Pi has no analog pin for a light sensor.',
      remedy: 'Leave the light sensor out, or use an Arduino.',
    });
  }

  close(): Promise<void> {
    this.#hasEnded = true;
    return Promise.resolve();
  }

  end(cause: Error): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.onEnd(cause);
  }

  #made<T>(pin: number, make: () => T): T {
    try {
      return make();
    } catch (error) {
      throw new BoardError({
        what: `GPIO${pin} of the Raspberry Pi can not be used for this.`,
        remedy: 'Use a pin with PWM for a servo: GPIO12, 13, 18 or 19.',
        details: { pin },
        cause: error,
      });
    }
  }
}
