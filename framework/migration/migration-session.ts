import type { Connection, Statement, StatementResult } from '../database/connection';
import type { ResolvedPoolOptions } from '../database/options';
import { translateDatabaseError } from '../database/sqlstate';
import { runOutside } from '../transaction/context';
import { Session } from '../transaction/session';

/**
 * A migrator's own sessions, beside those of the application: without its time limits, and whatever a migration sets
 * in a session does not outlive the migrator. Two at most are in use: one holds the lock, and one runs what must run
 * outside a transaction.
 */
export class MigrationSession extends Session {
  #bare: Connection | undefined;

  constructor(options: ResolvedPoolOptions) {
    super({
      ...options,
      poolSize: 2,
      isolation: 'read committed',
      statementTimeoutMs: 0,
      idleInTransactionTimeoutMs: 0,
      applicationName: `${options.applicationName} migrate`,
    });
  }

  override execute(statement: Statement): Promise<StatementResult> {
    return this.#bare !== undefined && !this.scope ? this.#asItIs(this.#bare, statement) : super.execute(statement);
  }

  /**
   * Runs `body` outside of any transaction, all its statements on one connection. Each is sent as it is: a statement
   * that PostgreSQL refuses in a transaction may not be put into one, nor one that failed half way be tried again.
   */
  async bare<T>(body: () => Promise<T>): Promise<T> {
    return this.pool.borrow(async (connection) => {
      this.#bare = connection;
      try {
        return await runOutside(body);
      } finally {
        this.#bare = undefined;
        connection.discard(new Error('A migration may have changed its settings.'));
      }
    });
  }

  async #asItIs(connection: Connection, statement: Statement): Promise<StatementResult> {
    try {
      return await connection.run(statement);
    } catch (error) {
      throw translateDatabaseError(error);
    }
  }
}
