import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, JobsStillRunningError, startWorkers } from 'bellwether';
import type { Command } from '../../../framework/cli/command';
import { makeJobsCommands } from '../../../framework/cli/jobs-command';
import { runProgram } from '../../../framework/cli/program';
import { makeWorkCommand } from '../../../framework/cli/work-command';
import type { WorkDependencies } from '../../../framework/cli/work-command';
import { loadJobFiles } from '../../../framework/jobs/load';
import { setUp, signal, until } from '../transaction/support';
import { hurry } from './support';

const { database } = setUp(
  'create table guests (id bigint generated always as identity primary key, name text not null)',
);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bellwether-jobs-'));
  await mkdir(join(folder, 'jobs/mail'), { recursive: true });
  await mkdir(join(folder, 'models'));
  await writeFile(join(folder, 'package.json'), '{}');
  await writeFile(
    join(folder, 'models/guest.ts'),
    `import { Column, Id, Model, Table } from 'bellwether';
     @Table('guests')
     export class Guest extends Model {
       @Id('bigint') declare readonly id: bigint;
       @Column('text') declare name: string; // said here: jest's own Reflect is not the loader's
     }`,
  );
  await writeFile(
    join(folder, 'jobs/mail/greet.ts'),
    `import { GiveUpError, job, schedule } from 'bellwether';
     import { Guest } from '../../models/guest';
     export const greet = job('greet', { inTransaction: true }, async ({ name }: { name: string }) => {
       if (name === '') throw new GiveUpError('Nobody to greet.');
       await Guest.create({ name });
     });
     schedule('new-year', '0 0 1 1 *', greet, { name: 'all' });`,
  );
});
afterAll(() => rm(folder, { recursive: true }));

/** Calls the tool as a shell would; `said` fulfils once a line holds the text. */
function call(args: readonly string[], commands: readonly Command[]) {
  const lines: string[] = [];
  let end!: () => void;
  const ended = new Promise<void>((resolve) => (end = resolve));
  const waiting = new Set<() => void>();
  const write = (line: string) => {
    lines.push(line);
    for (const look of [...waiting]) look();
  };
  const said = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (lines.some((line) => line.includes(text))) resolve();
      };
      waiting.add(look);
      look();
      const fail = () => reject(new Error(`It did not say: ${text}\n${lines.join('\n')}`));
      void ended.then(fail);
      setTimeout(fail, 20_000).unref();
    });
  const env = { DATABASE_URL: database().url };
  const context = { print: write, complain: write, env, workingFolder: folder };
  const status = runProgram(args, context, commands).finally(end);
  return { lines, said, status };
}

function workTools(parts: Partial<WorkDependencies> = {}) {
  const listeners = new Set<(name: NodeJS.Signals) => void>();
  const exits: number[] = [];
  const tools: WorkDependencies = {
    connect,
    load: loadJobFiles,
    start: startWorkers,
    onSignal: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    exit: (status) => void exits.push(status),
    ...parts,
  };
  return {
    command: makeWorkCommand(tools),
    give: () => listeners.forEach((tell) => tell('SIGTERM')),
    exits,
    listeners,
  };
}

test('work: loads the files, runs their jobs, tells of them, and stops at a signal', async () => {
  const { command, give, listeners } = workTools();
  const { said, status, lines } = call(['work', '--concurrency', '2'], [command]);
  await said('ready');
  const add = (payload: object) =>
    database().pool.query(`select graphile_worker.add_job('greet', $1::json)`, [JSON.stringify(payload)]);
  await add({ name: 'Ada' });
  await said('done');
  await add({ name: '' });
  await said('is dead');
  give();
  expect(await status).toBe(0);
  expect(listeners.size).toBe(0);
  expect((await database().pool.query('select name from guests')).rows).toEqual([{ name: 'Ada' }]);
  expect(lines.map((line) => line.replace(/\d+ ms/, 'n ms'))).toEqual([
    'loaded jobs/mail/greet.ts',
    'ready for 1 jobs and 1 schedules, 2 at once',
    'greet 1 done (n ms)',
    'greet 2 failed at attempt 1: Nobody to greet.',
    'greet 2 is dead: bellwether jobs replay 2 runs it again',
    'SIGTERM: finishing the jobs under way; once more to end at once',
    'stopped',
  ]);
});

test('work: a second signal ends the process at once', async () => {
  const stopping = signal();
  const stop = () => stopping.promise;
  const { command, give, exits } = workTools({
    load: () => Promise.resolve([]),
    start: () => Promise.resolve({ stop }),
  });
  const { said, status } = call(['work'], [command]);
  await said('ready');
  give();
  expect(exits).toEqual([]);
  give();
  expect(exits).toEqual([130]);
  stopping.give();
  expect(await status).toBe(0);
});

test('work: handlers that do not end are named, and the process ends all the same', async () => {
  const stop = () => Promise.reject(new JobsStillRunningError(['greet (1)'], 5));
  const { command, give, exits } = workTools({
    load: () => Promise.resolve([]),
    start: () => Promise.resolve({ stop }),
  });
  const { said, status, lines } = call(['work'], [command]);
  await said('ready');
  give();
  expect([await status, exits]).toEqual([1, [1]]);
  expect(lines.join()).toContain('greet (1)');
});

test('work: what is wrong with the files or the call', async () => {
  const { command } = workTools();
  await writeFile(join(folder, 'broken.ts'), 'export const broken = (');
  for (const [args, text] of [
    [['--jobs', 'nowhere'], 'no file of jobs'],
    [['--jobs', 'broken.ts'], 'broken.ts cannot be loaded'],
    [['--jobs', 'jobs', '--concurrency', '0'], '--concurrency'],
  ] as const) {
    const { status, lines } = call(['work', ...args], [command]);
    expect(await status).toBe(1);
    expect(lines.join()).toContain(text);
  }
});

test('jobs: install, list, dead, replay, discard', async () => {
  const commands = makeJobsCommands({ connect });
  const run = async (...args: string[]) => {
    const { status, lines } = call(['jobs', ...args], commands);
    return [await status, ...lines];
  };
  expect(await run('install')).toEqual([0, 'the queue is installed']);
  await database().pool.query('delete from graphile_worker._private_jobs');
  expect(await run('list')).toEqual([0, 'the queue is empty']);
  expect(await run('dead')).toEqual([0, 'no dead jobs']);
  await database().pool.query(`select graphile_worker.add_job(name, '{"n":1}', max_attempts := 1)
    from unnest(array['fold', 'fold', 'print']) name`);
  const dead = `update graphile_worker._private_jobs set attempts = 1, last_error = 'no paper' || chr(10) || 'at line 1'
    returning id`;
  const ids = (await database().pool.query<{ id: string }>(dead)).rows.map(({ id }) => id);
  expect(await run('list')).toEqual([
    0,
    'fold   0 due  0 later  0 running  2 dead',
    'print  0 due  0 later  0 running  1 dead',
  ]);
  expect(await run('dead', '--job', 'print')).toEqual([0, `${ids[2]}  print  1 attempts  {"n":1}`, '    no paper']);
  expect(await run('replay', ids[0]!)).toEqual([0, '1 replayed']);
  expect(await run('discard', '--job', 'fold')).toEqual([0, '1 discarded']);
  expect(await run('discard', '--all')).toEqual([0, '1 discarded']);
  expect((await run('replay'))[0]).toBe(1);
  expect((await run('replay', 'x'))[0]).toBe(1);
  await hurry(database());
  expect(await until(database(), 'select count(*)::int from graphile_worker._private_jobs')).toBe(1);
});
