import { execFile } from 'node:child_process';
import { createTestDatabase } from 'bellwether/testing';
import type { TestDatabase } from 'bellwether/testing';
import { connect } from 'bellwether';
import { runClients, together } from '../../../apps/load/clients';
import { loadMix, seeded } from '../../../apps/load/mix';
import { describeReport, failuresIn } from '../../../apps/load/table';

let database: TestDatabase;
beforeAll(async () => (database = await createTestDatabase()));
afterAll(() => database.drop());

/** What `npm run load` runs once all is built. */
const load = (...args: string[]) =>
  new Promise<{ status: number; output: string }>((resolve) => {
    const env = { ...process.env, DATABASE_URL: database.url };
    execFile(process.execPath, ['dist/apps/load/load.js', ...args], { env }, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code), output: stdout + stderr }),
    );
  });

const BRIEFLY = ['bank', '--clients', '4', '--seconds', '1', '--processes', '2'];

test('clients in several processes act, then every rule is told; a rule that is broken is the exit status', async () => {
  const held = await load(...BRIEFLY);
  expect(held.output).toMatch(/^action +done +per s +p50 +p95 +p99 +max ms +refused +failed$/m);
  expect(held.output).toMatch(/^transfer +\d+/m);
  expect(held.output).toContain('  holds   money is conserved');
  expect(held.status).toBe(0);
  const { rows } = await database.pool.query<{ left: number }>(
    'select count(*)::int as left from customers where is_drill',
  );
  expect(rows).toEqual([{ left: 0 }]);
  await database.pool.query(
    `insert into products (name, price, currency, stocked, stock) values ('lost', 1, 'EUR', 5, 4)`,
  );
  const broken = await load(...BRIEFLY);
  expect(broken.output).toMatch(/BROKEN {2}what was stocked is in stock or sold: 1 time/);
  expect(broken.status).toBe(1);
});

test.each([
  [['blank'], /Allowed choices are bank/],
  [['bank', '--clients', '0'], /whole number from 1 to 2000/],
])('%j is refused with what there is', async (args, says) => {
  const { status, output } = await load(...args);
  expect([status, says.test(output)]).toEqual([1, true]);
});

test('what clients do is the same in every run with one seed, by weight; failures are told from refusals', async () => {
  const db = await connect({ url: database.url });
  class BugError extends Error {
    override readonly name = 'BugError';
  }
  const chosen: string[] = [];
  const act = (name: string) => () => {
    chosen.push(name);
    return name === 'broken' ? Promise.reject(new BugError('a bug')) : Promise.resolve();
  };
  const mix = loadMix<undefined>({
    open: () => Promise.resolve(db),
    prepare: () => Promise.resolve(undefined),
    actions: [
      { name: 'often', weight: 9, run: act('often') },
      { name: 'broken', weight: 1, run: act('broken') },
    ],
    audit: () => Promise.resolve([]),
  });
  const run = async () => {
    chosen.length = 0;
    const report = await runClients(db, mix, undefined, { clients: 1, durationMs: 200, seed: 5 });
    return { report, first: chosen.slice(0, 50) };
  };
  const [one, two] = [await run(), await run()];
  expect(one.first).toEqual(two.first);
  expect(one.first.filter((name) => name === 'often').length).toBeGreaterThan(35);
  const both = together([one.report, two.report], mix.actions);
  expect(failuresIn(both)).toBe(failuresIn(one.report) + failuresIn(two.report));
  expect(describeReport(both, 1).join('\n')).toMatch(/FAILED:\n {2}BugError {2}\d+/);
  await db.close();
});

test('random numbers are spread evenly', () => {
  const random = seeded(42);
  const counts = Array.from({ length: 10 }, () => 0);
  for (let n = 0; n < 10_000; n++) counts[random.whole(10)]!++;
  for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
});
