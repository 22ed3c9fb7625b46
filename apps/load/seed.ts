import { SingleBar } from 'cli-progress';
import { Command, InvalidArgumentError } from 'commander';
import { BellwetherError } from 'bellwether';
import { applicationsWith, mixOf, seedOf } from './applications';

const complain = (line: string) => void process.stderr.write(`${line}\n`);

async function seedOne(name: string, users: number): Promise<void> {
  const seed = await seedOf(name);
  if (!seed) return complain(`${name}: has no seed of any size.`);
  const { open } = await mixOf(name);
  const db = await open({ onProgress: complain });
  const bar = new SingleBar({ format: `${name} {bar} {value} of {total}`, stopOnComplete: true });
  bar.start(1, 0);
  const onProgress = (done: number, total: number) => {
    bar.setTotal(total);
    bar.update(done);
  };
  try {
    await db.use(() => seed({ users, onProgress }));
  } finally {
    bar.stop();
    await db.close();
  }
}

const program = new Command('npm run seed --')
  .description('Fills the databases of the applications, or of one, with users and what they do.')
  .argument('[application]', `one of ${applicationsWith('seed').join(', ')}; all if not given`)
  .option('--users <n>', 'how many users', parseUsers, 10_000)
  .action(async (wanted: string | undefined, { users }: { users: number }) => {
    const names = applicationsWith('seed').filter((name) => wanted === undefined || name === wanted);
    if (names.length === 0) return program.error(`There is no application "${wanted}".`);
    try {
      for (const name of names) await seedOne(name, users);
    } catch (error) {
      complain(error instanceof BellwetherError ? `seed: ${error.message}` : String((error as Error).stack));
      process.exitCode = 1;
    }
  });

function parseUsers(text: string): number {
  if (/^\d{1,7}$/.test(text) && Number(text) > 0) return Number(text);
  throw new InvalidArgumentError('It must be a whole number from 1 to 9999999.');
}

void program.parseAsync();
