// How fast the framework is, as a ratio to the driver alone: see docs/speed.md.

import { cpus } from 'node:os';
import { createTestDatabase } from 'bellwether/testing';
import { Child } from './child';
import { medianOf, roundTripMs, table } from './measure';
import type { Measured } from './measure';
import { startProxy } from './proxy';
import { checkSums, TABLES } from './schema';
import { SCENARIOS } from './subject';
import type { Scenario } from './subject';
import { SUBJECTS } from './worker';
import type { SubjectName } from './worker';

const isQuick = process.argv.includes('--quick');
const only = process.argv.find((argument) => argument.startsWith('--only='))?.slice('--only='.length);
const ROUNDS = isQuick ? 7 : 31;
const BATCH_MS = isQuick ? 25 : 50;
const NETWORK_MS = 1;
const names = Object.keys(SUBJECTS) as SubjectName[];

const done = { inserts: 0, saves: 0 };
let runs = 0;

async function main(): Promise<void> {
  if (process.env.DATABASE_URL) process.env.TEST_DATABASE_URL ??= process.env.DATABASE_URL;
  const database = await createTestDatabase(TABLES);
  try {
    await describe(database.pool);
    await measureAll('On this machine, without a network', database.url);
    const proxy = await startProxy(database.url, NETWORK_MS);
    const added = (await roundTripMs(proxy.url)) - (await roundTripMs(database.url));
    await measureAll(`Behind a network that adds ${added.toFixed(2)} ms a round trip (measured)`, proxy.url);
    proxy.close();
    await checkSums(database.pool, done);
    print('The sums are right: no money was made or lost, no change was lost.');
  } finally {
    await database.drop();
  }
}

async function describe(pool: { query(text: string): Promise<{ rows: unknown[] }> }): Promise<void> {
  const { rows } = await pool.query(
    `select current_setting('server_version') as version, current_setting('fsync') as fsync,
      current_setting('synchronous_commit') as synchronous_commit`,
  );
  const [server] = rows as [{ version: string; fsync: string; synchronous_commit: string }];
  const [{ model } = { model: 'unknown' }] = cpus();
  print(
    `${cpus().length} × ${model.trim()}, Node ${process.versions.node}, PostgreSQL ${server.version} ` +
      `(fsync ${server.fsync}, synchronous_commit ${server.synchronous_commit})`,
    'pg and kysely run at read committed, the default of the server and of most users; Bellwether at serializable, its',
    'own default, and at read committed. Ratios of time to pg, medians over interleaved batches; below 1 is faster.',
  );
}

async function measureAll(title: string, url: string): Promise<void> {
  const children: Child[] = [];
  for (const name of names) children.push(await Child.open(name, url));
  const measured: Measured[] = [];
  for (const scenario of SCENARIOS.filter(({ name }) => only === undefined || name.startsWith(only))) {
    progress(`${title}: ${scenario.name} …`);
    if (scenario.isComparable) await compareAnswers(children, scenario);
    measured.push(await measure(children, scenario));
  }
  for (const child of children) await child.close();
  progress('');
  print('', title, '', ...table(names, measured), '');
}

async function compareAnswers(children: readonly Child[], scenario: Scenario): Promise<void> {
  const answers: string[] = [];
  for (const child of children) answers.push(await child.answer(SCENARIOS.indexOf(scenario)));
  const wrong = children.find((_, index) => answers[index] !== answers[0]);
  if (wrong) throw new Error(`${scenario.name}: ${wrong.name} gives another answer than ${names[0]}.`);
}

/** All take turns in small batches, beginning with another in each round, so that what slows the machine slows all. */
async function measure(children: readonly Child[], scenario: Scenario): Promise<Measured> {
  const count = await batchSize(children, scenario);
  const ms = new Map<SubjectName, number[]>(children.map(({ name }) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (let turn = 0; turn < children.length; turn++) {
      const child = children[(turn + round) % children.length]!;
      ms.get(child.name)!.push((await batch(child, scenario, count)) / count);
    }
  }
  const driver = ms.get('pg')!;
  const ratios = names.map((name) => medianOf(ms.get(name)!.map((time, round) => time / driver[round]!)));
  return { scenario: scenario.name, driverMs: medianOf(driver), ratios };
}

/** Warms up, and finds how many runs take the driver about {@link BATCH_MS}. */
async function batchSize(children: readonly Child[], scenario: Scenario): Promise<number> {
  let count = scenario.callers * 2;
  for (let ms = 0; ms < BATCH_MS / 2;) {
    count *= 2;
    ms = await batch(children[0]!, scenario, count);
  }
  for (let warmUp = 0; warmUp < (isQuick ? 4 : 10); warmUp++) {
    for (const child of children) await batch(child, scenario, count);
  }
  return count;
}

async function batch(child: Child, scenario: Scenario, count: number): Promise<number> {
  const ms = await child.batch(SCENARIOS.indexOf(scenario), runs, count);
  runs += count;
  if (scenario.counts) done[scenario.counts] += count;
  return ms;
}

function print(...lines: string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else if (text !== '') process.stderr.write(`${text}\n`);
}

void main();
