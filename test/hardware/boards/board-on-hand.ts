import { install } from '@sinonjs/fake-timers';
import { systemClock } from '../../../hardware/bell/clock';
import type { BellServiceOptions } from '../../../hardware/bell/bell-service';
import type { Ring } from '../../../hardware/bell/ring';
import type { Board } from '../../../hardware/boards/board';
import type { BoardTimes } from '../../../hardware/boards/connection';
import { SimulatedArduino } from '../../../hardware/boards/simulated-arduino';
import { simulatedBoard } from '../../../hardware/boards/simulated-board';
import { serveOn } from '../serving';
import type { ServingOn } from '../serving';

/** A bell on a simulated Arduino that a test can unplug, on a clock that the test moves. */
export class BoardOnHand {
  readonly arduino = new SimulatedArduino();
  readonly board: Board;
  /** What the board has said of itself. */
  readonly statuses: string[] = [];
  /** What any servo was told, degrees. */
  readonly degrees: number[] = [];
  /** What became of which ring, as it became known. */
  readonly outcomes = new Map<string, Ring>();
  serving!: ServingOn; // by serve
  readonly #clock = install({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] });

  constructor(times?: Partial<BoardTimes>) {
    this.arduino.onPulse = (_pin, pulse) => this.degrees.push((pulse - 600) / 10);
    this.board = simulatedBoard(this.arduino, times);
    this.board.events.on('status', (status) => this.statuses.push(status));
  }

  async serve(options: Partial<BellServiceOptions> = {}): Promise<void> {
    this.serving = await serveOn({ ...options, board: this.board, clock: systemClock });
    this.serving.service.events.on('ring', (ring) => ring.finishedAt !== null && this.outcomes.set(ring.id, ring));
    await this.board.open();
  }

  async ring(): Promise<Ring> {
    return (await this.serving.service.request({ kind: 'ring' })).ring;
  }

  /** How many are running. */
  get timers(): number {
    return this.#clock.countTimers();
  }

  async pass(milliseconds: number): Promise<void> {
    await this.#clock.tickAsync(milliseconds);
  }

  async end(): Promise<void> {
    await (this.serving as ServingOn | undefined)?.close();
    const closed = this.board.close();
    await this.pass(5000);
    await closed;
    this.#clock.uninstall();
  }
}
