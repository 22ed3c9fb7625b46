import type { Board } from './board';
import { ConnectedBoard } from './connected-board';
import { BOARD_TIMES, type BoardTimes } from './connection';
import { FirmataConnection } from './firmata-connection';
import type { Transport } from './transport';

export interface FirmataBoardParts {
  readonly kind: Board['kind'];
  readonly where: () => string;
  /** Called for each attempt. */
  readonly line: () => Transport;
  readonly times?: Partial<BoardTimes> | undefined;
}

/** A board that runs StandardFirmata, at the end of whatever line. */
export function firmataBoard({ kind, where, line, times }: FirmataBoardParts): Board {
  return new ConnectedBoard({
    kind,
    where,
    times,
    connect: (signal) => FirmataConnection.open(line(), where, { ...BOARD_TIMES, ...times }, signal),
  });
}
