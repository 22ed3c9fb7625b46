import type { Board } from './board';
import type { BoardTimes } from './connection';
import { raspberryPiBoard } from './raspberry-pi-board';
import { serialBoard } from './serial-board';
import { arduinoPorts } from './serial-ports';
import { simulatedBoard } from './simulated-board';

/** Not opened yet. `choice` is `auto`, `simulated`, `raspberry-pi`, or the path of a serial port. */
export async function chooseBoard(
  choice: string,
  { times, ports = () => arduinoPorts() }: ChooseBoardOptions = {},
): Promise<Board> {
  if (choice === 'simulated') return simulatedBoard(undefined, times);
  if (choice === 'raspberry-pi') return raspberryPiBoard({ times });
  if (choice !== 'auto') return serialBoard({ path: choice, times });
  // What is plugged in later is not looked for: a bell that turns real while it rings surprises people.
  return (await ports()).length > 0 ? serialBoard({ times, ports }) : simulatedBoard(undefined, times);
}

export interface ChooseBoardOptions {
  readonly times?: Partial<BoardTimes> | undefined;
  /** Default: `arduinoPorts`. */
  readonly ports?: () => Promise<readonly string[]>;
}
