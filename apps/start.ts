import { once } from 'node:events';
import type { RequestListener, Server } from 'node:http';
import { BellwetherError } from 'bellwether';
import type { Database } from 'bellwether';
import { bankApp } from './bank/app';
import { openBank } from './bank/database';
import { seedIfEmpty } from './bank/seed';
import { startBell } from './bell';
import { listen, portFrom } from './ports';

/** A sample application: what it needs of the database, and how it serves. */
interface App {
  readonly name: string;
  readonly open: (options: { onProgress: (step: string) => void; poolSize: number }) => Promise<Database>;
  readonly seed: () => Promise<unknown>;
  readonly serve: (db: Database, closing: AbortSignal) => RequestListener;
}

const APPS: readonly App[] = [
  { name: 'bank', open: openBank, seed: seedIfEmpty, serve: (db, closing) => bankApp(db, closing) as RequestListener },
];

const DEFAULT_PORT = 3000;
const DEFAULT_BELL_PORT = 3001;
const POOL_SIZE = 20;
const say = (line: string) => void process.stdout.write(`${line}\n`);
const complain = (line: string) => void process.stderr.write(`${line}\n`);

async function start(wanted = 'bank'): Promise<void> {
  const app = APPS.find(({ name }) => name === wanted);
  if (!app) {
    complain(
      `npm start: there is no sample application "${wanted}". There is: ${APPS.map(({ name }) => name).join(', ')}.`,
    );
    process.exitCode = 2;
    return;
  }
  const preferred = portFrom('PORT', DEFAULT_PORT);
  const bellPort = portFrom('BELL_PORT', DEFAULT_BELL_PORT);
  const host = process.env.HOST || '127.0.0.1';
  const closing = closingSignal();
  const db = await app.open({ onProgress: complain, poolSize: POOL_SIZE });
  try {
    await db.use(app.seed);
    if (closing.aborted) return;
    const { server, port } = await listen(app.serve(db, closing), { host, preferred });
    if (port !== preferred) say(`Port ${preferred} is taken; using ${port}.`);
    say(`The ${app.name} is open at http://${host === '127.0.0.1' ? 'localhost' : host}:${port} (Ctrl-C closes it).`);
    const bell = await startBell(bellPort, say);
    if (!closing.aborted) await once(closing, 'abort');
    say('\nClosing.');
    await Promise.all([close(server), bell.stop()]);
  } finally {
    await db.close();
  }
}

/** Aborted by Ctrl-C and its like; a second one ends the process at once, as if nobody heard. */
function closingSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => controller.abort());
  return controller.signal;
}

/** Ends the connections too, for browsers keep theirs open. */
async function close(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}

if (require.main === module) {
  start(process.argv[2]).catch((error: unknown) => {
    complain(
      error instanceof BellwetherError ? `npm start: ${error.message}` : String((error as Error).stack ?? error),
    );
    process.exitCode = 1;
  });
}
