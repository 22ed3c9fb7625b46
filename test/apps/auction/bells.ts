import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

/** A bell that answers as the test has it, and keeps the keys of the rings that it was asked for. */
export async function startFakeBell(answer: (response: ServerResponse, request: IncomingMessage) => void) {
  const keys: string[] = [];
  const server = createServer((request, response) => {
    keys.push(String(request.headers['idempotency-key']));
    request.resume();
    answer(response, request);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url, keys, stop };
}

/** BellBot itself, with a simulated board and a store of its own that outlives it. */
export function bellBot() {
  const home = mkdtempSync(join(tmpdir(), 'auction-bell-'));
  const command = join(dirname(require.resolve('bellbot/package.json')), 'bin', 'bellbot.js');
  let running: ChildProcess | undefined;
  let port = 0;
  return {
    /** At the port that it had before, if it was there before. */
    async start(): Promise<string> {
      const options = ['--board', 'simulated', 'sdelay=20', 'pdelay=20', `port=${port}`];
      const env = { PATH: process.env.PATH, HOME: home };
      running = spawn(process.execPath, [command, ...options], { env, stdio: ['ignore', 'pipe', 'inherit'] });
      for await (const line of createInterface({ input: running.stdout! })) {
        const found = /listens at http:\/\/[^:]+:(\d+)/.exec(line);
        if (!found) continue;
        port = Number(found[1]);
        return `http://127.0.0.1:${port}`;
      }
      throw new Error('BellBot ended and did not say where it listens.');
    },
    async stop(): Promise<void> {
      if (!running || running.exitCode !== null) return;
      const ended = once(running, 'exit');
      running.kill('SIGTERM');
      await ended;
    },
    /** Of all rings so far, oldest first. */
    async rings(): Promise<readonly { readonly why: string; readonly status: string }[]> {
      const response = await fetch(`http://127.0.0.1:${port}/log?limit=1000`);
      const { rings } = (await response.json()) as { rings: { why: string; status: string }[] };
      return rings.reverse();
    },
    remove: () => rmSync(home, { recursive: true, force: true }),
  };
}
