import { BellService } from '../../hardware/bell/bell-service';
import type { BellServiceOptions } from '../../hardware/bell/bell-service';
import type { Clock } from '../../hardware/bell/clock';
import type { RingStore } from '../../hardware/bell/ring-store';
import type { BellSettings } from '../../hardware/bell/settings';
import type { Board } from '../../hardware/boards/board';
import { bellBotApp } from '../../hardware/server/app';
import { listen } from '../../hardware/server/listen';
import { MemoryStore } from '../../hardware/store/memory-store';
import { FakeBoard } from './fake-board';
import { ManualClock } from './manual-clock';

export const DESK: BellSettings = {
  id: 'desk',
  pin: 8,
  start: 75,
  strike: 90,
  sdelay: 500,
  pdelay: 1000,
  queue: 10,
  sweepFrom: 0,
  sweepTo: 180,
};

export interface ServingOn {
  readonly store: RingStore;
  readonly service: BellService;
  readonly url: string;
  readonly bugs: unknown[];
  close(): Promise<void>;
}

export interface Serving extends ServingOn {
  readonly clock: ManualClock;
  readonly board: FakeBoard;
}

export interface ServingOnOptions extends Partial<BellServiceOptions> {
  readonly key?: string;
  readonly board: Board;
  readonly clock: Clock;
}

export interface ServingOptions extends Omit<ServingOnOptions, 'clock' | 'board'> {
  readonly board?: FakeBoard;
  readonly clock?: ManualClock;
}

/** A server on a port of its own, on a clock and a board that the test moves. */
export async function serve(options: ServingOptions = {}): Promise<Serving> {
  const clock = options.clock ?? new ManualClock();
  const board = options.board ?? new FakeBoard(clock);
  return { ...(await serveOn({ ...options, board, clock })), clock, board };
}

/** A server on a port of its own, on any board. */
export async function serveOn({ key, ...options }: ServingOnOptions): Promise<ServingOn> {
  const store = options.store ?? new MemoryStore({ remember: 1000 });
  const service = new BellService({
    bells: [DESK],
    whenLost: 'wait',
    waitLimitMs: 60_000,
    ...options,
    store,
  });
  await service.restore();
  const bugs: unknown[] = [];
  const app = bellBotApp({ service, key, onBug: (error) => void bugs.push(error) });
  const server = await listen(app.handler, { host: '127.0.0.1', port: 0, tls: undefined });
  const close = async () => {
    app.close();
    await server.close();
    await store.close();
  };
  const url = `http://127.0.0.1:${server.port}`;
  return { store, service, url, bugs, close };
}
