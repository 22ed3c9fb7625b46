import type { Session } from '../transaction/session';
import type { MigrationFile } from './files';
import type { AppliedMigration } from './plan';

const TABLE = 'bellwether_migrations';

const LOCATE = `select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.oid = to_regclass('${TABLE}')`;

const CREATE = `create table ${TABLE} (
  name text primary key,
  checksum text not null,
  applied_at timestamptz not null default clock_timestamp(),
  duration_ms bigint not null default 0,
  unfinished text check (unfinished in ('up', 'down'))
);
comment on table ${TABLE} is 'The migrations that this database has; kept by bellwether migrate.';
comment on column ${TABLE}.unfinished is
  'Where one that runs outside a transaction was going when it began; null when it has ended.'`;

/**
 * The table of records. It is named with its schema from the moment it is found, since a migration may change the
 * search path.
 */
export class History {
  readonly #session: Session;
  /** Qualified and quoted, as SQL takes it. */
  readonly table: string;

  private constructor(session: Session, table: string) {
    this.#session = session;
    this.table = table;
  }

  static async find(session: Session): Promise<History | undefined> {
    const { rows } = await session.execute({ text: LOCATE, writes: false });
    const table = rows[0]?.[0] as string | undefined;
    return table === undefined ? undefined : new History(session, table);
  }

  /** For one migrator at a time: two at once would both find no table. */
  static async findOrCreate(session: Session): Promise<History> {
    const found = await History.find(session);
    if (found) return found;
    await session.execute({ text: CREATE });
    return (await History.find(session))!; // it was made in this very transaction
  }

  /** In the order in which they were applied. */
  async read(): Promise<readonly AppliedMigration[]> {
    const { rows } = await this.#session.execute({
      text: `select name, checksum, applied_at, duration_ms, unfinished from ${this.table} order by applied_at, name`,
      writes: false,
    });
    return rows.map(([name, checksum, appliedAt, durationMs, unfinished]) => ({
      name: name as string,
      checksum: checksum as string,
      appliedAt: appliedAt as Date,
      durationMs: Number(durationMs),
      unfinished: unfinished as AppliedMigration['unfinished'],
    }));
  }

  /** The transaction under way, to be given back to {@link add} and {@link remove}. */
  async transactionId(): Promise<string> {
    const { rows } = await this.#session.execute({ text: 'select pg_current_xact_id()::text' });
    return rows[0]![0] as string;
  }

  /** @returns false when the transaction is not `transactionId` any more, so that nothing was recorded */
  async add({ name, checksum }: MigrationFile, durationMs: number, transactionId: string): Promise<boolean> {
    const { rowCount } = await this.#session.execute({
      text: `insert into ${this.table} (name, checksum, duration_ms) select $1, $2, $3::bigint where ${SAME_TRANSACTION('$4')}`,
      values: [name, checksum, Math.round(durationMs), transactionId],
    });
    return rowCount === 1;
  }

  /** @returns as {@link add} */
  async remove({ name }: MigrationFile, transactionId: string): Promise<boolean> {
    const { rowCount } = await this.#session.execute({
      text: `delete from ${this.table} where name = $1 and ${SAME_TRANSACTION('$2')}`,
      values: [name, transactionId],
    });
    return rowCount === 1;
  }

  /** Says that one outside a transaction begins. The key refuses a second one, should ever two get here. */
  async begin({ name, checksum }: MigrationFile, direction: 'up' | 'down'): Promise<void> {
    await this.#session.execute(
      direction === 'up'
        ? {
            text: `insert into ${this.table} (name, checksum, unfinished) values ($1, $2, 'up')`,
            values: [name, checksum],
          }
        : { text: `update ${this.table} set unfinished = 'down' where name = $1`, values: [name] },
    );
  }

  /** Says that it has ended well. */
  async end({ name }: MigrationFile, direction: 'up' | 'down', durationMs: number): Promise<void> {
    await this.#session.execute(
      direction === 'up'
        ? {
            text: `update ${this.table} set unfinished = null, applied_at = clock_timestamp(), duration_ms = $2::bigint where name = $1`,
            values: [name, Math.round(durationMs)],
          }
        : { text: `delete from ${this.table} where name = $1`, values: [name] },
    );
  }
}

const SAME_TRANSACTION = (parameter: string) => `pg_current_xact_id()::text = ${parameter}`;
