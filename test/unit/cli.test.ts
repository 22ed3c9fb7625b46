import { BellwetherError } from '../../framework/core/errors';
import type { Command, CommandContext } from '../../framework/cli/command';
import { makeCreateCommand } from '../../framework/cli/create-command';
import { makeDbCommands, toLibpqUrl, type DbDependencies } from '../../framework/cli/db-command';
import { runProgram } from '../../framework/cli/program';
import type { EmbeddedStatus } from '../../framework/embedded/embedded-server';

class KnownFailure extends BellwetherError {
  override readonly code = 'E_KNOWN';
  override readonly recovery = 'try-later';
}

const URL = 'postgres://bellwether:secret@127.0.0.1:15000/bellwether';
const running: EmbeddedStatus = {
  state: 'running',
  stateFolder: '/app/.bellwether/development',
  url: URL,
  postmasterPid: 11,
  supervisorPid: 10,
  dataFolder: '/app/.bellwether/development/data',
  startedAt: '2025-01-31T12:00:00.000Z',
  leases: [7, 7, 8],
  isKept: true,
};
const stopped: EmbeddedStatus = { state: 'stopped', stateFolder: '/app/.bellwether/development' };

function fakes(status: EmbeddedStatus) {
  const calls: unknown[] = [];
  const server: DbDependencies = {
    start: ({ purpose, isKept } = {}) => {
      calls.push({ start: purpose, isKept });
      return Promise.resolve({ url: URL, release: () => Promise.resolve(void calls.push('release')) });
    },
    stop: ({ purpose } = {}) => {
      calls.push({ stop: purpose });
      return Promise.resolve(status.state === 'running');
    },
    status: ({ purpose } = {}) => {
      calls.push({ status: purpose });
      return Promise.resolve(status);
    },
  };
  return { server, calls };
}

async function call(args: string, commands: readonly Command[], env: CommandContext['env'] = {}) {
  const printed: string[] = [];
  const complaints: string[] = [];
  const print = (line: string) => void printed.push(line);
  const complain = (line: string) => void complaints.push(line);
  const context = { print, complain, env, workingFolder: '/app' };
  const status = await runProgram(args.split(' ').filter(Boolean), context, commands);
  return { status, printed: printed.join('\n'), complaints: complaints.join('\n') };
}

interface Row {
  args: string;
  server: EmbeddedStatus;
  env?: CommandContext['env'];
  status: number;
  printed?: string;
  complaints?: RegExp;
  calls?: unknown[];
}

const NOT_RUNNING = /not running. Start it with `bellwether db start`/;
const ROWS: Row[] = [
  {
    args: 'db start',
    server: stopped,
    status: 0,
    printed: URL,
    calls: [{ start: 'development', isKept: true }, 'release'],
  },
  {
    args: 'db start --test',
    server: stopped,
    status: 0,
    printed: URL,
    calls: [{ start: 'test', isKept: true }, 'release'],
  },
  {
    args: 'db start',
    server: stopped,
    env: { DATABASE_URL: 'x' },
    status: 0,
    printed: URL,
    complaints: /DATABASE_URL is set/,
  },
  { args: 'db stop', server: running, status: 0, complaints: /^stopped$/, calls: [{ stop: 'development' }] },
  { args: 'db stop', server: stopped, status: 0, complaints: /^was not running$/ },
  { args: 'db status', server: stopped, status: 1, printed: 'stopped' },
  { args: 'db url', server: running, status: 0, printed: URL, calls: [{ status: 'development' }] },
  { args: 'db url', server: stopped, status: 1, complaints: NOT_RUNNING },
  {
    args: 'db url',
    server: stopped,
    env: { DATABASE_URL: 'postgres://h/d' },
    status: 0,
    printed: 'postgres://h/d',
    calls: [],
  },
  { args: 'db url', server: running, env: { DATABASE_URL: '' }, status: 0, printed: URL },
  { args: 'db url --test', server: running, env: { DATABASE_URL: 'postgres://h/d' }, status: 0, printed: URL },
  { args: 'db psql-url', server: running, status: 0, printed: URL },
  { args: 'db psql-url', server: stopped, status: 1, complaints: NOT_RUNNING },
  { args: 'db strat', server: stopped, status: 2, complaints: /Did you mean start\?/, calls: [] },
  { args: 'bd', server: stopped, status: 2, complaints: /Did you mean db\?/ },
  { args: 'db url --tset', server: stopped, status: 2, complaints: /Did you mean --test\?/ },
  { args: 'db url more', server: stopped, status: 2, complaints: /too many arguments/ },
  { args: '', server: stopped, status: 2, complaints: /Usage: bellwether/ },
];

test.each(ROWS)(
  'bellwether $args, $server.state, ends with $status',
  async ({ args, server: state, env, ...expected }) => {
    const { server, calls } = fakes(state);
    const seen = await call(args, makeDbCommands(server), env);
    expect(seen.status).toBe(expected.status);
    expect(seen.printed).toBe(expected.printed ?? '');
    expect(seen.complaints).toMatch(expected.complaints ?? /^$/);
    if (expected.calls) expect(calls).toEqual(expected.calls);
  },
);

test('status says what runs, where, and who uses it', async () => {
  const { printed } = await call('db status', makeDbCommands(fakes(running).server));
  expect(printed.split('\n')).toEqual([
    'running since 2025-01-31T12:00:00.000Z, process 11',
    `address  ${URL}`,
    'data     /app/.bellwether/development/data',
    'logs     /app/.bellwether/development',
    'used by  3 leases (processes 7, 8); kept until `bellwether db stop`',
  ]);
});

test('help that was asked for goes to standard output and is no failure', async () => {
  const { status, printed, complaints } = await call('db --help', makeDbCommands(fakes(stopped).server));
  expect({ status, complaints }).toEqual({ status: 0, complaints: '' });
  for (const word of ['start', 'stop', 'status', 'url', 'psql-url']) expect(printed).toContain(word);
});

describe('the exit status tells known failures from bugs', () => {
  const failing = (error: Error): Command[] => [{ name: 'fail', summary: '', run: () => Promise.reject(error) }];

  test('a known one: 1, with its remedy and code', async () => {
    const { status, complaints } = await call(
      'fail',
      failing(new KnownFailure({ what: 'It broke.', remedy: 'Mend it.' })),
    );
    expect(status).toBe(1);
    expect(complaints).toBe('bellwether: It broke.\n  Remedy: Mend it. (E_KNOWN)');
  });

  test('a bug: 70, with its stack', async () => {
    const { status, complaints } = await call('fail', failing(new TypeError('x is not a function')));
    expect(status).toBe(70);
    expect(complaints).toMatch(/^bellwether: a bug: TypeError: x is not a function\n\s+at /);
  });
});

test('a command gets its options and arguments', async () => {
  const calls: unknown[] = [];
  const command: Command = {
    name: 'greet',
    summary: '',
    arguments: [{ name: '<names...>', description: '' }],
    options: [{ flags: '--times <count>', description: '' }],
    run: (given) => Promise.resolve(void calls.push(given)),
  };
  await call('greet --times 2 a b', [command]);
  expect(calls).toEqual([{ options: { times: '2' }, arguments: ['a', 'b'] }]);
});

test.each([
  ['postgres://u:p@h:5432/d', 'postgres://u:p@h:5432/d'],
  ['postgres://h/d?sslmode=require&application_name=a', 'postgres://h/d?sslmode=require&application_name=a'],
  ['postgres://h/d?pgbouncer=true&schema=public', 'postgres://h/d'],
  ['postgres://h/d?sslmode=no-verify', 'postgres://h/d?sslmode=require'],
  ['postgres://h/d?ssl=true', 'postgres://h/d?sslmode=require'],
  ['postgres://h1,h2/d', 'postgres://h1,h2/d'],
  ['host=/var/run dbname=d', 'host=/var/run dbname=d'],
])('psql takes %s as %s', (address, expected) => expect(toLibpqUrl(address)).toBe(expected));

test.each(['--version', '-v'])('%s prints the version of the package', async (flag) => {
  const { version } = jest.requireActual<{ version: string }>('../../package.json');
  expect(await call(flag, [])).toMatchObject({ status: 0, printed: version });
});

test.each([
  [true, /^created$/],
  [false, /^was there$/],
])('db create tells whether it made the database: %s', async (isNew, says) => {
  const asked: unknown[] = [];
  const createDatabase = (name: string, { url }: { url?: string } = {}) => {
    asked.push([name, url]);
    return Promise.resolve(isNew);
  };
  const { status, complaints } = await call('db create shop', [makeCreateCommand({ createDatabase })], {
    DATABASE_URL: 'postgres://h/d',
  });
  expect([status, asked]).toEqual([0, [['shop', 'postgres://h/d']]]);
  expect(complaints).toMatch(says);
});
