import { once } from 'node:events';
import pino from 'pino';
import type { Logger } from 'pino';
import { BellService } from './bell/bell-service';
import { systemClock } from './bell/clock';
import type { RingStore } from './bell/ring-store';
import { chooseBoard } from './boards/choose-board';
import type { Board } from './boards/board';
import type { Config } from './config/config';
import { withoutPassword } from './config/config';
import { bellBotApp } from './server/app';
import { listen } from './server/listen';
import type { Listening } from './server/listen';
import { openStore } from './store/open-store';
import { openTunnel } from './tunnel';
import type { Tunnel } from './tunnel';

/** Tells people, a line at a time. */
export type Say = (line: string) => void;

/** BellBot until the signal is aborted; then the strike under way is finished and the servo parked. */
export async function runBellBot(config: Config, signal: AbortSignal, say: Say): Promise<void> {
  const log = pino({ level: config.logLevel }, pino.destination({ dest: 2, sync: true }));
  const warn = (text: string, cause?: unknown) => void (say(text), log.warn({ err: cause }, text));
  for (const warning of config.warnings) warn(warning);
  await using(openStore({ ...config, onWarning: warn }), async (store) => {
    await using(chooseBoard(config.board, { times: { connectMs: config.connectTimeoutMs } }), async (board) => {
      const service = new BellService({ ...config, board, store, clock: systemClock });
      logService(service, log);
      tellOfBoard(board, say);
      await service.restore();
      await serve(config, service, { signal, say, log, board, store });
    });
  });
}

interface Running {
  readonly signal: AbortSignal;
  readonly say: Say;
  readonly log: Logger;
  readonly board: Board;
  readonly store: RingStore;
}

async function serve(config: Config, service: BellService, running: Running): Promise<void> {
  const { signal, say, log, board, store } = running;
  const onBug = (error: unknown) => log.error({ err: error }, 'a request failed');
  const app = bellBotApp({ service, key: config.key, onBug });
  const listening = await listen(app.handler, config);
  let tunnel: Promise<Tunnel | undefined> | undefined;
  try {
    sayWhere(config, listening, store, say);
    void board.open().catch((error: Error) => say(`${error.message}\n  BellBot goes on looking for the board.`));
    tunnel = config.tunnel && tunnelTo(config, listening, say);
    if (!signal.aborted) await once(signal, 'abort');
    say('Stopping: what is being struck is finished.');
  } finally {
    await service.stop();
    app.close();
    await Promise.all([listening.close(), tunnel?.then((open) => open?.close())]);
  }
}

/** A tunnel is an extra: without it, the server goes on. */
async function tunnelTo(config: Config, { port }: Listening, say: Say): Promise<Tunnel | undefined> {
  const { proto, host, key, tunnel } = config;
  const address = `${proto}://${host === undefined || host === '::' ? '127.0.0.1' : nameInAddress(host)}:${port}`;
  try {
    const open = await openTunnel({ address, hasKey: key !== undefined, token: tunnel?.token, domain: tunnel?.domain });
    say(`Public address: ${open.url}`);
    return open;
  } catch (error) {
    say(`${(error as Error).message}\n  BellBot goes on without it.`);
    return undefined;
  }
}

function sayWhere({ proto, host, key, bells, board }: Config, { port }: Listening, store: RingStore, say: Say): void {
  const name = host === undefined || host === '127.0.0.1' ? 'localhost' : nameInAddress(host);
  say(`BellBot listens at ${proto}://${name}:${port} (Ctrl-C stops it).`);
  if (key === undefined)
    say('There is no key, so only this machine can reach it. Set one with --key to be reached by others.');
  else if (key.length < 12) say('The key is short: others might guess it.');
  say(`Bells: ${bells.map(({ id, pin }) => `${id} (pin ${pin})`).join(', ')}. Board: ${board}.`);
  say(`Rings are kept in ${withoutPassword(store.where)}.`);
}

const nameInAddress = (host: string) => (host.includes(':') ? `[${host}]` : host);

function tellOfBoard(board: Board, say: Say): void {
  board.events.on('status', (status, cause) => {
    if (status === 'ready' && board.kind === 'simulated') say('The board is simulated: no bell will sound.');
    else if (status === 'ready') say(`The board is ready: ${board.where}.`);
    if (status === 'lost') say(`The board is lost${cause ? `: ${cause.message}` : '.'}`);
  });
}

function logService({ events }: BellService, log: Logger): void {
  events.on('ring', (ring) => log[ring.status === 'failed' ? 'warn' : 'info']({ ring }, ring.status));
  events.on('refused', (bell, error) => log.debug({ bell, code: (error as { code?: string }).code }, 'refused'));
  events.on('fault', (error) => log.error({ err: error }, 'what became of a ring could not be kept'));
}

async function using<T extends { close(): Promise<void> }>(
  opening: Promise<T>,
  body: (resource: T) => Promise<void>,
): Promise<void> {
  const resource = await opening;
  try {
    await body(resource);
  } finally {
    await resource.close();
  }
}
