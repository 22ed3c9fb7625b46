import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runBellBot } from './bellbot';
import { readCommandLine } from './config/command-line';
import { describeConfig, resolveConfig } from './config/config';
import { ConfigError } from './config/errors';
import { BellBotError } from './errors';

const WRONG_USE = 2;
/** What may keep the process alive after all is closed is not waited for. */
const LINGER_MS = 1_000;

const say = (line: string) => void process.stdout.write(`${line}\n`);
const complain = (line: string) => void process.stderr.write(`${line}\n`);

async function main(args: readonly string[]): Promise<void> {
  const commandLine = readCommandLine(args, version());
  if (commandLine.answer !== undefined) return say(commandLine.answer.trimEnd());
  const config = resolveConfig(commandLine, process.env);
  if (commandLine.isCheck) return say(describeConfig(config));
  const stopping = stoppingSignal();
  await runBellBot(config, stopping, say);
}

/** Of the package, whether this runs as TypeScript or as what is built from it. */
function version(): string {
  for (const folder of [__dirname, join(__dirname, '..')]) {
    try {
      return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return 'unknown';
}

/** Aborted by Ctrl-C and its like; a second one ends the process at once, as if nobody heard. */
function stoppingSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => controller.abort());
  process.once('uncaughtException', (error) => {
    complain(error.stack ?? error.message);
    process.exitCode = 1;
    controller.abort();
  });
  return controller.signal;
}

main(process.argv.slice(2))
  .catch((error: unknown) => {
    complain(error instanceof BellBotError ? `bellbot: ${error.message}` : String((error as Error).stack ?? error));
    process.exitCode = error instanceof ConfigError ? WRONG_USE : 1;
  })
  .finally(() => setTimeout(() => process.exit(), LINGER_MS).unref());
