// One hot account wanted by many: how much gets through, as a ratio to hand-written `select … for update`.
// See docs/decisions/0009-hot-rows.md. Each way runs in a process of its own; all take turns in short batches.

import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createTestDatabase } from 'bellwether/testing';
import { WAYS } from './contention-ways';
import type { Way, WayName } from './contention-ways';
import { medianOf } from './measure';
import { startProxy } from './proxy';

const isQuick = process.argv.includes('--quick');
const WARM_UP = 3;
const ROUNDS = isQuick ? 5 : 15;
const BATCH_MS = isQuick ? 500 : 1_000;
const POOL = 16;
const START = 1_000_000_000;
const only = process.argv.find((argument) => argument.startsWith('--only='))?.slice('--only='.length);
/** The first one is what the others are compared with. */
const names = (Object.keys(WAYS) as WayName[]).filter(
  (name, index) => index === 0 || only === undefined || name.includes(only),
);

/** What a batch did: `done` withdrawals, `failed` callers that heard an error, `attempts` in all. */
interface Batch {
  readonly ms: number;
  /** Of the client's processor, for all of them. What else runs on the machine makes little difference to it. */
  readonly processorMs: number;
  readonly done: number;
  readonly failed: number;
  readonly attempts: number;
}
type Order = { readonly open: WayName; readonly url: string } | { readonly callers: number; readonly ms: number };

async function main(): Promise<void> {
  const database = await createTestDatabase(
    `create table accounts (id bigint primary key, balance bigint not null) with (fillfactor = 50);
     insert into accounts select i, ${START} from generate_series(1, 1000) i; analyze;`,
  );
  const withdrawn = { count: 0 };
  try {
    for (const networkMs of [0, 1]) {
      const proxy = networkMs > 0 ? await startProxy(database.url, networkMs) : undefined;
      for (const callers of [16, 64]) {
        const title = `${callers} callers, pool ${POOL}, ${networkMs > 0 ? `${networkMs} ms a round trip` : 'loopback'}`;
        await measure(title, proxy?.url ?? database.url, callers, withdrawn);
      }
      proxy?.close();
    }
    const { rows } = await database.pool.query<{ balance: string }>('select balance from accounts where id = 1');
    if (Number(rows[0]!.balance) !== START - withdrawn.count) throw new Error('A withdrawal was lost or made up.');
    process.stdout.write(`The balance is right after ${withdrawn.count} withdrawals.\n`);
  } finally {
    await database.drop();
  }
}

async function measure(title: string, url: string, callers: number, withdrawn: { count: number }): Promise<void> {
  const children = await Promise.all(names.map((name) => start(name, url)));
  const batches = new Map<WayName, Batch[]>(names.map((name) => [name, []]));
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const index = (turn + round + WARM_UP) % names.length;
      const batch = (await ask(children[index]!, { callers, ms: BATCH_MS })) as Batch;
      withdrawn.count += batch.done;
      if (round >= 0) batches.get(names[index]!)!.push(batch);
    }
  }
  children.forEach((child) => child.disconnect());
  const perSecond = (batch: Batch) => (batch.done / batch.ms) * 1_000;
  const reference = batches.get(names[0]!)!;
  process.stdout.write(`\n${title}\n`);
  for (const name of names) {
    const all = batches.get(name)!;
    const ratio = medianOf(all.map((batch, round) => perSecond(batch) / perSecond(reference[round]!)));
    const sum = (of: keyof Batch) => all.reduce((total, batch) => total + batch[of], 0);
    const processorUs = Math.min(...all.map((batch) => (batch.processorMs / batch.done) * 1_000));
    process.stdout.write(
      `  ${name.padEnd(44)} ${medianOf(all.map(perSecond)).toFixed(0).padStart(6)}/s  ratio ${ratio.toFixed(2)}` +
        `  processor ${processorUs.toFixed(0).padStart(4)} µs at best` +
        `  attempts/commit ${(sum('attempts') / sum('done')).toFixed(2)}  failed ${sum('failed')}\n`,
    );
  }
}

async function start(name: WayName, url: string): Promise<ChildProcess> {
  const child = fork(__filename, ['child']);
  await ask(child, { open: name, url });
  return child;
}

function ask(child: ChildProcess, order: Order): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once('message', (reply: { value?: unknown; error?: string }) =>
      reply.error === undefined ? resolve(reply.value) : reject(new Error(reply.error)),
    );
    child.send(order);
  });
}

async function runBatch(way: Way, callers: number, ms: number): Promise<Batch> {
  const begunAt = performance.now();
  const usedBefore = process.cpuUsage();
  const before = way.attempts;
  const count = { done: 0, failed: 0 };
  const caller = async () => {
    while (performance.now() - begunAt < ms) {
      await way.withdraw(1).then(
        () => (count.done += 1),
        () => (count.failed += 1),
      );
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const { user, system } = process.cpuUsage(usedBefore);
  const processorMs = (user + system) / 1_000;
  return { ...count, ms: performance.now() - begunAt, processorMs, attempts: way.attempts - before };
}

function serve(): void {
  let way: Way;
  const answer = async (order: Order): Promise<unknown> => {
    if ('open' in order) {
      way = await WAYS[order.open](order.url, POOL);
      return undefined;
    }
    return runBatch(way, order.callers, order.ms);
  };
  process.on('message', (order: Order) => {
    answer(order).then(
      (value) => process.send!({ value }),
      (error: unknown) => process.send!({ error: error instanceof Error ? error.stack : String(error) }),
    );
  });
  process.on('disconnect', () => process.exit());
}

if (process.argv[2] === 'child') serve();
else void main();
