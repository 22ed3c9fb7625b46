import { join, relative, resolve } from 'node:path';
import { connect } from '../client/connect';
import type { Database } from '../client/database';
import { InvalidOptionError } from '../core/invalid-option-error';
import { findProjectFolder } from '../embedded/folders';
import { JobsStillRunningError } from '../jobs/errors';
import { declaredJobs } from '../jobs/job';
import { loadJobFiles } from '../jobs/load';
import { declaredSchedules } from '../jobs/schedule';
import { startWorkers } from '../jobs/start-workers';
import type { Command, CommandCall, CommandContext } from './command';

/** What the command does to files, a database and the process; tests pass their own. */
export interface WorkDependencies {
  readonly connect: (options: Parameters<typeof connect>[0]) => Promise<Database>;
  readonly load: typeof loadJobFiles;
  readonly start: typeof startWorkers;
  /** Calls `listener` at each SIGINT or SIGTERM. @returns a function that takes it off again */
  readonly onSignal: (listener: (signal: NodeJS.Signals) => void) => () => void;
  /** Ends the process at once. */
  readonly exit: (status: number) => void;
}

/** As shells count a process that SIGINT ended. */
const INTERRUPTED = 130;
const DEFAULT_CONCURRENCY = 4;

export function makeWorkCommand(tools: WorkDependencies): Command {
  return {
    name: 'work',
    summary: 'Run jobs, until SIGINT or SIGTERM: then finish those under way. A second signal ends it at once.',
    options: [
      {
        flags: '--jobs <path>',
        description: "file or folder that declares them; `jobs` in the project's folder, if not given",
      },
      { flags: '--concurrency <n>', description: `most jobs at once; ${DEFAULT_CONCURRENCY} if not given` },
    ],
    run: (call, context) => work(tools, call, context),
  };
}

async function work(tools: WorkDependencies, call: CommandCall, context: CommandContext): Promise<0 | 1> {
  const { env, complain, workingFolder } = context;
  const concurrency = concurrencyOf(call);
  const files = await tools.load(folderOf(call, context));
  for (const file of files) complain(`loaded ${relative(workingFolder, file)}`);
  const url = env.DATABASE_URL || undefined;
  const database = await tools.connect({ ...(url && { url }), poolSize: concurrency + 2, onProgress: complain });
  narrate(database, complain);
  try {
    const workers = await tools.start(database, { concurrency });
    complain(
      `ready for ${declaredJobs().length} jobs and ${declaredSchedules().length} schedules, ${concurrency} at once`,
    );
    const off = await untilSignal(tools, complain);
    try {
      await workers.stop();
    } catch (error) {
      if (!(error instanceof JobsStillRunningError)) throw error;
      complain(`bellwether: ${error.message} (${error.code})`);
      tools.exit(1); // their handlers would keep the process alive
      return 1;
    } finally {
      off();
    }
    complain('stopped');
    return 0;
  } finally {
    await database.close();
  }
}

/** Resolves at the first signal; ends the process at the second. @returns a function that stops listening */
function untilSignal(tools: WorkDependencies, complain: (line: string) => void): Promise<() => void> {
  return new Promise((done) => {
    let isFirst = true;
    const off = tools.onSignal((signal) => {
      if (!isFirst) return tools.exit(INTERRUPTED);
      isFirst = false;
      complain(`${signal}: finishing the jobs under way; once more to end at once`);
      done(off);
    });
  });
}

function narrate(database: Database, say: (line: string) => void): void {
  const of = ({ job, jobId }: { job: string; jobId: bigint }) => `${job} ${jobId}`;
  database.on('job:end', (event) => {
    say(`${of(event)} ${event.outcome === 'done' ? 'done' : 'no longer due'} (${Math.round(event.durationMs)} ms)`);
  });
  database.on('job:failed', (event) => {
    const next = event.retryAt ? `; again at ${event.retryAt.toISOString()}` : '';
    say(`${of(event)} failed at attempt ${event.attempt}: ${firstLine(event.error)}${next}`);
  });
  database.on('job:dead', (event) => say(`${of(event)} is dead: bellwether jobs replay ${event.jobId} runs it again`));
  database.on('job:taken-over', (event) => say(`${of(event)} taken over: its worker died`));
  database.on('worker:error', ({ error }) => say(`trouble: ${firstLine(error)}; trying again`));
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]!;
}

function folderOf({ options }: CommandCall, { workingFolder }: CommandContext): string {
  return typeof options.jobs === 'string'
    ? resolve(workingFolder, options.jobs)
    : join(findProjectFolder(workingFolder), 'jobs');
}

function concurrencyOf({ options }: CommandCall): number {
  const given = options.concurrency ?? String(DEFAULT_CONCURRENCY);
  if (typeof given !== 'string' || !/^[1-9]\d*$/.test(given)) {
    throw new InvalidOptionError('--concurrency', 'a whole number from 1 upwards', given);
  }
  return Number(given);
}

function onSignal(listener: (signal: NodeJS.Signals) => void): () => void {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.on(signal, listener);
  return () => {
    for (const signal of signals) process.off(signal, listener);
  };
}

/** The command over a real database. Last in the file: the functions above must be there first. */
export const workCommand = makeWorkCommand({
  connect,
  load: loadJobFiles,
  start: startWorkers,
  onSignal,
  exit: (status) => process.exit(status),
});
