import { join, relative, resolve } from 'node:path';
import { connect } from '../client/connect';
import type { Database } from '../client/database';
import { InvalidOptionError } from '../core/invalid-option-error';
import { findProjectFolder } from '../embedded/folders';
import { migrate, migrationStatus, plannedMigrations, redo, rollback } from '../migration/migrate';
import type { MigrateOptions, PlannedMigration, RollbackOptions } from '../migration/migrate';
import { newMigration } from '../migration/new-migration';
import type { MigrationStatus } from '../migration/plan';
import type { Command, CommandCall, CommandContext, CommandOption } from './command';

/** What the commands do to files and to a database; tests pass their own. */
export interface MigrateDependencies {
  readonly connect: (options: Parameters<typeof connect>[0]) => Promise<Database>;
  readonly migrate: typeof migrate;
  readonly rollback: typeof rollback;
  readonly redo: typeof redo;
  readonly status: typeof migrationStatus;
  readonly plan: typeof plannedMigrations;
  readonly create: typeof newMigration;
  readonly now: () => Date;
}

const FOLDER = {
  flags: '--folder <path>',
  description: "where the migrations are; `migrations` in the project's folder, if not given",
};
const DRY_RUN = { flags: '--dry-run', description: 'say what would be done, and change nothing' };
const LOCK_TIMEOUT = {
  flags: '--lock-timeout <ms>',
  description: 'longest wait for a table in use, in milliseconds; 5000 if not given, 0 for no bound',
};

const UP: readonly CommandOption[] = [
  FOLDER,
  DRY_RUN,
  LOCK_TIMEOUT,
  { flags: '--allow-out-of-order', description: 'apply migrations that are older than applied ones, too' },
  { flags: '--allow-missing-files', description: 'accept applied migrations that the folder does not have' },
];
const DOWN: readonly CommandOption[] = [
  FOLDER,
  DRY_RUN,
  LOCK_TIMEOUT,
  { flags: '--steps <n>', description: 'how many to take back; 1 if not given' },
];

export function makeMigrateCommands(tools: MigrateDependencies): readonly Command[] {
  return [newCommand(tools), upCommand(tools), downCommand(tools), redoCommand(tools), statusCommand(tools)];
}

const newCommand = ({ create, now }: MigrateDependencies): Command => ({
  name: 'migrate new',
  summary: 'Make the file of a new migration, named by the time and by what it does.',
  arguments: [{ name: '<name>', description: 'what it does: create_accounts' }],
  options: [FOLDER, { flags: '--sql', description: 'write it in SQL instead of TypeScript' }],
  async run(call, context) {
    const [purpose = ''] = call.arguments;
    const language = call.options.sql === true ? 'sql' : 'ts';
    const path = await create({ folder: folderOf(call, context), purpose, language, now: now() });
    context.print(relative(context.workingFolder, path));
  },
});

const upCommand = (tools: MigrateDependencies): Command => ({
  name: 'migrate up',
  summary: 'Apply the migrations that the database does not have yet.',
  options: UP,
  run: (call, context) =>
    withDatabase(tools, call, context, async (database) => {
      const options = optionsOf(call, context);
      if (call.options.dryRun === true) return printPlan(await tools.plan(database, 'up', options), context);
      const { applied } = await tools.migrate(database, options);
      printDone('applied', applied, 'apply', context);
    }),
});

const downCommand = (tools: MigrateDependencies): Command => ({
  name: 'migrate down',
  summary: 'Take back the migration that was applied last, or the last few.',
  options: DOWN,
  run: (call, context) =>
    withDatabase(tools, call, context, async (database) => {
      const options = optionsOf(call, context);
      if (call.options.dryRun === true) return printPlan(await tools.plan(database, 'down', options), context);
      const { rolledBack } = await tools.rollback(database, options);
      printDone('took back', rolledBack, 'take back', context);
    }),
});

const redoCommand = (tools: MigrateDependencies): Command => ({
  name: 'migrate redo',
  summary: 'Take back the migration that was applied last, and apply it again as its file now says.',
  options: [FOLDER, DRY_RUN, LOCK_TIMEOUT],
  run: (call, context) =>
    withDatabase(tools, call, context, async (database) => {
      const options = optionsOf(call, context);
      if (call.options.dryRun === true) return printPlan(await tools.plan(database, 'redo', options), context);
      const { redone } = await tools.redo(database, options);
      printDone('redid', redone === undefined ? [] : [redone], 'redo', context);
    }),
});

const statusCommand = (tools: MigrateDependencies): Command => ({
  name: 'migrate status',
  summary: 'List the migrations, and which of them the database has. Ends with status 1 unless it has just these.',
  options: [FOLDER],
  run: (call, context) =>
    withDatabase(tools, call, context, async (database) => {
      const all = await tools.status(database, optionsOf(call, context));
      for (const line of describeMigrations(all)) context.print(line);
      if (all.length === 0) context.complain('no migrations, neither in the folder nor in the database');
      return all.every(({ state }) => state === 'applied') ? 0 : 1;
    }),
});

async function withDatabase<T>(
  tools: MigrateDependencies,
  call: CommandCall,
  { env, complain }: CommandContext,
  body: (database: Database) => Promise<T>,
): Promise<T> {
  const url = env.DATABASE_URL || undefined;
  const database = await tools.connect({
    ...(url && { url }),
    poolSize: 1,
    statementTimeoutMs: 0,
    onProgress: complain,
  });
  try {
    return await body(database);
  } finally {
    await database.close();
  }
}

function optionsOf(call: CommandCall, context: CommandContext): MigrateOptions & RollbackOptions {
  const { steps, lockTimeout, allowOutOfOrder, allowMissingFiles } = call.options;
  return {
    folder: folderOf(call, context),
    onProgress: context.complain,
    ...(steps !== undefined && { steps: wholeNumber('--steps', steps) }),
    ...(lockTimeout !== undefined && { lockTimeoutMs: wholeNumber('--lock-timeout', lockTimeout) }),
    allowOutOfOrder: allowOutOfOrder === true,
    allowMissingFiles: allowMissingFiles === true,
  };
}

function folderOf({ options }: CommandCall, { workingFolder }: CommandContext): string {
  return typeof options.folder === 'string'
    ? resolve(workingFolder, options.folder)
    : join(findProjectFolder(workingFolder), 'migrations');
}

function wholeNumber(option: string, given: string | boolean): number {
  if (typeof given !== 'string' || !/^\d+$/.test(given)) throw new InvalidOptionError(option, 'a whole number', given);
  return Number(given);
}

function printPlan(plan: readonly PlannedMigration[], { print, complain }: CommandContext): void {
  const verbs = { up: 'would apply', down: 'would take back' };
  for (const { name, direction, transaction, safeForOldCode } of plan) {
    const notes = [
      ...(transaction ? [] : ['outside a transaction']),
      ...(direction === 'up' && safeForOldCode === false ? ['not safe for the code of the previous release'] : []),
    ];
    print(`${verbs[direction]} ${name}${notes.length > 0 ? ` (${notes.join('; ')})` : ''}`);
  }
  if (plan.length === 0) complain('nothing to do');
}

function printDone(done: string, names: readonly string[], verb: string, { print, complain }: CommandContext): void {
  for (const name of names) print(`${done} ${name}`);
  if (names.length === 0) complain(`nothing to ${verb}`);
}

export function describeMigrations(all: readonly MigrationStatus[]): string[] {
  return all.map(({ name, state, appliedAt, durationMs }) => {
    const when = appliedAt === undefined ? '' : `  ${appliedAt.toISOString()}  ${durationMs} ms`;
    return `${state.padEnd(10)}  ${name}${when}`;
  });
}

/** The verbs over a real database. Last in the file: the functions above must be there first. */
export const migrateCommands = makeMigrateCommands({
  connect,
  migrate,
  rollback,
  redo,
  status: migrationStatus,
  plan: plannedMigrations,
  create: newMigration,
  now: () => new Date(),
});
