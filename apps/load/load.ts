import { SingleBar } from 'cli-progress';
import { Argument, Command, InvalidArgumentError } from 'commander';
import { BellwetherError } from 'bellwether';
import { allHold, describeFindings } from '../web/findings';
import { applicationsWith, mixOf } from './applications';
import { together } from './clients';
import { runProcesses } from './processes';
import { describeReport, failuresIn } from './table';

interface Options {
  readonly clients: number;
  readonly seconds: number;
  readonly processes: number;
  readonly seed: number;
}

const say = (line: string) => void process.stdout.write(`${line}\n`);
const complain = (line: string) => void process.stderr.write(`${line}\n`);

/** Runs an application's operations against one another, then asks in SQL whether its rules have held. */
async function load(name: string, { clients, seconds, processes, seed }: Options): Promise<boolean> {
  const mix = await mixOf(name);
  const db = await mix.open({ poolSize: 10, onProgress: complain });
  try {
    const stage = await db.use(mix.prepare);
    const bar = new SingleBar({ format: '{bar} {value} of {total} s, {ended} done', stopOnComplete: true });
    let ended = 0;
    bar.start(seconds, 0, { ended });
    const begunAt = performance.now();
    const onProgress = (more: number) => {
      ended += more;
      bar.update(Math.min(seconds, Math.floor((performance.now() - begunAt) / 1000)), { ended });
    };
    const all = { name, processes, clients, seconds, seed, stage, onProgress };
    const reports = await runProcesses(all).finally(() => bar.stop());
    const report = together(reports, mix.actions);
    for (const line of describeReport(report, seconds)) say(line);
    const findings = await db.use(() => mix.audit(db, stage));
    say(`\nThe rules ${allHold(findings) ? 'hold' : 'DO NOT HOLD'}:`);
    for (const line of describeFindings(findings)) say(line);
    await db.use(async () => mix.tidy?.(stage));
    return allHold(findings) && failuresIn(report) === 0;
  } finally {
    await db.close();
  }
}

const whole = (most: number) => (text: string) => {
  if (/^\d{1,6}$/.test(text) && Number(text) >= 1 && Number(text) <= most) return Number(text);
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${most}.`);
};

const program = new Command('npm run load --')
  .description('Runs the operations of an application against one another, then checks each of its rules in SQL.')
  .addArgument(new Argument('<application>').choices(applicationsWith('mix')))
  .option('--clients <n>', 'how many do something at a time', whole(2000), 64)
  .option('--seconds <n>', 'for how long', whole(86_400), 30)
  .option('--processes <n>', 'how many processes they are spread over', whole(64), 4)
  .option('--seed <n>', 'what the clients choose by', whole(999_999), 1)
  .action(async (name: string, options: Options) => {
    try {
      process.exitCode = (await load(name, options)) ? 0 : 1;
    } catch (error) {
      complain(error instanceof BellwetherError ? `load: ${error.message}` : String((error as Error).stack));
      process.exitCode = 1;
    }
  });

void program.parseAsync();
