import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Command as CommanderCommand, CommanderError } from 'commander';
import { BellwetherError } from '../core/errors';
import type { Command, CommandContext, ExitStatus } from './command';
import { createCommand } from './create-command';
import { dbCommands } from './db-command';
import { jobsCommands } from './jobs-command';
import { migrateCommands } from './migrate-command';
import { verifyCommand } from './verify-command';
import { workCommand } from './work-command';

/** Every command of the tool: add yours here. */
export const COMMANDS: readonly Command[] = [
  ...dbCommands,
  createCommand,
  verifyCommand,
  ...migrateCommands,
  workCommand,
  ...jobsCommands,
];

/** What a group of two-word commands is for. */
const GROUPS: Readonly<Record<string, string>> = {
  db: 'The server that Bellwether runs when DATABASE_URL is not set, and whether the database is as the models say.',
  jobs: 'The queue of jobs.',
  migrate: 'Migrations: changes to the database, each applied once.',
};

/**
 * Runs the command that the arguments name. Prints help, complaints and suggestions through the context.
 *
 * @param args what follows the program's name
 * @returns the exit status to end the process with
 */
export async function runProgram(
  args: readonly string[],
  context: CommandContext,
  commands: readonly Command[] = COMMANDS,
): Promise<ExitStatus> {
  let status: ExitStatus = 0;
  const program = buildProgram(commands, context, (answer) => (status = answer));
  try {
    await program.parseAsync(args, { from: 'user' });
    return status;
  } catch (error) {
    return statusOf(error, context);
  }
}

function buildProgram(
  commands: readonly Command[],
  context: CommandContext,
  answer: (status: ExitStatus) => void,
): CommanderCommand {
  const program = quiet(new CommanderCommand('bellwether'), context);
  program.description('Active Record for TypeScript on PostgreSQL, whose rules hold under concurrency.');
  program.version(packageVersion(), '-v, --version', 'print the version');
  program.showHelpAfterError('(bellwether --help lists the commands)');
  const groups = new Map<string, CommanderCommand>();
  for (const command of commands) {
    const [word = '', second] = command.name.split(' ');
    const parent = second === undefined ? program : (groups.get(word) ?? addGroup(program, word, context));
    if (second !== undefined) groups.set(word, parent);
    addCommand(parent, second ?? word, command, context, answer);
  }
  return program;
}

/** From the package's own package.json, which is further up from the compiled files than from the sources. */
function packageVersion(): string {
  let folder = __dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version;
}

function addGroup(program: CommanderCommand, name: string, context: CommandContext): CommanderCommand {
  const group = quiet(new CommanderCommand(name), context).description(GROUPS[name] ?? '');
  group.showHelpAfterError(`(bellwether ${name} --help lists the commands)`);
  program.addCommand(group);
  return group;
}

function addCommand(
  parent: CommanderCommand,
  word: string,
  command: Command,
  context: CommandContext,
  answer: (status: ExitStatus) => void,
): void {
  const added = quiet(new CommanderCommand(word), context).description(command.summary);
  for (const { name, description } of command.arguments ?? []) added.argument(name, description);
  for (const { flags, description } of command.options ?? []) added.option(flags, description);
  added.action(async () => {
    const call = { options: added.opts<Record<string, string | boolean>>(), arguments: added.args };
    answer((await command.run(call, context)) ?? 0);
  });
  parent.addCommand(added);
}

/** Neither ends the process nor writes to it: commander would do both. */
function quiet(command: CommanderCommand, { print, complain }: CommandContext): CommanderCommand {
  return command.exitOverride().configureOutput({
    writeOut: (text) => print(text.trimEnd()),
    writeErr: (text) => complain(text.trimEnd()),
  });
}

/** commander has complained already of what it found; help that was asked for is no failure. */
function statusOf(error: unknown, { complain }: CommandContext): ExitStatus {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (error instanceof BellwetherError) {
    complain(`bellwether: ${error.message} (${error.code})`);
    return 1;
  }
  complain(`bellwether: a bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  return 70;
}
