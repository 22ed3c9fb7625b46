import type { BellwetherError } from '../core/errors';
import { ConnectionFailedError, ServerResourcesError } from './errors';
import { maskedUrl } from './options';
import { isPostgresError } from './sqlstate';

/** Poolers such as PgBouncer refuse start-up parameters that they do not know (SQLSTATE 08P01). */
export function isRefusedStartupParameter(error: unknown): boolean {
  return error instanceof Error && /unsupported startup parameter/i.test(error.message);
}

/** One clear error for each way in which a server cannot be reached. */
export function describeConnectFailure(error: unknown, url: string): BellwetherError {
  const { host, user, database } = partsOf(url);
  const [what, remedy] = whatAndRemedy(error, host, user, database);
  const parts = { what, remedy, details: { url: maskedUrl(url) }, cause: error };
  const isFull = isPostgresError(error) && error.code.startsWith('53');
  if (!isFull) return new ConnectionFailedError(parts);
  const facts = { sqlState: error.code, constraint: undefined, table: undefined, column: undefined };
  return new ServerResourcesError({ ...parts, details: { ...parts.details, ...facts } });
}

function whatAndRemedy(error: unknown, host: string, user: string, database: string): [what: string, remedy: string] {
  const code = (error as { code?: string } | undefined)?.code ?? '';
  switch (code) {
    case '28P01':
    case '28000':
      return [
        `PostgreSQL at ${host} refused the user "${user}" or the password.`,
        'Correct the user and the password in DATABASE_URL.',
      ];
    case '3D000':
      return [
        `PostgreSQL at ${host} has no database "${database}".`,
        `Create it (createDatabase('${database}'), or \`bellwether db create ${database}\`), or correct its name.`,
      ];
    case '53300':
      return [
        `PostgreSQL at ${host} has no connection left.`,
        'Lower poolSize, put a pooler in front, or raise max_connections.',
      ];
    case '57P03':
      return [`PostgreSQL at ${host} is starting up or shutting down.`, 'Try again in a moment.'];
    case 'ECONNREFUSED':
      return [
        `Nothing listens at ${host}.`,
        'Start PostgreSQL there, correct DATABASE_URL, or unset it to use the embedded server.',
      ];
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return [`The host name of ${host} cannot be resolved.`, 'Correct the host in DATABASE_URL.'];
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ETIMEDOUT':
      return [`The host ${host} cannot be reached.`, 'Check the network, the firewall and the host in DATABASE_URL.'];
  }
  const message = error instanceof Error ? error.message : String(error);
  if (/timeout/i.test(message)) {
    return [
      `No answer from ${host} in time.`,
      'Check the network and the host in DATABASE_URL, or wait longer with connectTimeoutMs.',
    ];
  }
  if (/SASL|password/i.test(message)) {
    return [
      `PostgreSQL at ${host} wants a password for the user "${user}" and got none that it can use.`,
      'Put the password into DATABASE_URL.',
    ];
  }
  if (/SSL/i.test(message)) {
    return [`PostgreSQL at ${host} and this program do not agree on SSL.`, 'Set sslmode in DATABASE_URL accordingly.'];
  }
  return [
    `No session with the PostgreSQL at ${host} could be opened.`,
    'Look at the cause; check that DATABASE_URL names a PostgreSQL server.',
  ];
}

function partsOf(url: string): { host: string; user: string; database: string } {
  const { hostname, port, username, pathname, searchParams } = new URL(url);
  const host = searchParams.get('host') ?? (hostname === '' ? 'localhost' : hostname);
  return {
    host: `${host}:${port === '' ? '5432' : port}`,
    user: decodeURIComponent(username),
    database: decodeURIComponent(pathname.slice(1)),
  };
}
