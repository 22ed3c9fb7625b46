// What BellBot uses of firmata-io 2.3.0, which has no types of its own.

declare module 'firmata-io' {
  import type { EventEmitter } from 'node:events';

  namespace bindTransport {
    interface FirmataPin {
      readonly supportedModes: readonly number[];
      readonly mode: number | undefined;
      /** As written by the host. */
      readonly value: number;
      /** As answered by the board to a pin state query. */
      readonly state?: number;
    }

    /** Emits `ready`, `reportversion`, `pin-state-<pin>` and many more. */
    class Firmata extends EventEmitter {
      constructor(transport: object, options: { readonly reportVersionTimeout: number });
      readonly isReady: boolean;
      readonly MODES: Readonly<Record<'OUTPUT' | 'ANALOG' | 'SERVO', number>>;
      readonly pins: readonly FirmataPin[];
      readonly analogPins: readonly number[];
      readonly firmware: { readonly name?: string };
      /** The bytes of the message that is being received. */
      readonly buffer: number[];
      readonly reportVersionTimeoutId: NodeJS.Timeout;
      /** Between START_SYSEX and END_SYSEX, which it adds. */
      sysexCommand(message: readonly number[]): void;
    }
  }
  export = bindTransport;
}
