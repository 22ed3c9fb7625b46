import type { Request, Response } from 'express';
import type { BellService } from '../bell/bell-service';
import { TooManyStreamsError } from './errors';

const MAX_CLIENTS = 100;
/** Who reads slower than this is let go; a page connects again by itself. */
const MAX_BEHIND_BYTES = 256 * 1024;
const HEARTBEAT_MS = 15_000;

/**
 * Server-sent events: `servo`, `ring`, `bells`. A client gets `bells` when it connects, and then what changes.
 *
 * @see HTML standard, section 9.2, "Server-sent events"
 */
export class EventStream {
  readonly #service: BellService;
  readonly #clients = new Set<Response>();
  #isAnnounced = false;
  readonly #heartbeat: NodeJS.Timeout;

  constructor(service: BellService) {
    this.#service = service;
    service.events.on('servo', (servo) => this.#send(event('servo', servo)));
    service.events.on('ring', (ring) => this.#send(event('ring', ring)));
    service.events.on('change', () => this.#announce());
    this.#heartbeat = setInterval(() => this.#send(':\n\n'), HEARTBEAT_MS).unref();
  }

  get size(): number {
    return this.#clients.size;
  }

  /** @throws TooManyStreamsError */
  connect(request: Request, response: Response): void {
    if (this.#clients.size >= MAX_CLIENTS) throw new TooManyStreamsError(MAX_CLIENTS);
    response.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' });
    response.flushHeaders();
    response.write(`retry: 2000\n\n${event('bells', this.#service.view())}`);
    this.#clients.add(response);
    const forget = () => void this.#clients.delete(response);
    request.once('close', forget);
    response.once('close', forget).on('error', forget);
  }

  close(): void {
    clearInterval(this.#heartbeat);
    for (const client of this.#clients) client.end();
    this.#clients.clear();
  }

  /** Many changes of one moment are told once. */
  #announce(): void {
    if (this.#isAnnounced || this.#clients.size === 0) return;
    this.#isAnnounced = true;
    setImmediate(() => {
      this.#isAnnounced = false;
      this.#send(event('bells', this.#service.view()));
    });
  }

  #send(text: string): void {
    for (const client of this.#clients) {
      if (client.writableLength > MAX_BEHIND_BYTES) client.destroy();
      else client.write(text);
    }
  }
}

const event = (name: string, data: unknown) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
