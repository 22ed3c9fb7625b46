import { EventEmitter } from 'node:events';
import { Firmata } from 'firmata-io';
import type { Transport } from './transport';

/** Longer than any answer of a board (a Mega's capabilities take 1 kB): a message that is longer was begun by noise. */
const LONGEST_MESSAGE = 4096;

const START_SYSEX = 0xf0;
const END_SYSEX = 0xf7;

/**
 * Stands between the line and firmata-io, which throws on malformed answers, keeps a message that never ends for ever, and
 * sends each command by itself. Here noise is dropped, and what is commanded in one turn of the event loop leaves together:
 * a servo whose mode arrives a moment before its first angle would strike.
 */
export class FirmataLine extends EventEmitter<{ data: [bytes: readonly number[]] }> {
  readonly firmata: Firmata;
  readonly #transport: Transport;
  readonly #receive = (bytes: Uint8Array) => bytes.forEach((byte) => this.#feed(byte));
  #outgoing: Uint8Array[] = [];

  constructor(transport: Transport, greetingMs: number) {
    super();
    this.#transport = transport;
    this.firmata = new Firmata(this, { reportVersionTimeout: greetingMs });
    transport.on('data', this.#receive);
  }

  /** Called by firmata-io, with a callback for when the bytes have left. */
  write(bytes: Uint8Array, written: () => void): void {
    if (this.#outgoing.length === 0) queueMicrotask(() => this.#flush());
    this.#outgoing.push(bytes);
    written();
  }

  end(): void {
    this.#flush();
    this.#transport.off('data', this.#receive);
    clearTimeout(this.firmata.reportVersionTimeoutId);
    this.firmata.removeAllListeners();
    this.removeAllListeners();
  }

  #flush(): void {
    const outgoing = this.#outgoing;
    this.#outgoing = [];
    if (outgoing.length > 0) this.#transport.write(Buffer.concat(outgoing));
  }

  #feed(byte: number): void {
    const message = this.firmata.buffer;
    const ends = byte === END_SYSEX && message[0] === START_SYSEX;
    // Only a message's first byte has the highest bit; firmata-io would take the beginning of an answer for data.
    if (byte >= 0x80 && !ends) message.length = 0;
    if (message.length > LONGEST_MESSAGE || (ends && !this.#makesSense(message))) message.length = 0;
    else this.emit('data', [byte]);
  }

  /** Whether firmata-io can take the message, its end left out; what BellBot never asks for makes no sense either. */
  #makesSense([, kind, first, ...rest]: readonly number[]): boolean {
    const { pins, isReady } = this.firmata;
    switch (kind) {
      case 0x79: // name of the firmware, after two numbers of its version
        return !isReady && rest.length > 0;
      case 0x6c: // what each pin can do
        return !isReady && pins.length === 0;
      case 0x6a: // which pins are analog, a byte each
        return !isReady && rest.length + 1 === pins.length;
      case 0x6e: // the state of a pin: pin, mode, one or more bytes
        return first !== undefined && first < pins.length && rest.length > 1;
      default:
        return false;
    }
  }
}
