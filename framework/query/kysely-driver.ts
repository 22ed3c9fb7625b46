import type { CompiledQuery, DatabaseConnection, Driver, QueryResult, RootOperationNode } from 'kysely';
import { Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely';
import type { StatementResult } from '../database/connection';
import { areHeld, decisionToHold, readHolding, reliesOnSnapshot } from '../transaction/held-reads';
import type { Session } from '../transaction/session';
import { InvalidQueryError, ReadNotHeldError } from './errors';
import { tablesRead } from './tables-read';

const instances = new WeakMap<Session, Kysely<unknown>>();

/** A kysely over the session: every query goes through the transaction around it, its retries and its errors. */
export function kyselyOf(session: Session): Kysely<unknown> {
  let kysely = instances.get(session);
  if (!kysely) {
    kysely = new Kysely<unknown>({
      dialect: {
        createAdapter: () => new PostgresAdapter(),
        createDriver: () => new SessionDriver(session),
        createIntrospector: (db) => new PostgresIntrospector(db),
        createQueryCompiler: () => new PostgresQueryCompiler(),
      },
    });
    instances.set(session, kysely);
  }
  return kysely;
}

/** Sends kysely's queries through a session. Transactions are the framework's own: kysely's would bypass them. */
class SessionDriver implements Driver {
  readonly #connection: DatabaseConnection;

  constructor(session: Session) {
    this.#connection = new SessionConnection(session);
  }

  async init(): Promise<void> {}

  acquireConnection(): Promise<DatabaseConnection> {
    return Promise.resolve(this.#connection);
  }

  beginTransaction(): Promise<void> {
    return Promise.reject(ownTransactionsOnly());
  }

  commitTransaction(): Promise<void> {
    return Promise.reject(ownTransactionsOnly());
  }

  rollbackTransaction(): Promise<void> {
    return Promise.reject(ownTransactionsOnly());
  }

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {}
}

class SessionConnection implements DatabaseConnection {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const { rows, fields, command, rowCount } = await this.#run(query);
    const names = fields.map((field) => field.name);
    const objects = rows.map((row) => Object.fromEntries(names.map((name, index) => [name, row[index]])) as R);
    const isWrite = command === 'INSERT' || command === 'UPDATE' || command === 'DELETE' || command === 'MERGE';
    return isWrite ? { rows: objects, numAffectedRows: BigInt(rowCount) } : { rows: objects };
  }

  /** Any of them may write, a select too: by a function that it calls. So none is sent twice. */
  #run({ sql: text, parameters, query }: CompiledQuery): Promise<StatementResult> {
    const statement = { text, values: parameters };
    const decision = decisionToHold(this.#session);
    const { scope } = this.#session;
    if (!decision || !scope || !isRead(query, text)) return this.#session.execute(statement);
    const tables = tablesRead(query);
    if (!tables && !reliesOnSnapshot(scope)) throw new ReadNotHeldError(decision.table, scope.transaction.isolation);
    if (!tables || areHeld(scope, [...tables])) return this.#session.execute(statement);
    return readHolding(this.#session, scope, [...tables], statement);
  }

  // Kysely's interface asks for a generator, which fails on its first step here.
  // eslint-disable-next-line @typescript-eslint/require-await
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new InvalidQueryError({
      what: 'Streaming is not possible on a pipelined connection.',
      remedy: 'Read in batches, by order and limit.',
    });
  }
}

/** Text is a read unless it says that it writes or commands. */
function isRead({ kind }: RootOperationNode, text: string): boolean {
  if (kind === 'SelectQueryNode') return true;
  return kind === 'RawNode' && /^[\s(]*(select|with|values|table)\b/i.test(text) && !WRITES.test(text);
}
const WRITES = /\b(insert\s+into|update|delete\s+from|merge\s+into)\b(?<!for\s+(no\s+key\s+)?update)/i;

function ownTransactionsOnly(): InvalidQueryError {
  return new InvalidQueryError({
    what: "A transaction of kysely's own would bypass the framework's.",
    remedy: 'Use db.transaction(…); kysely queries inside it are part of it.',
  });
}
