import { Agent, request } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Ring } from '../../hardware/bell/ring';
import { get } from './client';
import { DESK, serve } from './serving';
import type { Serving } from './serving';
import { MemoryStore } from '../../hardware/store/memory-store';

const REQUESTS = 10_000;
/** Each is a connection at both ends, and a process may open a bounded number of files. */
const CONNECTIONS = 1_000;
const LIMIT = 500;

interface Told {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly id: string | undefined;
}

function ringAt(url: string, agent: Agent, index: number): Promise<Told> {
  return new Promise((resolve, reject) => {
    const body = `why=${index}`;
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': body.length };
    const call = request(`${url}/ring`, { method: 'POST', agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => (text += part));
      response.on('end', () => {
        const { ring } = JSON.parse(text) as { ring?: Ring };
        resolve({ status: response.statusCode!, retryAfter: response.headers['retry-after'], id: ring?.id });
      });
    });
    call.on('error', reject).end(body);
  });
}

let serving: Serving;
let agent: Agent;
beforeEach(async () => {
  serving = await serve({ bells: [{ ...DESK, queue: LIMIT }], store: new MemoryStore({ remember: 100 }) });
  agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
});
afterEach(async () => {
  agent.destroy();
  await serving.close();
});

const allAtOnce = (count: number) =>
  Promise.all(Array.from({ length: count }, (_, index) => ringAt(serving.url, agent, index)));

test('10,000 requests at once: each is told the truth, all that are accepted are struck, and memory stays flat', async () => {
  const { clock, board, url, service } = serving;
  const struck = new Set<string>();
  service.events.on('ring', ({ id, status }) => void (status === 'rung' && struck.add(id)));

  await allAtOnce(CONNECTIONS); // all connections are there from now on
  await clock.advance((LIMIT + 1) * DESK.pdelay);
  const heapBefore = heapUsed();
  board.commands.length = 0;
  struck.clear();

  const told = await allAtOnce(REQUESTS);
  const accepted = told.filter(({ status }) => status === 202).map(({ id }) => id!);
  const refused = told.filter(({ status }) => status === 429);
  expect(accepted).toHaveLength(LIMIT + 1); // one is struck, the others wait
  expect(refused).toHaveLength(REQUESTS - LIMIT - 1);
  expect(new Set(refused.map(({ retryAfter }) => retryAfter))).toEqual(new Set(['1']));
  await clock.advance((LIMIT + 1) * DESK.pdelay);
  expect([...struck].sort()).toEqual([...accepted].sort());
  expect(board.commands.map(({ degrees }) => degrees)).toEqual(accepted.flatMap(() => [90, 75]));

  const refusals = CONNECTIONS + REQUESTS - 2 * (LIMIT + 1);
  expect((await get(`${url}/metrics`)).text).toContain(
    `bellbot_rings_total{bell="desk",outcome="refused"} ${refusals}`,
  );
  told.length = 0;
  expect(heapUsed() - heapBefore).toBeLessThan(8_000_000); // a kilobyte that each request left behind would be more
}, 120_000);

/** After all that can be collected is. */
function heapUsed(): number {
  setFlagsFromString('--expose_gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}
