import {
  embeddedStatus,
  startEmbedded,
  stopEmbedded,
  type EmbeddedOptions,
  type EmbeddedStatus,
} from '../embedded/embedded-server';
import { findProjectFolder } from '../embedded/folders';
import type { Command, CommandCall, CommandContext } from './command';

/** What the commands do to a server; tests pass their own. */
export interface DbDependencies {
  readonly start: typeof startEmbedded;
  readonly stop: typeof stopEmbedded;
  readonly status: typeof embeddedStatus;
}

const options = [{ flags: '--test', description: 'the server for tests, instead of the one for development' }];

const NOT_RUNNING = 'The embedded server is not running. Start it with `bellwether db start`, or set DATABASE_URL.';

export function makeDbCommands(server: DbDependencies): readonly Command[] {
  return [startCommand(server), stopCommand(server), statusCommand(server), urlCommand(server), psqlUrlCommand(server)];
}

const startCommand = ({ start }: DbDependencies): Command => ({
  name: 'db start',
  summary: 'Start the embedded server, and keep it running until `db stop`.',
  options,
  async run(call, context) {
    if (given(call, context)) context.complain('DATABASE_URL is set and will be used instead of this server.');
    const server = await start({ ...target(call, context), isKept: true, onProgress: context.complain });
    context.print(server.url);
    await server.release();
  },
});

const stopCommand = ({ stop }: DbDependencies): Command => ({
  name: 'db stop',
  summary: 'Stop the embedded server, whoever uses it.',
  options,
  async run(call, { complain, ...context }) {
    const wasThere = await stop(target(call, { complain, ...context }));
    complain(wasThere ? 'stopped' : 'was not running');
  },
});

const statusCommand = ({ status }: DbDependencies): Command => ({
  name: 'db status',
  summary: 'Tell whether the embedded server runs, and where. Ends with status 1 when it does not.',
  options,
  async run(call, context) {
    if (given(call, context)) context.print('DATABASE_URL is set and used instead of the embedded server.');
    const facts = await status(target(call, context));
    for (const line of describeStatus(facts)) context.print(line);
    return facts.state === 'running' ? 0 : 1;
  },
});

const urlCommand = ({ status }: DbDependencies): Command => ({
  name: 'db url',
  summary: 'Print the address of the database: DATABASE_URL, or that of the running embedded server.',
  options,
  async run(call, context) {
    return printUrl(await currentUrl(call, context, status), context);
  },
});

const psqlUrlCommand = ({ status }: DbDependencies): Command => ({
  name: 'db psql-url',
  summary: 'Print the address as psql takes it: psql "$(npx bellwether db psql-url)".',
  options,
  async run(call, context) {
    const url = await currentUrl(call, context, status);
    return printUrl(url && toLibpqUrl(url), context);
  },
});

const target = ({ options }: CommandCall, { workingFolder }: CommandContext): EmbeddedOptions => ({
  projectFolder: findProjectFolder(workingFolder),
  purpose: options.test === true ? 'test' : 'development',
});

/** The address that the environment gives for what the call is about; empty counts as not set. */
const given = ({ options }: CommandCall, { env }: CommandContext) =>
  (options.test === true ? env.TEST_DATABASE_URL : env.DATABASE_URL) || undefined;

async function currentUrl(call: CommandCall, context: CommandContext, status: DbDependencies['status']) {
  const url = given(call, context);
  if (url !== undefined) return url;
  const facts = await status(target(call, context));
  return facts.state === 'running' ? facts.url : undefined;
}

function printUrl(url: string | undefined, { print, complain }: CommandContext): 0 | 1 {
  if (url === undefined) complain(NOT_RUNNING);
  else print(url);
  return url === undefined ? 1 : 0;
}

export function describeStatus(status: EmbeddedStatus): string[] {
  if (status.state !== 'running') return [status.state];
  const users = `${status.leases.length} ${status.leases.length === 1 ? 'lease' : 'leases'}`;
  const holders = status.leases.length === 0 ? '' : ` (processes ${[...new Set(status.leases)].join(', ')})`;
  return [
    `running since ${status.startedAt}, process ${status.postmasterPid}`,
    `address  ${status.url}`,
    `data     ${status.dataFolder}`,
    `logs     ${status.stateFolder}`,
    `used by  ${users}${holders}${status.isKept ? '; kept until `bellwether db stop`' : ''}`,
  ];
}

/**
 * Parameters that libpq takes in an address; it refuses any other, though drivers have their own.
 *
 * @see PostgreSQL manual, section 32.1.2, "Parameter Key Words"
 */
const LIBPQ_PARAMETERS = new Set(
  `host hostaddr port dbname user password passfile require_auth channel_binding connect_timeout client_encoding options
  application_name fallback_application_name keepalives keepalives_idle keepalives_interval keepalives_count
  tcp_user_timeout sslmode requiressl sslnegotiation sslcompression sslcert sslkey sslpassword sslcertmode sslrootcert
  sslcrl sslcrldir sslsni requirepeer ssl_min_protocol_version ssl_max_protocol_version krbsrvname gsslib
  gssencmode gssdelegation service target_session_attrs load_balance_hosts`.split(/\s+/),
);

/** Leaves out the parameters that only a driver knows, and says `no-verify` as libpq does. */
export function toLibpqUrl(address: string): string {
  if (!URL.canParse(address)) return address; // several hosts, or a socket's folder: already libpq's own form
  const url = new URL(address);
  const wantsTls = ['true', '1'].includes(url.searchParams.get('ssl') ?? '');
  if (url.searchParams.get('sslmode') === 'no-verify') url.searchParams.set('sslmode', 'require');
  if (wantsTls && !url.searchParams.has('sslmode')) url.searchParams.set('sslmode', 'require');
  for (const name of [...url.searchParams.keys()]) if (!LIBPQ_PARAMETERS.has(name)) url.searchParams.delete(name);
  return url.href;
}

/** The verbs over the real server. Last in the file: the functions above must be there first. */
export const dbCommands = makeDbCommands({ start: startEmbedded, stop: stopEmbedded, status: embeddedStatus });
