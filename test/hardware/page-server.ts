// TEMPORARY: the contract between server and page, until the server itself is there.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import type { Response } from 'express';
import type { BellView } from '../../hardware/bell/views';
import type { Ring } from '../../hardware/bell/ring';
import { bellPage } from '../../hardware/page/page';

export interface PageServer {
  readonly url: string;
  loseBoard(): void;
  findBoard(): void;
  close(): Promise<void>;
}

export async function startPageServer({
  key,
  bells: ids = ['desk'],
  sdelay = 150,
}: { key?: string; bells?: string[]; sdelay?: number } = {}): Promise<PageServer> {
  const app = express();
  const listeners = new Set<Response>();
  const rings: Ring[] = [];
  let status: 'ready' | 'lost' = 'ready';
  const bells = ids.map((id, index): { -readonly [K in keyof BellView]: BellView[K] } => ({
    id,
    pin: 8 + index,
    start: 75,
    strike: 90 + index * 10,
    sdelay,
    pdelay: sdelay * 2,
    degrees: 75,
    queued: 0,
    limit: 100,
    striking: false,
    muted: index === 2,
  }));
  const send = (name: string, data: unknown) =>
    listeners.forEach((l) => l.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`));
  const view = () => ({ board: { kind: 'simulated', where: 'simulated', status }, bells });
  const change = (ring: Ring, to: Partial<Ring>) => {
    const next = { ...ring, ...to };
    rings[rings.findIndex((r) => r.id === ring.id)] = next;
    send('ring', next);
    return next;
  };
  const pause = (ms: number) => new Promise((r) => setTimeout(r, ms));
  const tails = new Map<string, Promise<void>>();
  const strike = async (bell: (typeof bells)[number], ring: Ring) => {
    bell.queued--;
    bell.striking = true;
    ring = change(ring, { status: 'striking' });
    send('bells', view());
    for (const degrees of ring.kind === 'sweep'
      ? [bell.start, 0, 45, 90, 135, 180, 90, bell.start]
      : [bell.strike, bell.start]) {
      bell.degrees = degrees;
      send('servo', { bell: bell.id, degrees });
      await pause(sdelay);
    }
    bell.striking = false;
    change(ring, { status: 'rung', finishedAt: new Date().toISOString() });
    send('bells', view());
  };
  app.use(bellPage());
  app.use(express.json());
  app.use((request, response, next) => {
    const given = request.headers.authorization?.slice(7);
    if (key && given !== key && (request.method === 'POST' || request.path !== '/health')) {
      response.status(401).json({ title: 'Unauthorized', status: 401 });
      return;
    }
    next();
  });
  app.get('/bells', (_q, r) => void r.json(view()));
  app.get('/log', (_q, r) => void r.json({ rings: [...rings].reverse() }));
  app.get('/statistics', (_q, r) => {
    const now = Math.floor(Date.now() / 3_600_000) * 3_600_000;
    r.json({
      hours: Array.from({ length: 24 }, (_x, i) => ({
        hour: new Date(now - (23 - i) * 3_600_000).toISOString(),
        rung: i === 23 ? rings.filter((x) => x.status === 'rung').length : process.env.DEMO ? (i * 7) % 11 : 0,
        failed: process.env.DEMO ? (i % 5 === 0 ? 1 : 0) : 0,
        refused: process.env.DEMO && i === 17 ? 4 : 0,
      })),
    });
  });
  app.get('/events', (q, r) => {
    r.set('Content-Type', 'text/event-stream');
    r.flushHeaders();
    r.write(`event: bells\ndata: ${JSON.stringify(view())}\n\n`);
    listeners.add(r);
    q.on('close', () => listeners.delete(r));
  });
  app.post('/bells/:id/:kind', (q, r) => {
    const bell = bells.find((b) => b.id === q.params.id)!;
    if (status === 'lost') {
      r.status(503).set('Retry-After', '5').json({ title: 'x', detail: 'The board is lost.', remedy: 'Plug it in.' });
      return;
    }
    const ring: Ring = {
      id: String(rings.length),
      bell: bell.id,
      kind: q.params.kind as 'ring',
      by: (q.body as Ring).by ?? null,
      why: (q.body as Ring).why ?? null,
      status: 'queued',
      queuedAt: new Date().toISOString(),
      finishedAt: null,
      error: null,
    };
    rings.push(ring);
    bell.queued++;
    send('ring', ring);
    send('bells', view());
    tails.set(
      bell.id,
      (tails.get(bell.id) ?? Promise.resolve()).then(() => strike(bell, ring)),
    );
    r.status(202).json({ ring });
  });
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(process.env.DEMO ? 24999 : 0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    loseBoard: () => {
      status = 'lost';
      send('bells', view());
    },
    findBoard: () => {
      status = 'ready';
      send('bells', view());
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((r) => server.close(r));
    },
  };
}
