import { Command, CommanderError, Option as Flag } from 'commander';
import type { Given, Source } from './given';
import { unknownName } from './given';
import { isOptionName, OPTION_NAMES, OPTIONS } from './options';
import type { OptionName } from './options';
import type { Option } from './values';

const FROM = 'command line';

const INTRODUCTION = `Strikes a call bell with a servo when somebody posts to /ring.

Options are given as --name value, as --name=value or as name=value; in the environment as BELLBOT_NAME;
or as lines BELLBOT_NAME=value in ~/.bellbotrc. The command line counts most, then the environment.`;

const EXAMPLES = `
Examples:
  bellbot                                    tries it out, on this machine alone
  bellbot --port 3000 --pin 8 --key s3cret   rings for whoever has the key
  bellbot port=3000 pin=8 key=s3cret         the same
  curl -X POST -H 'Authorization: Bearer s3cret' http://localhost:3000/ring`;

export interface CommandLine extends Source {
  /** Whether to show the configuration instead of running. */
  readonly isCheck: boolean;
  /** What is to be printed, instead of anything else. */
  readonly answer?: string;
}

/** Reads the arguments after the program's name; finds all mistakes. */
export function readCommandLine(args: readonly string[], version: string): CommandLine {
  const given: Given[] = [];
  const printed: string[] = [];
  const command = commandOf(version, (name, text) => given.push({ name, text, from: FROM }));
  command.configureOutput({ writeOut: (line) => printed.push(line), writeErr: () => undefined });
  try {
    command.parse([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0)
      return { given: [], mistakes: [], isCheck: false, answer: printed.join('') || error.message };
    return { given, mistakes: [error.message.replace(/^error: /, '')], isCheck: false };
  }
  const rest = readRest(command.args);
  return {
    given: [...given, ...rest.given],
    mistakes: [...rest.mistakes, ...repeated([...given, ...rest.given])],
    isCheck: command.opts<{ check?: true }>().check === true,
  };
}

function commandOf(version: string, onOption: (name: OptionName, text: string | undefined) => void): Command {
  const command = new Command('bellbot')
    .usage('[--name value | name=value] …')
    .description(INTRODUCTION)
    .argument('[settings...]')
    .allowUnknownOption()
    .allowExcessArguments()
    .exitOverride()
    .addHelpText('after', EXAMPLES)
    .configureHelp({ helpWidth: Math.min(process.stdout.columns ?? 100, 110), visibleArguments: () => [] });
  for (const name of OPTION_NAMES) {
    const option: Option<unknown> = OPTIONS[name];
    const value = option.placeholder === undefined ? '' : ` [${option.placeholder}]`;
    command.addOption(new Flag(`--${name}${value}`, describe(option)).helpGroup(option.group));
    command.on(`option:${name}`, (text: string | null) => {
      onOption(name, option.placeholder === undefined ? 'true' : (text ?? undefined));
    });
  }
  command.addOption(
    new Flag('--check', 'Shows the configuration and where it comes from, and ends').helpGroup('Other:'),
  );
  command.addOption(new Flag('--version', 'Shows the version, and ends').helpGroup('Other:'));
  command.on('option:version', () => {
    throw new CommanderError(0, 'bellbot.version', version);
  });
  return command.helpOption('--help', 'Shows this, and ends');
}

function describe({ help, range, fallbackText }: Option<unknown>): string {
  return `${help} (${range === undefined ? '' : `${range}; `}default: ${fallbackText})`;
}

/** What commander did not take: name=value, and mistakes. */
function readRest(args: readonly string[]): Source {
  const given: Given[] = [];
  const mistakes: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const arg = args[index]!; // below the length
    const [, dashes, name, text] = /^(--?)?([^=\s]+)=(.*)$/s.exec(arg) ?? [];
    if (name !== undefined && dashes !== '-' && isOptionName(name)) {
      given.push({ name, text, from: FROM });
    } else if (name !== undefined) {
      mistakes.push(unknownName(`${dashes ?? ''}${name}`, name, (known) => `${dashes ?? ''}${known}`));
    } else if (arg.startsWith('-')) {
      mistakes.push(unknownName(arg, arg.replace(/^-+/, ''), (known) => `--${known}`));
      const next = args[index + 1];
      if (next !== undefined && !/^-|=/.test(next)) index++; // its value
    } else {
      mistakes.push(`"${arg}": is not understood. Options are written --name value or name=value.`);
    }
  }
  return { given, mistakes };
}

function repeated(given: readonly Given[]): string[] {
  const names = given.map(({ name }) => name);
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))].map(
    (name) => `${name} (${FROM}): is given ${names.filter((other) => other === name).length} times.`,
  );
}
