import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { listen } from './ports';
import { inProject } from './project';

const HOST = '127.0.0.1';

/** BellBot, in a process of its own as it would be on another machine: with an Arduino if there is one, else simulated. */
export async function startBell(preferred: number, say: (line: string) => void): Promise<Bell> {
  const port = await freePort(preferred);
  const command = join(dirname(require.resolve('bellbot/package.json')), 'bin', 'bellbot.js');
  const bell = spawn(process.execPath, [command, `port=${port}`, `host=${HOST}`], {
    env: { ...ringsBesideServer(), ...process.env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  createInterface({ input: bell.stdout }).on('line', say);
  bell.once('error', (error) => say(`BellBot cannot be started: ${error.message}`));
  const ended = once(bell, 'close');
  return { url: `http://${HOST}:${port}`, ended, stop: () => stop(bell) };
}

/**
 * The bell remembers for which sales it has rung, and sales are numbered anew in a new database: with the embedded
 * server's data goes the bell's memory.
 */
function ringsBesideServer(): NodeJS.ProcessEnv {
  const folder = inProject('.bellwether', 'development');
  const isEmbedded = !process.env.DATABASE_URL && existsSync(folder);
  return isEmbedded ? { BELLBOT_STORE: join(folder, 'rings.jsonl') } : {};
}

export interface Bell {
  readonly url: string;
  /** Settles when its process is gone, whyever. */
  readonly ended: Promise<unknown>;
  stop(): Promise<void>;
}

/** Nobody can hold it until BellBot takes it; it says so itself if somebody was quicker. */
export async function freePort(preferred: number): Promise<number> {
  const { server, port } = await listen(() => undefined, { host: HOST, preferred });
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Lets it finish a strike. A terminal's Ctrl-C has reached it already; another signal of another kind does no harm. */
async function stop(bell: ChildProcess): Promise<void> {
  if (bell.pid === undefined || bell.exitCode !== null || bell.signalCode !== null) return;
  const ended = once(bell, 'exit');
  bell.kill('SIGTERM');
  await ended;
}
