import { connect } from '../client/connect';
import type { Database } from '../client/database';
import { InvalidOptionError } from '../core/invalid-option-error';
import type { DeadJobFilter } from '../jobs/dead-jobs';
import { deadJobs, discardJobs, jobCounts, replayJobs } from '../jobs/dead-jobs';
import { installJobs } from '../jobs/install';
import type { Command, CommandCall, CommandContext, CommandOption } from './command';

/** What the commands do to a database; tests pass their own. */
export interface JobsDependencies {
  readonly connect: (options: Parameters<typeof connect>[0]) => Promise<Database>;
}

const JOB = { flags: '--job <name>', description: 'only jobs of this name' };
const CHOICE: readonly CommandOption[] = [JOB, { flags: '--all', description: 'all dead jobs' }];
const IDS = [{ name: '[ids...]', description: 'of dead jobs, as `bellwether jobs dead` lists them' }];

export function makeJobsCommands({ connect: open }: JobsDependencies): readonly Command[] {
  const command = (
    parts: Omit<Command, 'run'>,
    body: (database: Database, call: CommandCall, context: CommandContext) => Promise<void>,
  ): Command => ({
    ...parts,
    run: async (call, context) => {
      const url = context.env.DATABASE_URL || undefined;
      const database = await open({ ...(url && { url }), poolSize: 2, onProgress: context.complain });
      try {
        await database.use(() => body(database, call, context));
      } finally {
        await database.close();
      }
    },
  });
  return [
    command(
      { name: 'jobs install', summary: 'Make the tables of the queue, or bring them to this version.' },
      async (database, _call, { complain }) => {
        await installJobs(database);
        complain('the queue is installed');
      },
    ),
    command({ name: 'jobs list', summary: 'Count the jobs in the queue, by name.' }, list),
    command(
      {
        name: 'jobs dead',
        summary: 'List the jobs whose attempts are used up: id, name, attempts, payload, error.',
        options: [JOB, { flags: '--limit <n>', description: 'how many; 100 if not given' }],
      },
      dead,
    ),
    command(
      { name: 'jobs replay', summary: 'Have dead jobs run again.', arguments: IDS, options: CHOICE },
      async (_database, call, { print }) => print(`${await replayJobs(filterOf(call))} replayed`),
    ),
    command(
      { name: 'jobs discard', summary: 'Forget dead jobs.', arguments: IDS, options: CHOICE },
      async (_database, call, { print }) => print(`${await discardJobs(filterOf(call))} discarded`),
    ),
  ];
}

async function list(_database: Database, _call: CommandCall, { print, complain }: CommandContext): Promise<void> {
  const counts = await jobCounts();
  if (counts.length === 0) return complain('the queue is empty');
  const width = Math.max(...counts.map(({ job }) => job.length));
  for (const { job, due, later, running, dead: gone } of counts) {
    print(`${job.padEnd(width)}  ${due} due  ${later} later  ${running} running  ${gone} dead`);
  }
}

async function dead(_database: Database, call: CommandCall, { print, complain }: CommandContext): Promise<void> {
  const { job, limit } = call.options;
  const found = await deadJobs({
    ...(typeof job === 'string' && { job }),
    ...(limit !== undefined && { limit: Number(limit) }),
  });
  for (const one of found) {
    const key = one.key === undefined ? '' : `  key ${one.key}`;
    print(`${one.id}  ${one.job}${key}  ${one.attempts} attempts  ${JSON.stringify(one.payload)}`);
    print(`    ${one.error.split('\n', 1)[0]}`);
  }
  if (found.length === 0) complain('no dead jobs');
}

function filterOf({ options, arguments: ids }: CommandCall): DeadJobFilter {
  const ways = [ids.length > 0, typeof options.job === 'string', options.all === true].filter(Boolean);
  if (ways.length !== 1)
    throw new InvalidOptionError('filter', 'either ids, or --job <name>, or --all', 'none or several');
  if (options.all === true) return 'all';
  if (typeof options.job === 'string') return { job: options.job };
  const wrong = ids.find((id) => !/^\d{1,18}$/.test(id));
  if (wrong !== undefined) throw new InvalidOptionError('ids', 'a list of numbers', wrong);
  return { ids: ids.map(BigInt) };
}

/** The commands over a real database. Last in the file: the functions above must be there first. */
export const jobsCommands = makeJobsCommands({ connect });
