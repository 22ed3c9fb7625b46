import { once } from 'node:events';
import type { RequestListener, Server } from 'node:http';
import { BellwetherError } from 'bellwether';
import type { ConnectOptions, Database } from 'bellwether';
import { listen, portFrom } from '../ports';

/** An application as a process: what it needs of the database, and how it serves. */
export interface Main {
  readonly name: string;
  /** As in `The bank`. */
  readonly title: string;
  /** Where it serves unless `PORT` says otherwise, or it is taken. */
  readonly port: number;
  readonly open: (options: ConnectOptions) => Promise<Database>;
  /** Fills an empty database. */
  readonly seed: () => Promise<unknown>;
  readonly serve: (db: Database, closing: AbortSignal) => unknown;
}

/** What a process tells the one that has started it. */
export interface Notice {
  readonly kind: 'open';
  readonly url: string;
}

const POOL_SIZE = 20;
/** How long requests that are under way may take when the process closes. */
const GRACE_MS = 5_000;
/** How long closing may take in all; then the process ends as it is. */
const PATIENCE_MS = 15_000;

const say = (line: string) => void process.stdout.write(`${line}\n`);
const complain = (line: string) => void process.stderr.write(`${line}\n`);

/** Serves the application until Ctrl-C, SIGTERM, or the end of the process that has started this one. */
export function runApp({ name, title, port: fallback, open, seed, serve }: Main): void {
  runProcess(name, async (closing) => {
    const preferred = portFrom('PORT', fallback);
    const host = process.env.HOST || '127.0.0.1';
    const db = await open({ onProgress: complain, poolSize: POOL_SIZE });
    try {
      await db.use(seed);
      if (closing.aborted) return;
      const { server, port } = await listen(serve(db, closing) as RequestListener, { host, preferred });
      if (port !== preferred) say(`Port ${preferred} is taken; using ${port}.`);
      const url = `http://${host === '127.0.0.1' ? 'localhost' : host}:${port}`;
      say(`${title} is open at ${url} (Ctrl-C closes it).`);
      process.send?.({ kind: 'open', url } satisfies Notice);
      if (!closing.aborted) await once(closing, 'abort');
      await close(server);
    } finally {
      await db.close();
    }
  });
}

/**
 * Runs `body` until it is done, and tells it when to come to an end. Ends the process in any case: with status 0, or 1
 * when `body` failed.
 */
export function runProcess(name: string, body: (closing: AbortSignal) => Promise<unknown>): void {
  const closing = closingSignal();
  body(closing).then(
    () => process.exit(0),
    (error: unknown) => {
      complain(error instanceof BellwetherError ? `${name}: ${error.message}` : stackOf(error));
      process.exit(1);
    },
  );
  closing.addEventListener('abort', () => {
    setTimeout(() => {
      complain(`${name}: closing took too long.`);
      process.exit(1);
    }, PATIENCE_MS).unref();
  });
}

/** Aborted by Ctrl-C and its like, and when whoever has started this process is gone. A second one ends it at once. */
export function closingSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => controller.abort());
  process.once('disconnect', () => controller.abort());
  return controller.signal;
}

/** Lets what is under way end, but not for long: browsers keep their connections open. */
export async function close(server: Server): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), GRACE_MS).unref();
  await closed;
  clearTimeout(timer);
}

const stackOf = (error: unknown): string => (error instanceof Error && error.stack) || String(error);
