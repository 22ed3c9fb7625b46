// The line to a board, as bytes.

import type { EventEmitter } from 'node:events';

export interface TransportEvents {
  readonly data: [bytes: Uint8Array];
  /** The line is gone, for good; `cause` when it broke or could not be opened. Nothing comes after it. */
  readonly close: [cause?: Error];
}

/** Opens by itself when made; what is written before it is open waits. */
export interface Transport extends EventEmitter<TransportEvents> {
  write(bytes: Uint8Array): void;
  /** Resolves when the line is free for the next one; bounded, and harmless when closed already. */
  close(): Promise<void>;
}
