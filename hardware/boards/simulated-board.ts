import type { Board } from './board';
import type { BoardTimes } from './connection';
import { firmataBoard } from './firmata-board';
import { SimulatedArduino } from './simulated-arduino';

/** The board for machines without one: the same bytes flow through the same libraries, to an Arduino that is simulated. */
export function simulatedBoard(arduino = new SimulatedArduino(), times?: Partial<BoardTimes>): Board {
  return firmataBoard({ kind: 'simulated', where: () => 'simulated', line: () => arduino.connect(), times });
}
