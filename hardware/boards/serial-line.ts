import { EventEmitter } from 'node:events';
import { SerialPort } from 'serialport';
import { BoardError } from '../errors';
import type { Transport, TransportEvents } from './transport';

/** What StandardFirmata listens at. */
const BAUD_RATE = 57_600;
/** A port whose driver hangs is left alone after this time. */
const CLOSE_MS = 1000;

/** What the operating systems say, and what to do about it. */
const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [
    /permission|access/i,
    'Add the user to the group of the port (on Debian: sudo usermod -aG dialout $USER) and log in again.',
  ],
  [/lock|busy/i, "Close what else uses the port, such as the Arduino IDE's serial monitor."],
  [/no such|not found|cannot find/i, 'Plug the Arduino in, or correct the port named with --board.'],
];

/**
 * A serial port, or a pseudo-terminal. Unplugged, it closes; but not by itself when serialport was reading at that moment,
 * which then reads nothing over and over, until something is written: the board's periodic question sees to that.
 */
export class SerialLine extends EventEmitter<TransportEvents> implements Transport {
  readonly #waiting: Uint8Array[] = [];
  #port: SerialPort | undefined;
  #isClosed = false;

  /** @param find tells the port's path; when it rejects, the line closes with that cause */
  constructor(find: () => Promise<string>) {
    super();
    find().then(
      (path) => this.#isClosed || this.#open(path),
      (cause: Error) => this.#end(cause),
    );
  }

  write(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    if (this.#port?.isOpen) this.#port.write(bytes);
    else this.#waiting.push(bytes);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const port = this.#port;
    this.#port = undefined;
    if (!port?.isOpen) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, CLOSE_MS);
      port.close(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #open(path: string): void {
    const port = new SerialPort({ path, baudRate: BAUD_RATE, autoOpen: false });
    this.#port = port;
    port.on('data', (bytes: Buffer) => !this.#isClosed && this.emit('data', bytes));
    port.on('close', (cause: Error | null) => this.#end(cause ?? undefined));
    port.on('error', (cause) => this.#end(cause));
    port.open((error) => {
      if (error !== null) this.#end(problem(path, error));
      else if (this.#isClosed) port.close();
      else for (const bytes of this.#waiting.splice(0)) port.write(bytes);
    });
  }

  #end(cause?: Error): void {
    if (this.#isClosed) return;
    void this.close();
    this.emit('close', ...(cause === undefined ? [] : [cause]));
  }
}

function problem(path: string, cause: Error): BoardError {
  const [, remedy = 'Look at the cable, and at the port named with --board.'] =
    REMEDIES.find(([said]) => said.test(cause.message)) ?? [];
  return new BoardError({ what: `The serial port ${path} can not be opened.`, remedy, details: { path }, cause });
}
