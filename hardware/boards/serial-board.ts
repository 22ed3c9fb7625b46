import { BoardError } from '../errors';
import type { Board } from './board';
import type { BoardTimes } from './connection';
import { firmataBoard } from './firmata-board';
import { SerialLine } from './serial-line';
import { arduinoPorts } from './serial-ports';

export interface SerialBoardOptions {
  /** Such as `/dev/ttyACM0` or `COM3`. Default: a USB port is looked for at each attempt, the next one of several each time. */
  readonly path?: string | undefined;
  readonly times?: Partial<BoardTimes> | undefined;
  readonly ports?: () => Promise<readonly string[]>;
}

/** An Arduino with StandardFirmata on a serial port. It may be plugged in again at another port when none was named. */
export function serialBoard({ path, times, ports = () => arduinoPorts() }: SerialBoardOptions = {}): Board {
  let where = path ?? 'no port found yet';
  let attempts = 0;
  const find = async () => {
    if (path !== undefined) return path;
    const found = await ports();
    const next = found[attempts++ % found.length];
    if (next === undefined) {
      throw new BoardError({
        what: 'There is no Arduino on any USB port.',
        remedy: 'Plug one in, with a cable that carries data; or name its port with --board.',
      });
    }
    return (where = next);
  };
  return firmataBoard({ kind: 'serial', where: () => where, line: () => new SerialLine(find), times });
}
