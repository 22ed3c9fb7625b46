import { Pool } from 'pg';
import { boundedClient } from './bounded-client';
import type { ResolvedPoolOptions } from './options';

export interface DriverPoolOptions {
  /** Whether statements go out without waiting for the answers to those before. */
  readonly pipeline: boolean;
  /** Whether the defaults of our sessions travel with the start-up packet, which a pooler may refuse. */
  readonly sendsDefaults: boolean;
  /** Hears of idle connections that died. */
  readonly onLost: (error: Error) => void;
}

/** The driver's own pool, bounded and with our defaults. Connects when first used. */
export function driverPool(options: ResolvedPoolOptions, { pipeline, sendsDefaults, onLost }: DriverPoolOptions): Pool {
  const pool = new Pool({
    Client: boundedClient(options.connectTimeoutMs),
    connectionString: options.url,
    max: options.poolSize,
    connectionTimeoutMillis: options.acquireTimeoutMs,
    idleTimeoutMillis: 30_000,
    allowExitOnIdle: true,
    application_name: options.applicationName,
    keepAlive: true,
    pipeline,
    ...(sendsDefaults && { options: startupDefaults(options) }),
  });
  return pool.on('error', onLost);
}

/** The settings that travel with the start-up packet (PostgreSQL manual, libpq `options`); spaces are escaped. */
function startupDefaults(options: ResolvedPoolOptions): string {
  const own = new URL(options.url).searchParams.get('options');
  const settings = {
    default_transaction_isolation: options.isolation,
    statement_timeout: options.statementTimeoutMs,
    idle_in_transaction_session_timeout: options.idleInTransactionTimeoutMs,
    DateStyle: 'ISO',
    TimeZone: 'UTC',
  };
  const ours = Object.entries(settings).map(([name, value]) => `-c ${name}=${String(value).replace(/ /g, '\\ ')}`);
  return [...ours, ...(own ? [own] : [])].join(' ');
}
