import { EventEmitter } from 'node:events';
import type { Database } from 'bellwether';

const wire = new EventEmitter();

export function notify(channel: string, payload: unknown): Promise<void> {
  wire.emit(channel, JSON.parse(JSON.stringify(payload)));
  return Promise.resolve();
}

export function listen(
  _db: Database,
  channel: string,
  hear: (payload: unknown) => void,
  _options: { readonly onGap: () => void },
): Promise<{ stop(): Promise<void> }> {
  wire.on(channel, hear);
  return Promise.resolve({ stop: () => Promise.resolve(void wire.off(channel, hear)) });
}
