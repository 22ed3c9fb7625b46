/** What a command may use of the world; tests pass their own. */
export interface CommandContext {
  /** Writes a line to standard output: results, which may be piped. */
  readonly print: (line: string) => void;
  /** Writes a line to standard error: progress and complaints. */
  readonly complain: (line: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The folder that the tool was called in. */
  readonly workingFolder: string;
}

export interface CommandOption {
  /** As commander writes them: `--dry-run`, `--to <name>`. */
  readonly flags: string;
  readonly description: string;
}

export interface CommandArgument {
  /** As commander writes them: `<required>`, `[optional]`, `[several...]`. */
  readonly name: string;
  readonly description: string;
}

/**
 * A command is data and one function. It never calls `process.exit`, and reads no global.
 *
 * A failure that it foresees is thrown as a BellwetherError; it may return a status other than 0 where that is an
 * answer, not a failure (as `diff` does).
 */
export interface Command {
  /** One word or two: `doctor`, `db start`. The first of two names the group. */
  readonly name: string;
  readonly summary: string;
  readonly arguments?: readonly CommandArgument[];
  readonly options?: readonly CommandOption[];
  run(call: CommandCall, context: CommandContext): Promise<ExitStatus | void>;
}

export interface CommandCall {
  /** Values by the flags' camel-cased long names: true for a flag without a value. */
  readonly options: Readonly<Record<string, string | boolean | undefined>>;
  readonly arguments: readonly string[];
}

/**
 * 0 done, 1 the command failed in a known way, 2 it was called wrongly, 70 a bug.
 *
 * @see sysexits(3), EX_SOFTWARE
 */
export type ExitStatus = 0 | 1 | 2 | 70;
