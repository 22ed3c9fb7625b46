import { InvalidOptionError } from '../core/invalid-option-error';
import type { IsolationLevel } from '../theory/isolation';
import { ISOLATION_LEVELS } from '../theory/isolation';
import { InvalidDatabaseUrlError } from './errors';

export interface PoolOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string;
  /** Most connections open at once. Default 10. */
  readonly poolSize?: number;
  /** Default isolation of the connection, for single statements too. Default `serializable`. */
  readonly isolation?: IsolationLevel;
  /** How long to wait for a free connection of the pool, in milliseconds. Default 30,000. */
  readonly acquireTimeoutMs?: number;
  /** How long one attempt to reach the server may take, in milliseconds. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** How long one statement may take, in milliseconds; 0 for no bound. Default 60,000. */
  readonly statementTimeoutMs?: number;
  /** How long a transaction may wait for its body between statements, in milliseconds; 0 for no bound. Default 60,000. */
  readonly idleInTransactionTimeoutMs?: number;
  /** Name shown in `pg_stat_activity`. Default `bellwether`. */
  readonly applicationName?: string;
  /** Named prepared statements. Default true, and false behind a pooler: say true if that one keeps them. */
  readonly preparedStatements?: boolean;
}

export type ResolvedPoolOptions = Required<Omit<PoolOptions, 'preparedStatements'>> &
  Pick<PoolOptions, 'preparedStatements'>;

/** Fills in the defaults and refuses values that cannot work. */
export function resolvePoolOptions(options: PoolOptions): ResolvedPoolOptions {
  const resolved: ResolvedPoolOptions = {
    poolSize: 10,
    isolation: 'serializable',
    acquireTimeoutMs: 30_000,
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 60_000,
    idleInTransactionTimeoutMs: 60_000,
    applicationName: 'bellwether',
    ...definedOnly(options),
  };
  checkUrl(resolved.url);
  if (!ISOLATION_LEVELS.includes(resolved.isolation)) {
    throw new InvalidOptionError('isolation', `one of ${ISOLATION_LEVELS.join(', ')}`, resolved.isolation);
  }
  checkWhole('poolSize', resolved.poolSize, 1);
  checkWhole('acquireTimeoutMs', resolved.acquireTimeoutMs, 1);
  checkWhole('connectTimeoutMs', resolved.connectTimeoutMs, 1);
  checkWhole('statementTimeoutMs', resolved.statementTimeoutMs, 0);
  checkWhole('idleInTransactionTimeoutMs', resolved.idleInTransactionTimeoutMs, 0);
  return resolved;
}

/** Takes the password out, for messages and logs. */
export function maskedUrl(url: string): string {
  return url.replace(/^([a-z]+:\/\/[^:@/]*):[^@]*@/i, '$1:***@');
}

function checkUrl(url: string): void {
  const remedy = 'Set DATABASE_URL to postgres://user:password@host:port/database.';
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    // The parser's own error quotes the whole text, password and all, so it is not kept as a cause.
    throw new InvalidDatabaseUrlError({ what: 'The database URL is not a URL.', remedy });
  }
  if (!/^postgres(ql)?:$/.test(parsed.protocol)) {
    throw new InvalidDatabaseUrlError({
      what: `The database URL has the scheme "${parsed.protocol.slice(0, -1)}", which is not PostgreSQL's.`,
      remedy,
    });
  }
  if (parsed.pathname.length < 2) {
    throw new InvalidDatabaseUrlError({ what: 'The database URL names no database.', remedy });
  }
}

function checkWhole(name: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least) {
    throw new InvalidOptionError(name, `a whole number from ${least} upwards`, value);
  }
}

function definedOnly(options: PoolOptions): PoolOptions {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as unknown as PoolOptions;
}
