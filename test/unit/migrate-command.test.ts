import type { CommandContext } from '../../framework/cli/command';
import { makeMigrateCommands } from '../../framework/cli/migrate-command';
import type { MigrateDependencies } from '../../framework/cli/migrate-command';
import { runProgram } from '../../framework/cli/program';
import type { Database } from '../../framework/client/database';
import { MigrationOrderError } from '../../framework/migration/errors';

function fakes(names: string[]) {
  const calls: unknown[] = [];
  const note = (verb: string, { onProgress, ...options }: { onProgress?: unknown }) => {
    expect(typeof onProgress).toBe('function');
    calls.push({ [verb]: options });
  };
  const tools: MigrateDependencies = {
    connect: (options) => {
      note('connect', options ?? {});
      return Promise.resolve({ close: () => Promise.resolve(void calls.push('close')) } as Database);
    },
    migrate: (_, options) => {
      note('migrate', options);
      return names.includes('fail')
        ? Promise.reject(new MigrationOrderError(['a'], 'b'))
        : Promise.resolve({ applied: names });
    },
    rollback: (_, options) => (note('rollback', options), Promise.resolve({ rolledBack: names })),
    redo: (_, options) => (note('redo', options), Promise.resolve(names[0] === undefined ? {} : { redone: names[0] })),
    status: (_, options) => {
      note('status', options);
      const known = { state: 'applied', appliedAt: new Date(0), durationMs: 3 } as const;
      return Promise.resolve(names.map((name) => (name === 'p' ? { name, state: 'pending' } : { name, ...known })));
    },
    plan: (_, command, options) => {
      note(`plan ${command}`, options);
      const direction = command === 'up' ? 'up' : 'down';
      const isBare = (name: string) => name === 'bare';
      return Promise.resolve(
        names.map((name) => ({ name, direction, transaction: !isBare(name), safeForOldCode: !isBare(name) })),
      );
    },
    create: ({ folder, purpose, language, now }) => {
      calls.push({ create: purpose, language, now });
      return Promise.resolve(`${folder}/${purpose}.${language}`);
    },
    now: () => new Date(0),
  };
  return { tools, calls };
}

interface Row {
  args: string;
  names?: string[];
  env?: CommandContext['env'];
  status?: number;
  printed?: string;
  complaints?: RegExp;
  call?: unknown;
}

const defaults = { folder: '/app/migrations', allowOutOfOrder: false, allowMissingFiles: false };
const ROWS: Row[] = [
  { args: 'up', names: ['a', 'b'], printed: 'applied a\napplied b', call: { migrate: defaults } },
  { args: 'up', complaints: /^nothing to apply$/ },
  {
    args: 'up --folder db/m',
    names: ['a'],
    printed: 'applied a',
    call: { migrate: { ...defaults, folder: '/app/db/m' } },
  },
  {
    args: 'up --allow-out-of-order --allow-missing-files --lock-timeout 20',
    complaints: /nothing/,
    call: { migrate: { ...defaults, allowOutOfOrder: true, allowMissingFiles: true, lockTimeoutMs: 20 } },
  },
  { args: 'up', names: ['fail'], status: 1, complaints: /Older than b.*\n.*Remedy: .*E_MIGRATION_ORDER/ },
  {
    args: 'up --dry-run',
    names: ['a', 'bare'],
    printed: 'would apply a\nwould apply bare (outside a transaction; not safe for the code of the previous release)',
    call: { 'plan up': defaults },
  },
  { args: 'up --dry-run', complaints: /^nothing to do$/ },
  { args: 'up --lock-timeout soon', status: 1, complaints: /--lock-timeout is a whole number, not soon/ },
  { args: 'up now', status: 2, complaints: /too many arguments/ },
  { args: 'down', names: ['a'], printed: 'took back a', call: { rollback: defaults } },
  { args: 'down --steps 2', complaints: /nothing to take back/, call: { rollback: { ...defaults, steps: 2 } } },
  { args: 'down --dry-run', names: ['bare'], printed: 'would take back bare (outside a transaction)' },
  { args: 'redo', names: ['a'], printed: 'redid a', call: { redo: defaults } },
  { args: 'redo', complaints: /nothing to redo/ },
  { args: 'status', names: ['a'], printed: 'applied     a  1970-01-01T00:00:00.000Z  3 ms' },
  { args: 'status', names: ['p'], status: 1, printed: 'pending     p' },
  { args: 'status', complaints: /no migrations, neither in the folder/ },
  {
    args: 'up',
    env: { DATABASE_URL: 'postgres://h/d' },
    complaints: /nothing/,
    call: { connect: { url: 'postgres://h/d', poolSize: 1, statementTimeoutMs: 0 } },
  },
  {
    args: 'up',
    env: { DATABASE_URL: '' },
    complaints: /nothing/,
    call: { connect: { poolSize: 1, statementTimeoutMs: 0 } },
  },
];

async function call(args: string, names: string[] = [], env: CommandContext['env'] = {}) {
  const printed: string[] = [];
  const complaints: string[] = [];
  const print = (line: string) => void printed.push(line);
  const complain = (line: string) => void complaints.push(line);
  const { tools, calls } = fakes(names);
  const context = { print, complain, env, workingFolder: '/app' };
  const status = await runProgram(['migrate', ...args.split(' ')], context, makeMigrateCommands(tools));
  return { status, calls, printed: printed.join('\n'), complaints: complaints.join('\n') };
}

test.each(ROWS)('bellwether migrate $args, over $names', async ({ args, names, env, ...expected }) => {
  const seen = await call(args, names, env);
  expect(seen.status).toBe(expected.status ?? 0);
  expect(seen.printed).toBe(expected.printed ?? '');
  expect(seen.complaints).toMatch(expected.complaints ?? /^$/);
  if (expected.call !== undefined) expect(seen.calls).toContainEqual(expected.call);
  if (seen.calls.length > 0) expect(seen.calls.at(-1)).toBe('close');
});

test.each([
  ['new create_accounts', 'migrations/create_accounts.ts', { create: 'create_accounts', language: 'ts' }],
  ['new x --sql --folder db', 'db/x.sql', { create: 'x', language: 'sql' }],
])('bellwether migrate %s makes %s, and needs no database', async (args, path, expected) => {
  const { status, printed, calls } = await call(args);
  expect({ status, printed, calls }).toEqual({ status: 0, printed: path, calls: [{ ...expected, now: new Date(0) }] });
});
